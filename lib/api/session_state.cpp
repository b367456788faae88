#include "api/session_state.hpp"

#include "api/access.hpp"
#include "api/sending.hpp"
#include "ringlet/error.hpp"
#include "transfer/lane_key_of.hpp"

#include <utility>

namespace ringlet::detail {

SessionState::SessionState(ConnectionCache cache)
    : cache_(std::move(cache)), core_(Access::cache(cache_)), options_(std::make_shared<Options>()) {
    ensure_curl();
}

Options& SessionState::options_to_change() {
    if (options_lent_) {
        options_ = std::make_shared<Options>(*options_);
        options_lent_ = false;
    }
    return *options_;
}

void SessionState::set_base_url(std::string_view url) {
    base_url_ = Url::parse(url);
    url_.reset();
    key_ = LaneKey{};
    spare_url_.reset();
}

void SessionState::set_cookies(bool on) {
    if (on == (cookies_ != nullptr)) return;
    cookies_ = on ? std::make_shared<CookieJar>() : nullptr;
    // A lane that carried cookies must look to every other session like one that has to be set up anew.
    options_to_change().touch_wire();
}

void SessionState::require_idle() const {
    if (exchange_ && !exchange_->finished()) {
        throw Error(Errc::session_busy,
                    "session busy: its previous response (" + exchange_->describe() +
                        ") is unfinished; consume() or abort() it, or use another Session");
    }
}

std::shared_ptr<Exchange> SessionState::free_exchange() {
    if (!exchange_ || exchange_->held()) exchange_ = std::make_shared<Exchange>(core_);
    return exchange_;
}

const std::shared_ptr<Url>& SessionState::parsed(std::string_view url) {
    const bool lent =
        !exchange_ || exchange_->held();  // another exchange takes over: the old one keeps what it has
    if (lent) {
        spare_url_.reset();
        url_elsewhere_ = url_ != nullptr;
    }
    if (url_ && url_given_ == url) return url_;
    if (!retarget_spare(url)) {
        auto fresh = std::make_shared<Url>(base_url_.empty() ? Url::parse(url) : Url::parse(url, base_url_));
        spare_url_ = std::move(fresh);
    }
    if (url_ && spare_url_->origin() != url_->origin()) key_ = LaneKey{};
    url_.swap(spare_url_);
    if (std::exchange(url_elsewhere_, false)) spare_url_.reset();
    url_given_ = url;
    return url_;
}

bool SessionState::retarget_spare(std::string_view url) {
    if (!spare_url_ || spare_url_.use_count() != 1 || !base_url_.empty()) return false;
    const auto spare = std::move(spare_url_);  // gone unless it succeeds
    if (!spare->retarget(url)) return false;
    spare_url_ = spare;
    return true;
}

const LaneKey& SessionState::key_for(const Url& url) {
    if (key_.empty() || key_wire_id_ != options_->wire_id) {
        key_ = lane_key(url, *options_);
        key_wire_id_ = options_->wire_id;
    }
    return key_;
}

std::shared_ptr<Exchange> SessionState::send(std::string_view method, std::string_view url, const Body& body,
                                             const Options* over, const std::function<void(Call&)>& admit) {
    const Sending sending(sending_);
    require_idle();
    raw_lent_ = true;
    Call call;
    call.method = method;
    call.url = parsed(url);
    if (over == nullptr) {
        options_lent_ = true;
        call.options = options_;
        call.key = key_for(*call.url);
    } else {
        auto options = std::make_shared<Options>(merged(*options_, *over));
        const bool same_wire = options->wire_id == options_->wire_id;
        call.key = same_wire ? key_for(*call.url) : lane_key(*call.url, *options);
        call.options = std::move(options);
    }
    call.body = Access::data(body);
    call.cookies = cookies_;
    if (admit) admit(call);
    auto exchange = free_exchange();
    exchange->run(std::move(call));
    return exchange;
}

}  // namespace ringlet::detail
