#include "support/recorded.hpp"

#include <algorithm>
#include <cctype>

namespace ringlet::test {

namespace {

std::string_view trimmed(std::string_view text) {
    auto from = text.find_first_not_of(" \t");
    if (from == std::string_view::npos) return {};
    return text.substr(from, text.find_last_not_of(" \t\r") + 1 - from);
}

// Calls visit(name, value) for each field line until it returns true.
template <typename Visit>
void each_field(std::string_view head, Visit visit) {
    auto at = head.find('\n');
    while (at != std::string_view::npos && at + 1 < head.size()) {
        auto end = std::min(head.find('\n', at + 1), head.size());
        auto line = head.substr(at + 1, end - at - 1);
        auto colon = line.find(':');
        if (colon != std::string_view::npos && visit(line.substr(0, colon), trimmed(line.substr(colon + 1))))
            return;
        at = end;
    }
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(
        a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::optional<std::string> Recorded::header(std::string_view name) const {
    std::optional<std::string> found;
    each_field(head, [&](std::string_view field, std::string_view value) {
        if (!equal_ignoring_case(field, name)) return false;
        found.emplace(value);
        return true;
    });
    return found;
}

std::vector<std::string> Recorded::headers(std::string_view name) const {
    std::vector<std::string> found;
    each_field(head, [&](std::string_view field, std::string_view value) {
        if (equal_ignoring_case(field, name)) found.emplace_back(value);
        return false;
    });
    return found;
}

bool parse_request_line(Recorded& request) {
    std::string_view line(request.head);
    line = line.substr(0, line.find("\r\n"));
    auto first = line.find(' ');
    auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return false;
    request.method = line.substr(0, first);
    request.target = line.substr(first + 1, last - first - 1);
    return true;
}

}  // namespace ringlet::test
