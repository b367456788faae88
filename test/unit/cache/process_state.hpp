// What /proc knows of this process.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "support/posix.hpp"

namespace ringlet::test {

// Directories of the threads that watch idle connections.
inline std::vector<std::filesystem::path> janitor_threads() {
    std::vector<std::filesystem::path> found;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::string name;
        std::getline(std::ifstream(task.path() / "comm") >> std::ws, name);
        if (name == "ringlet-idle") found.push_back(task.path());
    }
    return found;
}

// How often a thread has gone to sleep by itself.
inline std::uint64_t context_switches(const std::filesystem::path& task) {
    std::ifstream status(task / "status");
    for (std::string line; std::getline(status, line);) {
        const std::string name = "voluntary_ctxt_switches:";
        if (line.compare(0, name.size(), name) == 0) return std::stoull(line.substr(name.size()));
    }
    return 0;
}

// Processor time of a thread so far.
inline std::chrono::nanoseconds run_time(const std::filesystem::path& task) {
    std::int64_t ns = 0;
    std::ifstream(task / "schedstat") >> ns;
    return std::chrono::nanoseconds(ns);
}

// Client sockets to that port whose peer has closed and which nobody here has.
inline std::size_t sockets_in_close_wait(std::uint16_t port) {
    std::ifstream table("/proc/self/net/tcp");
    std::size_t n = 0;
    std::string line;
    std::getline(table, line);
    while (std::getline(table, line)) {
        std::istringstream fields(line);
        std::string number, local, remote, state;
        fields >> number >> local >> remote >> state;
        const auto remote_port = std::stoul(remote.substr(remote.find(':') + 1), nullptr, 16);
        n += state == "08" && remote_port == port;
    }
    return n;
}

}  // namespace ringlet::test
