// A forked child that a test runs a function in.
#pragma once

#include <catch2/catch_test_macros.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <type_traits>

namespace ringlet::test {

/// -1 if it did not end by itself.
inline int exit_code_of(pid_t child) {
    int status = 0;
    if (child <= 0 || ::waitpid(child, &status, 0) != child) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Whether a thread of this process is asleep, or has just ended.
inline bool sleeps(pid_t thread) {
    std::string stat;
    std::getline(std::ifstream("/proc/self/task/" + std::to_string(thread) + "/stat"), stat);
    const auto state = stat.rfind(") ");  // behind the thread's name
    return state == std::string::npos || stat[state + 2] == 'S';
}

/// Whether each other thread of this process is asleep.
inline bool others_sleep() {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        const auto thread = static_cast<pid_t>(std::stol(task.path().filename().string()));
        if (thread != ::gettid() && !sleeps(thread)) return false;
    }
    return true;
}

/// fork() for tests whose other threads only wait. GCC's AddressSanitizer does not hold its allocator's locks
/// meanwhile (12 does not): a child would wait for ever for one that another thread has just then.
inline pid_t fork_at_rest() {
#if defined(__SANITIZE_ADDRESS__)
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!others_sleep() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    REQUIRE(others_sleep());
#endif
    return ::fork();
}

/// Runs the function in a forked child, which ends without the exit handlers of its parent. What it returns
/// (0 for true); 99 if it threw, -1 if it did not end by itself within 20 s.
template <class Run>
int in_child(Run run) {
    const pid_t child = fork_at_rest();
    if (child == 0) {
        ::alarm(20);
        int code = 99;
        try {
            if constexpr (std::is_same_v<decltype(run()), bool>)
                code = run() ? 0 : 1;
            else
                code = run();
        } catch (const std::exception& e) {
            std::fprintf(stderr, "%s\n", e.what());
        }
        ::_exit(code);
    }
    return exit_code_of(child);
}

/// Where the child starts threads: to be called at the start of the test, as skipping throws.
inline void skip_where_a_child_has_no_threads() {
#if defined(__SANITIZE_THREAD__)
    SKIP("ThreadSanitizer supports no new threads in the child of a program with threads");
#endif
}

/// Where other threads are at work during the fork.
inline void skip_where_fork_clashes_with_threads() {
    skip_where_a_child_has_no_threads();
#if defined(__SANITIZE_ADDRESS__)
    SKIP("the allocator of GCC's AddressSanitizer does not survive a fork() while another thread allocates");
#endif
}

}  // namespace ringlet::test
