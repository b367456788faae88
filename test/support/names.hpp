#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace ringlet::test {

// What this process's getaddrinfo() says of some names, which DNS need not know, while one exists. Link it by
// using it: it takes the place of the C library's function, for libcurl too; other names are passed on.
class Names {
  public:
    Names() = default;
    ~Names();
    Names(const Names&) = delete;
    Names& operator=(const Names&) = delete;

    // Numeric addresses; none: there is no such host.
    void set(const std::string& name, std::vector<std::string> addresses);
    // Look-ups of that name take so long, or until this object is destroyed.
    void delay(const std::string& name, std::chrono::milliseconds by);
    std::size_t lookups(const std::string& name) const;
};

}  // namespace ringlet::test
