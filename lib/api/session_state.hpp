// SessionState: what a Session is made of.
#pragma once

#include "cache/cache.hpp"
#include "curl/raw_options.hpp"
#include "ringlet/connection_cache.hpp"
#include "ringlet/request.hpp"
#include "transfer/cookie_jar.hpp"
#include "transfer/exchange.hpp"
#include "transfer/raw_transfer.hpp"
#include "value/options.hpp"
#include "value/url.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>

namespace ringlet::detail {

/// A record of settings, and the exchange it uses again. One thread at a time; a second one is noticed and
/// refused.
class SessionState {
  public:
    explicit SessionState(ConnectionCache cache);

    /// The settings, to be changed: a copy if a request has been given the present ones.
    Options& options_to_change();
    void set_base_url(std::string_view url);
    void set_cookies(bool on);

    /// Sends; `over` are a request's own settings, null when it has none.
    /// `admit`, unless empty, may refuse or change the call before anything is sent.
    std::shared_ptr<Exchange> send(std::string_view method, std::string_view url, const Body& body,
                                   const Options* over, const std::function<void(Call&)>& admit = {});
    /// Throws Error{session_busy} while a response is unfinished.
    void require_idle() const;
    const ConnectionCache& cache() const noexcept { return cache_; }

    // --- raw curl: see Session
    void set_raw(CURLoption option, RawValue value);
    void set_with_handle(std::function<void(CURL*)> fn);
    void reset_raw();
    void perform();
    const InfoSnapshot& info() const noexcept { return info_; }

  private:
    std::shared_ptr<Exchange> free_exchange();
    RawOptions& raw_to_change();
    void raw_changed(bool connection);
    const std::shared_ptr<Url>& parsed(std::string_view url);
    bool retarget_spare(std::string_view url);
    const LaneKey& key_for(const Url& url);

    ConnectionCache cache_;
    std::shared_ptr<Cache> core_;
    std::shared_ptr<Options> options_;
    bool options_lent_ = false;  // a request holds them: they must not change any more
    std::shared_ptr<CookieJar> cookies_;
    std::shared_ptr<RawOptions> raw_;
    bool raw_lent_ = false;  // a request or a lane holds them
    std::unique_ptr<CookieJar> raw_cookies_;
    InfoSnapshot info_;
    Url base_url_;
    std::shared_ptr<Exchange> exchange_;  // the latest; used again when nobody holds it
    std::atomic<bool> sending_{false};

    // Of the latest request: parsing a URL costs a sixth of a request.
    std::shared_ptr<Url> url_;
    std::shared_ptr<Url> spare_url_;  // the one before, to be used again; only exchange_ was ever given it
    bool url_elsewhere_ = false;      // url_ was given to another exchange
    std::string url_given_;
    LaneKey key_;
    std::uint64_t key_wire_id_ = 0;
};

}  // namespace ringlet::detail
