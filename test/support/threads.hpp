#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <latch>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace ringlet::test {

// For other threads than the test's, where Catch2's macros do not belong: throws what on_threads() reports.
inline void expect(bool holds, const std::string& what) {
    if (!holds) throw std::runtime_error("not so: " + what);
}

// Runs body(0) to body(n - 1) on threads of their own that start together; returns what they threw, one text
// for each.
inline std::vector<std::string> on_threads(std::size_t n, const std::function<void(std::size_t)>& body) {
    std::mutex mutex;
    std::vector<std::string> errors;
    std::latch start(static_cast<std::ptrdiff_t>(n));
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < n; ++i) {
            threads.emplace_back([&, i] {
                start.arrive_and_wait();
                try {
                    body(i);
                } catch (const std::exception& e) {
                    const std::lock_guard lock(mutex);
                    errors.emplace_back(e.what());
                }
            });
        }
    }
    return errors;
}

}  // namespace ringlet::test
