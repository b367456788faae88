#include "socket/connector.hpp"

#include "curl/proxy_environment.hpp"
#include "lane/adopted_socket.hpp"
#include "ringlet/error.hpp"
#include "socket/easy_stream.hpp"
#include "socket/plain_stream.hpp"
#include "socket/private_cache.hpp"
#include "transfer/connect_only.hpp"
#include "value/url.hpp"

#include <utility>

namespace ringlet::detail {
namespace {

// No request ever has this key, and a socket's connection never goes idle.
constexpr std::string_view no_requests = "socket=1\n";

std::string url_of(std::string_view scheme, std::string_view host, const std::string& port) {
    const bool bare_v6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
    std::string url(scheme);
    url.append("://")
        .append(bare_v6 ? "[" : "")
        .append(host)
        .append(bare_v6 ? "]" : "")
        .append(port)
        .append("/");
    if (host.empty() || host.find_first_of("/?#@") != std::string_view::npos) {
        throw Error(Errc::invalid_argument, "socket: \"" + redacted(host) + "\" is not a host");
    }
    return url;
}

AcquireLimits acquire_limits(const StreamLimits& limits) {
    AcquireLimits acquire;
    acquire.deadline = limits.deadline;
    acquire.stop = limits.stop;
    acquire.fresh = true;
    return acquire;
}

ConnectPlan plan_for(std::string url, WireOptions wire, const StreamLimits& limits) {
    ConnectPlan plan;
    plan.url = std::move(url);
    plan.wire = std::move(wire);
    plan.deadline = limits.deadline;
    plan.stop = limits.stop;
    return plan;
}

}  // namespace

WireOptions tls_wire(const TlsOptions& options) {
    WireOptions wire;
    if (!options.ca_file.empty()) wire.ca_file = options.ca_file.string();
    if (!options.ca_blob.empty()) wire.ca_blob = options.ca_blob;
    wire.verify_tls = options.verify;
    if (!options.pinned_key.empty()) wire.pinned_key = options.pinned_key;
    if (!options.certificate.empty()) {
        wire.client_certificate = ClientCertificate{options.certificate.string(), options.key.string(), {}};
    }
    return wire;
}

std::string tls_url(std::string_view host) {
    auto url = url_of("https", host, {});
    (void)Url::parse(url);
    return url;
}

std::unique_ptr<Stream> dial(std::string_view host, std::uint16_t port, const SocketOptions& options,
                             const std::shared_ptr<Cache>& cache, const StreamLimits& limits) {
    if (port == 0) throw Error(Errc::invalid_argument, "Socket::connect: port 0");
    const auto url = Url::parse(url_of(options.tls ? "https" : "http", host, ':' + std::to_string(port)));
    auto wire = options.tls ? tls_wire(options.tls_options) : WireOptions{};
    wire.proxy = options.proxy;
    const bool proxied = options.proxy ? !options.proxy->empty() : proxy_in_environment();
    auto lease = cache->acquire(LaneKey(url.origin(), no_requests), acquire_limits(limits));
    auto plan = plan_for(url.text(), std::move(wire), limits);
    plan.tunnel = proxied;
    connect_only(lease, plan);
    if (options.tls || proxied) {
        return std::make_unique<EasyStream>(std::move(lease),
                                            !options.tls && !https_proxy_possible(plan.wire), nullptr);
    }
    Descriptor descriptor{take_descriptor(*lease), nullptr};
    descriptor.account = std::make_shared<Account>(std::move(lease));
    return std::make_unique<PlainStream>(std::move(descriptor));
}

std::unique_ptr<Stream> secured(Descriptor plain, const std::string& url, const WireOptions& tls,
                                const StreamLimits& limits) {
    const auto adopted = std::make_shared<AdoptedSocket>(plain.fd, AdoptedSocket::From::anywhere);
    const auto cache = private_cache();
    auto lease = cache->acquire(LaneKey(Url::parse(url).origin(), no_requests), acquire_limits(limits));
    lease->use_only(adopted);
    connect_only(lease, plan_for(url, tls, limits));
    return std::make_unique<EasyStream>(std::move(lease), false, std::move(plain.account));
}

}  // namespace ringlet::detail
