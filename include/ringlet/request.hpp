// Request: one request to send: method, URL, fields, body, and settings that win over the session's.
#pragma once

#include <ringlet/body.hpp>
#include <ringlet/export.hpp>
#include <ringlet/settings.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace ringlet {
namespace detail {
struct RequestData;
struct Access;
}  // namespace detail

inline namespace v1 {

class Request;
template <>
detail::Options& Settings<Request>::record();
extern template class Settings<Request>;

/// A value: copyable, reusable, not shared between threads while it is changed. Nothing touches the network
/// before Session::send(). The functions inherited from Settings override the session's settings for this
/// request.
class RINGLET_API Request : public Settings<Request> {
  public:
    /// Errc::invalid_argument when the method is not a token (RFC 9110 section 9.1) or the URL holds CR, LF
    /// or NUL.
    Request(std::string_view method, std::string_view url);
    // The usual methods. The URL is absolute, or relative to the session's base_url().
    static Request get(std::string_view url) { return {"GET", url}; }
    static Request head(std::string_view url) { return {"HEAD", url}; }
    static Request post(std::string_view url) { return {"POST", url}; }
    static Request put(std::string_view url) { return {"PUT", url}; }
    static Request patch(std::string_view url) { return {"PATCH", url}; }
    static Request del(std::string_view url) { return {"DELETE", url}; }
    static Request options(std::string_view url) { return {"OPTIONS", url}; }
    static Request post(std::string_view url, Body body);
    static Request put(std::string_view url, Body body);
    static Request patch(std::string_view url, Body body);

    Request(const Request&);
    Request(Request&&) noexcept;
    Request& operator=(const Request&);
    Request& operator=(Request&&) noexcept;
    ~Request();

    /// Appends name=value, percent-encoded, to the URL's query.
    Request& query(std::string_view name, std::string_view value);
    /// Replaces the body. Without one, POST, PUT and PATCH send Content-Length: 0.
    Request& body(Body body);
    /// The body as application/x-www-form-urlencoded, with that Content-Type.
    Request& form(const Form& fields);
    /// The body as multipart/form-data (RFC 7578), with that Content-Type. Files are read while it is sent.
    Request& multipart(Multipart parts);

    const std::string& method() const noexcept;
    /// As given, with what query() has added: not redacted.
    const std::string& url() const noexcept;

  private:
    friend struct detail::Access;
    friend class Settings<Request>;
    std::unique_ptr<detail::RequestData> data_;
};

}  // namespace v1
}  // namespace ringlet
