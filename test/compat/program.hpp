// Programs in processes of their own, with and without ringletify. Header only.
#pragma once

#include <sys/wait.h>
#include <array>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ringlet::test {

// A sanitizer's runtime must be the first library of a process, so it cannot be put before another's program.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool can_preload = false;
#else
constexpr bool can_preload = true;
#endif

struct Ran {
    int exit_code = -1;
    std::string output;  // stdout and stderr
};

/// Runs a line of shell.
inline Ran run(const std::string& command) {
    Ran ran;
    std::FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("popen: " + command);
    std::array<char, 4096> buffer;
    while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe))
        ran.output.append(buffer.data(), n);
    const int status = ::pclose(pipe);
    if (WIFEXITED(status)) ran.exit_code = WEXITSTATUS(status);
    return ran;
}

/// The line that runs a command under ringletify, with more variables in its environment.
inline std::string ringletify(const std::string& command, std::string_view environment = "") {
    return "env RINGLET_PRELOAD=" RINGLET_PRELOAD_LIBRARY " " + std::string(environment) +
           " sh " RINGLETIFY " " + command;
}

inline bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace ringlet::test
