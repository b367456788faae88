#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

#include "support/gate.hpp"

namespace ringlet::test {

// A server's log with one line for each request, which begins with a word that stands for the connection. A
// server writes the line some microseconds after the client has the response: wait before you count.
class AccessLog {
  public:
    explicit AccessLog(std::filesystem::path file) : file_(std::move(file)) {}

    std::string text() const {
        std::ostringstream text;
        text << std::ifstream(file_).rdbuf();
        return text.str();
    }

    std::size_t requests() const {
        auto lines = text();
        return static_cast<std::size_t>(std::ranges::count(lines, '\n'));
    }

    std::size_t connections() const {
        std::istringstream lines(text());
        std::set<std::string> words;
        for (std::string line; std::getline(lines, line);) words.insert(line.substr(0, line.find(' ')));
        return words.size();
    }

    bool wait_for_requests(std::size_t n, Clock::duration timeout) const {
        auto deadline = Clock::now() + timeout;
        while (requests() < n) {
            if (Clock::now() > deadline) return false;
            std::this_thread::sleep_for(2ms);  // why: the interval of a poll
        }
        return true;
    }

  private:
    std::filesystem::path file_;
};

}  // namespace ringlet::test
