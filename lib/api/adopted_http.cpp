#include "api/adopted_http.hpp"

#include "api/access.hpp"
#include "ringlet/error.hpp"
#include "socket/private_cache.hpp"

#include <utility>

namespace ringlet::detail {
namespace {

/// Settings about a connection that is still to be made.
const char* dialling_setting(const WireOptions& wire) noexcept {
    if (wire.proxy && !wire.proxy->empty()) return "proxy";
    if (wire.unix_socket) return "unix_socket";
    if (wire.local_address) return "local_address";
    if (wire.ip_version && *wire.ip_version != IpVersion::any) return "ip_version";
    return nullptr;
}

}  // namespace

AdoptedHttp::AdoptedHttp(Descriptor descriptor)
    : AdoptedHttp(descriptor, std::make_shared<AdoptedSocket>(descriptor.fd, AdoptedSocket::From::anywhere)) {
}

AdoptedHttp::AdoptedHttp(Descriptor descriptor, const std::shared_ptr<AdoptedSocket>& adopted)
    : adopted_(adopted), cache_(private_cache()), session_(Access::handle(cache_)) {
    adopted_->keep(std::move(descriptor.account));
}

/// In a forked child, what libcurl has is the parent's, and so is what counts in a cache of the parent's. A
/// given descriptor that was not used yet is like any other.
bool AdoptedHttp::inherited() const noexcept {
    return generation_ != fork_generation() && (adopted_->counted() || !origin_.empty());
}

void AdoptedHttp::require_connection() const {
    if (inherited()) {
        throw Error(Errc::client_spent,
                    "client spent: the process has forked, and the connection is the parent's");
    }
    if (adopted_->given_away()) {
        throw Error(Errc::client_spent,
                    "client spent: its connection was upgraded, and is no HTTP's any more");
    }
    if (adopted_->current() < 0) {
        throw Error(Errc::client_spent,
                    "client spent: its one connection has ended, and it never dials another");
    }
}

void AdoptedHttp::admit(Call& call) {
    require_connection();
    if (const char* setting = dialling_setting(call.options->wire)) {
        throw Error(Errc::invalid_argument,
                    std::string(setting) + ": the connection is given; this cannot apply to it");
    }
    auto isolation = isolation_text(call.options->wire);
    if (origin_.empty()) {
        origin_ = call.url->origin();
        isolation_ = isolation;
    }
    if (call.url->origin() != origin_) {
        throw Error(Errc::invalid_argument, "the connection serves " + origin_ +
                                                " since its first request, not " + call.url->origin());
    }
    if (!isolation.empty() && isolation != isolation_) {
        throw Error(Errc::invalid_argument,
                    "connection settings cannot change after the first request on a given connection");
    }
    const auto version = call.options->wire.http_version.value_or(HttpVersion::automatic);
    if (call.url->https() || version == HttpVersion::http_2 || version == HttpVersion::http_2_prior_knowledge)
        http1_ = false;
    call.key = LaneKey(origin_, isolation_);
    call.given_connection = adopted_;
    if (requests_left_ != SIZE_MAX) --requests_left_;
}

std::shared_ptr<Exchange> AdoptedHttp::send(std::string_view method, std::string_view url, const Body& body,
                                            const Options* over) {
    if (requests_left_ == 0)
        throw Error(Errc::client_spent, "client spent: it can only be used once (single_use())");
    try {
        return session_.send(method, url, body, over, [this](Call& call) { admit(call); });
    } catch (const Error& error) {
        // libcurl wanted to connect: what it had was gone before a byte was sent.
        if (error.code() == Errc::connect && adopted_->current() < 0) {
            throw Error(Errc::client_spent,
                        "client spent: the peer has ended the connection, and it never dials another");
        }
        throw;
    }
}

Descriptor AdoptedHttp::release() {
    session_.require_idle();
    require_connection();
    if (!http1_)
        throw Error(Errc::invalid_argument,
                    "release: TLS or HTTP/2 is on the connection, which live inside libcurl");
    const int fd = adopted_->take_back();
    cache_->close_idle(Duration{});
    return {fd, std::static_pointer_cast<Account>(adopted_->give_away())};
}

}  // namespace ringlet::detail
