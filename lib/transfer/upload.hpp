// Upload: a request body on its way out.
#pragma once

#include "curl/handles.hpp"
#include "ringlet/body.hpp"
#include "transfer/body_data.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>

namespace ringlet::detail {

/// One request's body: in memory (libcurl sends it from there), streamed (files and sources), or multipart.
/// Lives as long as the exchange, over redirects and replays.
class Upload {
  public:
    Upload() = default;
    /// Opens a file. Throws Error{upload} when it cannot be read.
    explicit Upload(std::shared_ptr<BodyData> body);

    bool present() const noexcept { return body_ != nullptr; }
    /// The bytes, when they are in memory.
    std::optional<std::string_view> memory() const noexcept;
    bool multipart() const noexcept;
    /// Known to have no bytes.
    bool empty() const noexcept { return memory() ? memory()->empty() : size_ == std::uint64_t{0}; }
    /// Fills a new mime structure. Throws Error{upload}.
    void fill(curl_mime* mime) const;
    const std::string& content_type() const noexcept { return body_->content_type; }
    /// Of a streamed body; nullopt: unknown.
    std::optional<std::uint64_t> size() const noexcept { return size_; }

    /// libcurl's read callback for a streamed body. CURL_READFUNC_ABORT after an exception, which is kept.
    std::size_t read(char* buffer, std::size_t size) noexcept;
    /// Back to the first byte, before it is sent again. False: it cannot.
    bool rewind() noexcept;
    /// All of it was handed to libcurl.
    bool finished() const noexcept { return finished_; }
    /// So many bytes of a streamed body.
    std::uint64_t taken() const noexcept { return taken_; }
    std::exception_ptr error() const noexcept { return error_; }

  private:
    std::shared_ptr<BodyData> body_;
    std::shared_ptr<Source> source_;  // of a streamed body; a file has one of its own here
    std::optional<std::uint64_t> size_;
    std::uint64_t taken_ = 0;
    bool finished_ = false;
    bool rewind_failed_ = false;
    bool begun_ = false;  // the source is known to have been asked
    std::exception_ptr error_;
};

}  // namespace ringlet::detail
