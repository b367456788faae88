// RawOptions: what a caller set through Session::setopt(), kept to be put on one easy handle after another.
#pragma once

#include "curl/handles.hpp"
#include "ringlet/raw.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ringlet::detail {

/// A list of options with values of their own: strings, lists and blobs are copied when set. Moves do not
/// change addresses that libcurl was given.
class RawOptions {
  public:
    /// Whole transfers by libcurl's rules, or ringlet's own requests, whose means (URL, method, body,
    /// callbacks) it keeps.
    enum class Use : std::uint8_t { whole, besides };

    /// Checks the value against the option's type. Throws Error{invalid_argument} that names the option.
    void set(CURLoption option, RawValue value);
    /// Throws as check_option().
    void apply(CURL* easy, Use use) const;
    /// Runs last, on each handle that the options are put on.
    void set_with_handle(std::function<void(CURL*)> fn) { with_handle_ = std::move(fn); }
    bool has_with_handle() const noexcept { return static_cast<bool>(with_handle_); }
    bool empty() const noexcept { return options_.empty() && !with_handle_; }
    /// A copy without what identifies the user to an origin: for another one.
    std::shared_ptr<RawOptions> without_credentials() const;
    std::shared_ptr<RawOptions> clone() const;
    /// CURLOPT_URL's value; "" when not set.
    std::string url() const;
    /// A reset of the handle does not undo all that these options bring along (cookies, HSTS, alt-svc, what a
    /// with_handle() function did), or is not known to.
    bool outlive_reset() const noexcept;
    bool is_set(CURLoption option) const noexcept;
    /// How long libcurl lets a transfer take; 0: as long as it likes.
    std::chrono::milliseconds time_limit() const noexcept;
    /// A connection made with these options must serve nobody else.
    bool makes_connection_private() const noexcept;
    /// Setting it changes what a connection is, not just a request.
    static bool concerns_connection(CURLoption option) noexcept;
    /// libcurl's trace is, or may be, asked for.
    bool traces() const noexcept;
    /// The caller's own function closes sockets. libcurl keeps it, and its data, for as long as the
    /// connection lives: longer than the caller may.
    bool closes_sockets() const noexcept { return is_set(CURLOPT_CLOSESOCKETFUNCTION); }
    /// A Connection field of the caller's list says close.
    bool asks_to_close() const noexcept;
    /// A cookie engine was asked for.
    bool keeps_cookies() const noexcept;

  private:
    struct Option {
        CURLoption id;
        const curl_easyoption* info;  // libcurl's own table has it
        RawValue value;
        SlistPtr list;      // owned copy of a curl_slist*
        std::string bytes;  // owned copy of a blob
    };
    std::shared_ptr<RawOptions> copy_if(bool (*wanted)(CURLoption)) const;
    static void copy_pointed(Option& option);
    static void apply_one(CURL* easy, const Option& option);
    std::function<void(CURL*)> with_handle_;
    std::list<Option> options_;  // in the order set; a list, since libcurl is given addresses inside
};

}  // namespace ringlet::detail
