// Url: an http or https URL, parsed by libcurl's URL API.
#pragma once

#include "curl/handles.hpp"

#include <string>
#include <string_view>

namespace ringlet::detail {

/// Move-only. The text is kept as given (resolved against a base where there was one).
class Url {
  public:
    Url() = default;
    /// Throws Error: invalid_argument (also for CR, LF, NUL), unsupported_protocol unless http or https.
    /// `base`, unless empty, is what a relative reference is resolved against (RFC 3986 section 5).
    static Url parse(std::string_view text, const Url& base);
    static Url parse(std::string_view text);

    bool empty() const noexcept { return handle_ == nullptr; }
    CURLU* handle() const noexcept { return handle_.get(); }
    /// The URL in full, NUL-terminated.
    const std::string& text() const noexcept { return text_; }
    /// "scheme://host:port": lower case, IDN in its ASCII form, port always present.
    const std::string& origin() const noexcept { return origin_; }
    bool https() const noexcept { return origin_.starts_with("https:"); }
    /// The host without port and brackets' zone; as in the origin.
    std::string host() const;
    int port() const;
    bool has_user_info() const noexcept { return has_user_info_; }
    /// A reference that names no user is for the one of the URL it was found at, on the same origin. That is
    /// how libcurl has it.
    void keep_user_of(const Url& other);
    Url copy() const;
    /// Becomes `text`, at a fraction of what parsing costs, if only the path and the query differ and both
    /// are plain. False (or bad_alloc): it has to be parsed, and this object is good for nothing more. Not
    /// for a URL that was resolved against a base.
    bool retarget(std::string_view text);

  private:
    void read_origin();
    UrlPtr handle_;
    std::string text_;
    std::string origin_;
    bool has_user_info_ = false;
};

/// For logs and errors: no user info, no query, no fragment. Works on text that is no URL as well.
std::string redacted(std::string_view url);
/// For text that could not be parsed: where its user info ends is anybody's guess, so all up to the last '@'
/// goes.
std::string redacted_unparsed(std::string_view text);

}  // namespace ringlet::detail
