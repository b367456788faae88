// SessionState: raw curl, one to one.
#include "api/sending.hpp"
#include "api/session_state.hpp"
#include "ringlet/error.hpp"
#include "transfer/lane_key_of.hpp"

#include <utility>

namespace ringlet::detail {

RawOptions& SessionState::raw_to_change() {
    if (!raw_) {
        raw_ = std::make_shared<RawOptions>();
    } else if (raw_lent_) {  // a request or a lane has them: they stay as they are
        raw_ = raw_->clone();
    }
    raw_lent_ = false;
    return *raw_;
}

/// `connection`: the change concerns what a connection is, so those made before it serve no more.
void SessionState::raw_changed(bool connection) {
    auto& options = options_to_change();
    options.wire.raw = raw_;
    options.touch_wire();
    const bool is_private = raw_ && raw_->makes_connection_private();
    if (!is_private) {
        options.wire.private_to = 0;
    } else if (connection || options.wire.private_to == 0) {
        options.wire.private_to = options.wire_id;  // unique in the process
    }
}

void SessionState::set_raw(CURLoption option, RawValue value) {
    raw_to_change().set(option, std::move(value));
    raw_changed(RawOptions::concerns_connection(option));
}

void SessionState::set_with_handle(std::function<void(CURL*)> fn) {
    raw_to_change().set_with_handle(std::move(fn));
    raw_changed(true);
}

void SessionState::reset_raw() {
    raw_.reset();
    info_.clear();
    raw_changed(true);
}

void SessionState::perform() {
    const Sending sending(sending_);
    require_idle();
    RawCall call;
    call.url = raw_ ? raw_->url() : std::string{};
    if (call.url.empty() && raw_ && raw_->is_set(CURLOPT_CURLU)) {
        throw Error(Errc::invalid_argument, "CURLOPT_CURLU: perform() takes its URL from CURLOPT_URL");
    }
    if (call.url.empty()) throw Error(Errc::invalid_argument, "perform: CURLOPT_URL is not set");
    // As libcurl does: a URL without a scheme is http.
    const auto full =
        call.url.find("://") == std::string::npos && base_url_.empty() ? "http://" + call.url : call.url;
    const auto url = parsed(full);
    if (raw_->keeps_cookies() && !raw_cookies_) raw_cookies_ = std::make_unique<CookieJar>();
    call.options = options_;  // lent for the length of this call only
    call.cookies = raw_cookies_.get();
    call.key = key_for(*url);
    call.cache = core_;
    run_raw_transfer(call, info_);
}

}  // namespace ringlet::detail
