// Environment: variables for the length of a scope. Header only.
#pragma once

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace ringlet::test {

class Environment {
  public:
    explicit Environment(std::vector<std::pair<std::string, std::string>> variables) {
        for (auto& [name, value] : variables) {
            ::setenv(name.c_str(), value.c_str(), 1);
            names_.push_back(std::move(name));
        }
    }
    ~Environment() {
        for (const auto& name : names_) ::unsetenv(name.c_str());
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

  private:
    std::vector<std::string> names_;
};

}  // namespace ringlet::test
