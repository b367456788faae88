// Session: requests with common settings over a cache of connections.
#pragma once

#include <ringlet/connection_cache.hpp>
#include <ringlet/export.hpp>
#include <ringlet/raw.hpp>
#include <ringlet/request.hpp>
#include <ringlet/response.hpp>
#include <ringlet/settings.hpp>

#include <functional>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace ringlet {
namespace detail {
class SessionState;
struct Access;
}  // namespace detail

inline namespace v1 {

class Session;
template <>
detail::Options& Settings<Session>::record();
extern template class Settings<Session>;

/// Sends requests. A record of settings and a handle on a cache: it holds no connection and no libcurl
/// handle, so it is cheap. Move-only; one thread at a time; at most one unfinished Response at a time: a
/// request while an earlier response is unfinished is Errc::session_busy, before a byte is written. Use one
/// session for each concurrent request; they share the cache's connections.
class RINGLET_API Session : public Settings<Session> {
  public:
    /// On the process-wide cache.
    Session();
    explicit Session(ConnectionCache cache);
    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;
    ~Session();

    /// Relative URLs are resolved against it (RFC 3986 section 5). Errc::invalid_argument unless http or
    /// https.
    Session& base_url(std::string_view url);
    /// Keeps a cookie jar of its own (RFC 6265). Default false. Turning it off forgets the cookies.
    Session& cookies(bool on);

    Response get(std::string_view url);
    Response get(std::string_view url, std::error_code& ec);
    Response head(std::string_view url);
    Response head(std::string_view url, std::error_code& ec);
    Response post(std::string_view url, Body body = {});
    Response post(std::string_view url, Body body, std::error_code& ec);
    Response put(std::string_view url, Body body = {});
    Response put(std::string_view url, Body body, std::error_code& ec);
    Response patch(std::string_view url, Body body = {});
    Response patch(std::string_view url, Body body, std::error_code& ec);
    Response del(std::string_view url, Body body = {});
    Response del(std::string_view url, Body body, std::error_code& ec);
    Response options(std::string_view url);
    Response options(std::string_view url, std::error_code& ec);
    /// Sends it and returns when the final answer's head has arrived. Everything that Errc names may be
    /// thrown.
    Response send(const Request& request);
    Response send(const Request& request, std::error_code& ec);

    // --- Raw curl, one to one (docs/guide/drop-in.md). Options persist until reset(), as on a CURL*. They
    // apply to requests made above, but for what those set themselves (URL, method, body, fields, callbacks).

    /// curl_easy_setopt: a number, a string (copied), a list (copied), a pointer, a C function, or a lambda
    /// (kept) of the callback's signature with or without its data pointer. Errc::invalid_argument, with the
    /// option's name, for an option this libcurl does not have or a value of another type.
    template <class T>
    Session& setopt(CURLoption option, T&& value) {
        return set_raw(option, raw::value_of(option, std::forward<T>(value)));
    }
    /// The same, with the type checked at compile time.
    template <CURLoption Option, class T>
    Session& setopt(T&& value) {
        static_assert(raw::acceptable<Option, T>(), "the option takes a value of another type");
        return setopt(Option, std::forward<T>(value));
    }
    /// curl_easy_perform: the whole transfer, with the callbacks and by the rules of libcurl (redirects,
    /// replays). Of the settings made above those apply that shape the connection, credentials, user agent,
    /// codings (none by default), header fields, stop and timeout; where an option says something as well,
    /// the option wins. Throws Error with the CURLcode in native_code(), or what a callback threw.
    void perform();
    void perform(std::error_code& ec);
    /// curl_easy_getinfo of the latest perform(); 0, "" or null before one. A list lives until the next
    /// perform().
    template <CURLINFO What>
    auto getinfo() const {
        return raw::from_info<typename raw::InfoType<What>::type>(get_raw(What));
    }
    /// Forgets every raw option, as curl_easy_reset does, and with_handle()'s function.
    Session& reset();
    /// Runs on the libcurl handle each time one is set up for this session: for what setopt cannot say.
    /// Connections are then this session's own. What must not be changed there: URL, SHARE, ERRORBUFFER,
    /// OPENSOCKET- and CLOSESOCKETFUNCTION. It runs for a redirect to another origin too: credentials that it
    /// sets go there.
    Session& with_handle(std::function<void(CURL*)> fn);

    ConnectionCache cache() const;

  private:
    Session& set_raw(CURLoption option, RawValue value);
    raw::Info get_raw(CURLINFO what) const;

    friend struct detail::Access;
    friend class Settings<Session>;
    std::shared_ptr<detail::SessionState> state_;
};

}  // namespace v1
}  // namespace ringlet
