#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringlet::test {

// Frames of HTTP/2, RFC 9113 section 6.
enum class H2FrameType : std::uint8_t {
    data = 0,
    headers = 1,
    priority = 2,
    rst_stream = 3,
    settings = 4,
    push_promise = 5,
    ping = 6,
    goaway = 7,
    window_update = 8,
    continuation = 9,
};

// RFC 9113 section 7.
enum class H2Error : std::uint32_t {
    no_error = 0,
    protocol_error = 1,
    internal_error = 2,
    flow_control_error = 3,
    settings_timeout = 4,
    stream_closed = 5,
    frame_size_error = 6,
    refused_stream = 7,
    cancel = 8,
    compression_error = 9,
    connect_error = 10,
    enhance_your_calm = 11,
    inadequate_security = 12,
    http_1_1_required = 13,
};

// RFC 9113 section 6.5.2.
enum class H2Setting : std::uint16_t {
    header_table_size = 1,
    enable_push = 2,
    max_concurrent_streams = 3,
    initial_window_size = 4,
    max_frame_size = 5,
    max_header_list_size = 6,
};

namespace h2_flag {
constexpr std::uint8_t end_stream = 0x1;
constexpr std::uint8_t ack = 0x1;
constexpr std::uint8_t end_headers = 0x4;
constexpr std::uint8_t padded = 0x8;
constexpr std::uint8_t priority = 0x20;
}  // namespace h2_flag

using H2Settings = std::vector<std::pair<H2Setting, std::uint32_t>>;
using H2Fields = std::vector<std::pair<std::string, std::string>>;  // names in lower case

struct H2Frame {
    H2FrameType type = H2FrameType::data;
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
    std::string payload;

    bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
    // With the nine bytes before the payload.
    std::string bytes() const;
};

std::string h2_uint32(std::uint32_t value);
std::uint32_t h2_read_uint32(std::string_view bytes);  // of the first four bytes

std::string h2_settings_payload(const H2Settings& settings);

// A block of HPACK (RFC 7541): literal fields, nothing indexed, no Huffman code.
std::string hpack_block(int status, const H2Fields& fields);
std::string hpack_fields(const H2Fields& fields);  // without a status: trailers

// The 24 bytes that a client sends first.
inline constexpr std::string_view h2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace ringlet::test
