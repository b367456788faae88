#include "transfer/connect_only.hpp"

#include "curl/apply_options.hpp"
#include "curl/proxy_environment.hpp"
#include "lane/adopted_socket.hpp"
#include "lane/lane.hpp"
#include "ringlet/error.hpp"
#include "transfer/failure.hpp"
#include "value/url.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace ringlet::detail {
namespace {

Error connect_error(Lane& lane, const ConnectPlan& plan, CURLcode result) {
    ErrorDetails details;
    details.native_code = result;
    details.url = redacted(plan.url);
    details.remote_address = lane.attempted_address();
    auto code = errc_of(result, false);
    long answer = 0;
    curl().easy_getinfo(lane.easy(), CURLINFO_HTTP_CONNECTCODE, &answer);
    if (plan.tunnel && code == Errc::connection_lost) code = Errc::proxy;
    if (answer >= 300) code = Errc::proxy;
    details.phase = code == Errc::resolve ? Phase::resolve : code == Errc::tls ? Phase::tls : Phase::connect;
    details.retryable = code == Errc::resolve || code == Errc::connect || code == Errc::timeout;
    const auto why = "connect " + details.url + ": " + words_of(result, lane.error_text());
    return Error(code, why, std::move(details));
}

[[noreturn]] void give_up(const Lane& lane, const ConnectPlan& plan, Errc code, const char* why) {
    ErrorDetails details;
    details.url = redacted(plan.url);
    details.phase = Phase::connect;
    details.remote_address = lane.attempted_address();
    const auto message = "connect " + details.url + ": " + why;
    throw Error(code, message, std::move(details));
}

void check_interruptions(const Lane& lane, const ConnectPlan& plan) {
    if (plan.stop.stop_requested()) give_up(lane, plan, Errc::cancelled, "stopped by its stop token");
    if (lane.interrupted()) give_up(lane, plan, Errc::cancelled, "the cache was shut down");
    if (Clock::now() >= plan.deadline) give_up(lane, plan, Errc::timeout, "timed out");
}

void configure(Lane& lane, const ConnectPlan& plan) {
    if (lane.configured() != 0) lane.reset_easy();
    apply_options(lane.easy(), plan.wire);
    set_option(lane.easy(), CURLOPT_URL, plan.url.c_str(), "url");
    set_option(lane.easy(), CURLOPT_CONNECT_ONLY, 1L, "connect");
    // HTTP/2 would be negotiated, and what is spoken here is the caller's business.
    set_option(lane.easy(), CURLOPT_SSL_ENABLE_ALPN, 0L, "connect");
    set_option(lane.easy(), CURLOPT_HTTPPROXYTUNNEL, plan.tunnel ? 1L : 0L, "connect");
}

/// CURLE_OK, or why not.
CURLcode drive(Lane& lane, const ConnectPlan& plan) {
    const std::stop_callback wake(plan.stop, [&lane] { curl().multi_wakeup(lane.multi()); });
    while (true) {
        int running = 0, left = 0;
        if (curl().multi_perform(lane.multi(), &running) != CURLM_OK) return CURLE_OUT_OF_MEMORY;
        while (const CURLMsg* message = curl().multi_info_read(lane.multi(), &left)) {
            if (message->msg == CURLMSG_DONE) return message->data.result;
        }
        if (running == 0) return CURLE_COULDNT_CONNECT;
        check_interruptions(lane, plan);
        constexpr std::chrono::milliseconds longest_poll(60'000);
        auto wait = longest_poll;
        if (plan.deadline != Clock::time_point::max()) {
            wait = std::min(wait, std::chrono::ceil<std::chrono::milliseconds>(plan.deadline - Clock::now()));
        }
        curl().multi_poll(lane.multi(), nullptr, 0, std::max(static_cast<int>(wait.count()), 0), nullptr);
        check_interruptions(lane, plan);
    }
}

/// Of several that were opened (one attempt for each address), the one that is connected as the lane says.
int connected_descriptor(Lane& lane) {
    const auto& all = lane.sockets().all();
    if (all.size() <= 1) return lane.socket();
    const auto found = std::find_if(all.begin(), all.end(), [&](const SocketWatch::Entry& entry) {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        char host[64] = "", port[8] = "";
        auto* const generic = reinterpret_cast<sockaddr*>(&address);
        return ::getsockname(entry.fd, generic, &size) == 0 &&
               ::getnameinfo(generic, size, host, sizeof host, port, sizeof port,
                             NI_NUMERICHOST | NI_NUMERICSERV) == 0 &&
               lane.local().port == std::atoi(port) && std::string_view(lane.local().ip) == host;
    });
    return found == all.end() ? lane.socket() : found->fd;
}

}  // namespace

void connect_only(Lease& lease, const ConnectPlan& plan) {
    auto& lane = *lease;
    configure(lane, plan);
    if (curl().multi_add_handle(lane.multi(), lane.easy()) != CURLM_OK) {
        throw Error(Errc::connect, "libcurl does not take the request to connect");
    }
    try {
        const auto result = drive(lane, plan);
        if (result != CURLE_OK) throw connect_error(lane, plan, result);
    } catch (...) {
        curl().multi_remove_handle(lane.multi(), lane.easy());
        throw;
    }
    lease.cache()->connected(lease);
}

int take_descriptor(Lane& lane) {
    const int inside = connected_descriptor(lane);
    if (inside < 0) throw Error(Errc::connection_lost, "the connection has ended");
    const int own = detach_descriptor(inside);
    curl().easy_setopt(lane.easy(), CURLOPT_FORBID_REUSE, 1L);
    curl().multi_remove_handle(lane.multi(), lane.easy());
    curl().easy_setopt(lane.easy(), CURLOPT_FORBID_REUSE, 0L);
    lane.sockets().forget_all();
    return own;
}

bool https_proxy_possible(const WireOptions& wire) {
    const auto is_https = [](std::string_view proxy) { return proxy_scheme(proxy) == "https"; };
    if (wire.proxy) return is_https(*wire.proxy);
    return is_https(environment_proxy(false)) || is_https(environment_proxy(true));
}

}  // namespace ringlet::detail
