#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/gate.hpp"

namespace ringlet::test {

// One request as the server read it.
struct Recorded {
    std::size_t connection = 0;  // accept number of its connection, from 0
    std::size_t ordinal = 0;     // which request of that connection, from 0
    std::uint16_t peer_port = 0;
    std::string method;
    std::string target;
    std::string head;           // literal bytes, with the blank line
    std::string body;           // decoded when chunked; cut at OriginOptions::max_recorded_body
    std::size_t body_size = 0;  // all of it
    bool chunked = false;
    std::string trailers;  // literal lines after the last chunk
    Clock::time_point head_read_at;
    Clock::time_point read_at;  // when the body was complete

    // Value of the first field of that name, in any case of letters, without the blanks around it.
    std::optional<std::string> header(std::string_view name) const;
    std::vector<std::string> headers(std::string_view name) const;
};

// Fills method and target from head; false if the first line is no request line.
bool parse_request_line(Recorded& request);

bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace ringlet::test
