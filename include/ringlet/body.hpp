// Body: what a request sends. Source: where a streamed body comes from.
#pragma once

#include <ringlet/export.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringlet {
namespace detail {
struct BodyData;
struct Access;
}  // namespace detail

inline namespace v1 {

/// A body that is pulled while it is sent. Called on the sending thread only; destroyed exactly once, when
/// the last Request and exchange that hold it are gone.
class RINGLET_API Source {
  public:
    virtual ~Source();
    /// Fills up to buffer.size() bytes and says how many; 0 is the end. May block. What it throws ends the
    /// request and is rethrown to the caller.
    virtual std::size_t read(std::span<std::byte> buffer) = 0;
    /// The whole size where known: sent as Content-Length. Unknown: sent chunked (HTTP/1.1).
    virtual std::optional<std::uint64_t> size() const { return std::nullopt; }
    /// Starts again from the first byte, for redirects, retries and replays. False (default): it cannot.
    /// Throws as read() does.
    virtual bool rewind() { return false; }
};

/// One part of a multipart/form-data body (RFC 7578).
struct Part {
    std::string name = {};
    std::string data = {};            ///< the content, unless `file` is set
    std::filesystem::path file = {};  ///< its content is streamed
    std::string filename = {};        ///< default: the file's name; none for data
    std::string content_type = {};
};
using Multipart = std::vector<Part>;
/// Fields of an application/x-www-form-urlencoded body.
using Form = std::vector<std::pair<std::string, std::string>>;

/// A request's body. Copies share the content (and a one-shot Source: it can be sent once).
class RINGLET_API Body {
  public:
    Body() noexcept;                            ///< no body
    Body(std::string text);                     // NOLINT(google-explicit-constructor)
    Body(std::string_view text);                // NOLINT(google-explicit-constructor)
    Body(const char* text);                     // NOLINT(google-explicit-constructor)
    Body(std::span<const std::byte> bytes);     // NOLINT(google-explicit-constructor): copies
    Body(const std::vector<std::byte>& bytes);  // NOLINT(google-explicit-constructor): copies
    /// The content of a file, opened when the request is sent.
    Body(std::filesystem::path file);      // NOLINT(google-explicit-constructor)
    Body(std::shared_ptr<Source> source);  // NOLINT(google-explicit-constructor)
    Body(std::unique_ptr<Source> source);  // NOLINT(google-explicit-constructor)
    /// The same for pointers to classes derived from Source, so that std::make_unique<MySource>() is a body.
    template <std::derived_from<Source> Derived>
    Body(std::shared_ptr<Derived> source)  // NOLINT(google-explicit-constructor)
        : Body(std::shared_ptr<Source>(std::move(source))) {}
    template <std::derived_from<Source> Derived>
    Body(std::unique_ptr<Derived> source)  // NOLINT(google-explicit-constructor)
        : Body(std::unique_ptr<Source>(std::move(source))) {}
    Body(const Body&) noexcept;
    Body(Body&&) noexcept;
    Body& operator=(const Body&) noexcept;
    Body& operator=(Body&&) noexcept;
    ~Body();

    /// The caller's bytes without a copy: they must live until the response is finished.
    static Body view(std::span<const std::byte> bytes);
    /// A Source from functions: see Source::read(), size(), rewind().
    static Body pull(std::function<std::size_t(std::span<std::byte>)> read,
                     std::optional<std::uint64_t> size = std::nullopt, std::function<bool()> rewind = {});
    /// application/x-www-form-urlencoded, percent-encoded; sets the Content-Type.
    static Body form(const Form& fields);
    /// multipart/form-data; sets the Content-Type. Files are opened and read when the request is sent.
    /// Errc::invalid_argument for NUL in a name, or CR, LF or NUL in a content type.
    static Body multipart(Multipart parts);

    /// There is no body. (A body of no bytes is one.)
    bool empty() const noexcept { return data_ == nullptr; }

  private:
    friend struct detail::Access;
    std::shared_ptr<detail::BodyData> data_;
};

}  // namespace v1
}  // namespace ringlet
