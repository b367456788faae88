// Environment: variables for the length of a scope. Header only.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ringlet::test {

// These, and no others of those that name proxies.
class Environment {
  public:
    explicit Environment(const std::vector<std::pair<std::string, std::string>>& variables) {
        for (const char* name :
             {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"}) {
            keep(name);
            ::unsetenv(name);
        }
        for (const auto& [name, value] : variables) {
            keep(name);
            ::setenv(name.c_str(), value.c_str(), 1);
        }
    }
    ~Environment() {
        for (auto kept = before_.rbegin(); kept != before_.rend(); ++kept) {
            if (kept->second) {
                ::setenv(kept->first.c_str(), kept->second->c_str(), 1);
            } else {
                ::unsetenv(kept->first.c_str());
            }
        }
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

  private:
    void keep(const std::string& name) {
        const char* value = std::getenv(name.c_str());
        before_.emplace_back(name, value == nullptr ? std::nullopt : std::optional<std::string>(value));
    }
    std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

}  // namespace ringlet::test
