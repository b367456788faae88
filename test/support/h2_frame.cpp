#include "support/h2_frame.hpp"

namespace ringlet::test {

namespace {

void append_integer(std::string& to, std::uint32_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) to += static_cast<char>(value >> shift);
}

// RFC 7541 section 5.1 with a prefix of seven bits, section 5.2 without Huffman code.
void append_string(std::string& to, std::string_view text) {
    std::size_t rest = text.size();
    if (rest < 127) {
        to += static_cast<char>(rest);
    } else {
        to += '\x7f';
        for (rest -= 127; rest >= 128; rest /= 128) to += static_cast<char>(rest % 128 + 128);
        to += static_cast<char>(rest);
    }
    to += text;
}

}  // namespace

std::string H2Frame::bytes() const {
    std::string all;
    all.reserve(9 + payload.size());
    append_integer(all, static_cast<std::uint32_t>(payload.size()), 3);
    append_integer(all, static_cast<std::uint32_t>(type), 1);
    append_integer(all, flags, 1);
    append_integer(all, stream, 4);
    return all += payload;
}

std::string h2_uint32(std::uint32_t value) {
    std::string bytes;
    append_integer(bytes, value, 4);
    return bytes;
}

std::uint32_t h2_read_uint32(std::string_view bytes) {
    std::uint32_t value = 0;
    for (char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
}

std::string h2_settings_payload(const H2Settings& settings) {
    std::string payload;
    for (auto [name, value] : settings) {
        append_integer(payload, static_cast<std::uint32_t>(name), 2);
        append_integer(payload, value, 4);
    }
    return payload;
}

std::string hpack_fields(const H2Fields& fields) {
    std::string block;
    for (const auto& [name, value] : fields) {
        block += '\0';  // literal, not indexed, new name
        append_string(block, name);
        append_string(block, value);
    }
    return block;
}

std::string hpack_block(int status, const H2Fields& fields) {
    std::string block = "\x08";  // literal, not indexed, name 8 of the static table: ":status"
    append_string(block, std::to_string(status));
    return block += hpack_fields(fields);
}

}  // namespace ringlet::test
