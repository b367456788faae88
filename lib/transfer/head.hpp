// Head: the status line and fields of an answer, collected line by line.
#pragma once

#include "ringlet/events.hpp"
#include "ringlet/headers.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringlet::detail {

/// Keeps the raw lines of the current block (an interim answer is replaced by the next one) and what the
/// transfer decides by. Fields are parsed into Headers only when asked for. Reused from request to request:
/// buffers keep their memory.
class Head {
  public:
    enum class Line { more, interim_end, end, too_large, malformed };

    void clear() noexcept;
    /// One line as libcurl hands it over, with its line end.
    Line add(std::string_view line);
    /// A field line after the body. False: too many.
    bool add_trailer(std::string_view line);

    bool started() const noexcept { return total_ != 0; }
    /// The present block is that of a final answer: 100 and 103 are not.
    bool is_final() const noexcept { return status_ >= 200 || status_ == 101; }
    /// Bytes of all blocks so far.
    std::size_t size() const noexcept { return total_; }
    bool complete() const noexcept { return complete_; }
    /// The blank line after the fields of a final answer has come.
    bool ended() const noexcept { return ended_; }
    /// Ends the block without a blank line (the body or the end of the transfer has come).
    void set_complete() noexcept { complete_ = true; }
    int status() const noexcept { return status_; }
    std::string_view reason() const noexcept;
    /// As the status line says.
    Protocol protocol() const noexcept { return protocol_; }

    bool chunked() const noexcept { return chunked_; }
    std::optional<std::uint64_t> content_length() const noexcept { return content_length_; }
    /// A Content-Length was there, whatever it said.
    bool length_seen() const noexcept { return length_seen_; }
    /// A Content-Length that is no number, or several that differ: where the body ends is anybody's guess.
    bool length_invalid() const noexcept { return length_invalid_; }
    bool encoded() const noexcept { return encoded_; }
    /// With gzip, and nothing else.
    bool gzip() const noexcept { return gzip_ && codings_ == 1; }
    bool says_close() const noexcept { return close_; }
    bool says_keep_alive() const noexcept { return keep_alive_; }
    /// Keep-Alive: timeout=N, the smallest of several.
    std::optional<std::chrono::seconds> keep_alive_timeout() const noexcept { return keep_alive_timeout_; }
    /// The first value of a field of the current block; a view into it.
    std::optional<std::string_view> field(std::string_view name) const noexcept;
    /// Location fields that differ from one another: no redirect can be followed.
    bool ambiguous_location() const noexcept;
    /// 1xx, 204, 304: never a body (RFC 9112 section 6.3).
    bool bodiless_status() const noexcept { return status_ < 200 || status_ == 204 || status_ == 304; }

    const Headers& headers() const;
    const Headers& trailers() const;

  private:
    void start_block(std::string_view status_line);
    void note(std::string_view name, std::string_view value) noexcept;
    void note_content_length(std::string_view value) noexcept;
    void note_keep_alive(std::string_view value) noexcept;

    std::string text_;  // lines of the current block
    std::string trailers_text_;
    unsigned interims_ = 0;
    std::size_t total_ = 0;  // bytes of all blocks
    int status_ = 0;
    Protocol protocol_ = Protocol::unknown;
    bool complete_ = false;
    bool ended_ = false;
    bool chunked_ = false;
    bool encoded_ = false;
    bool gzip_ = false;
    unsigned codings_ = 0;
    bool close_ = false;
    bool keep_alive_ = false;
    bool length_seen_ = false;
    bool length_invalid_ = false;
    std::optional<std::uint64_t> content_length_;
    std::optional<std::chrono::seconds> keep_alive_timeout_;
    mutable std::optional<Headers> headers_, trailers_;
};

}  // namespace ringlet::detail
