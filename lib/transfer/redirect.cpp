#include "transfer/redirect.hpp"

#include "curl/raw_options.hpp"

#include <utility>

namespace ringlet::detail {
namespace {

bool becomes_get(std::string_view method, int status) noexcept {
    if (status == 303) return method != "GET" && method != "HEAD";
    return (status == 301 || status == 302) && method == "POST";
}

void drop_fields(Headers& headers, std::initializer_list<std::string_view> names) {
    for (const auto name : names) headers.remove(name);
}

}  // namespace

bool is_redirect(const Head& head) noexcept {
    switch (head.status()) {
        case 301:
        case 302:
        case 303:
        case 307:
        case 308:
            break;
        default:
            return false;
    }
    const auto location = head.field("Location");
    return location && !location->empty();
}

Redirection redirect(std::string_view method, const Url& from, const std::shared_ptr<const Options>& options,
                     int status, std::string_view location) {
    Redirection next;
    auto url = Url::parse(location, from);
    const bool same_origin = url.origin() == from.origin();
    if (same_origin) url.keep_user_of(from);
    next.url = std::make_shared<const Url>(std::move(url));
    next.to_get = becomes_get(method, status);
    if (same_origin && !next.to_get) {
        next.options = options;
        return next;
    }
    auto changed = std::make_shared<Options>(*options);
    if (next.to_get)
        drop_fields(changed->headers,
                    {"Content-Type", "Content-Length", "Content-Encoding", "Content-Language",
                     "Content-Location", "Transfer-Encoding", "Expect"});
    if (!same_origin) {
        drop_fields(changed->headers, {"Authorization", "Cookie", "Cookie2", "Proxy-Authorization", "Host"});
        if (changed->wire.credentials || changed->wire.bearer) {
            changed->wire.credentials.reset();
            changed->wire.bearer.reset();
            changed->touch_wire();
        }
        if (changed->wire.raw) {
            changed->wire.raw = changed->wire.raw->without_credentials();
            changed->touch_wire();
        }
    }
    changed->touch_headers();
    next.options = std::move(changed);
    return next;
}

}  // namespace ringlet::detail
