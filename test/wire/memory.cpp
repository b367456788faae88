// Bounded memory: a large body read in steps is never held.
#include <malloc.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "support/fixture.hpp"
#include "support/nginx.hpp"
#include "support/posix.hpp"
#include "support/temp_dir.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

// Bytes of the heap in use, mapped pieces included.
std::size_t heap() {
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

}  // namespace

TEST_CASE("a body of 100 MiB read in steps of 64 KiB holds at most 1 MiB", "[wire][memory]") {
    if (!Nginx::available()) SKIP("nginx is not installed");
    Nginx nginx;
    using Spoken = ringlet::test::Protocol;
    for (const auto protocol : {Spoken::http, Spoken::https, Spoken::h2, Spoken::h2c}) {
        INFO("protocol " << static_cast<int>(protocol));
        Client client;
        client.session.ca_blob(TestCa::instance().pem());
        if (protocol == Spoken::h2c) client.session.http_version(HttpVersion::http_2_prior_knowledge);
        std::vector<std::byte> step(64 * 1024);
        client.session.get(nginx.url(protocol, "/size/1m")).consume();  // buffers are made
        const auto before = heap();
        auto response = client.session.get(nginx.url(protocol, "/size/100m"));
        std::size_t total = 0, most = 0, reads = 0;
        while (const auto n = response.read(step)) {
            total += n;
            if (++reads % 16 == 0) most = std::max(most, heap());
        }
        CHECK(total == std::size_t{100} << 20);
        CHECK(most < before + (std::size_t{1} << 20));
        CHECK(client.cache.stats().idle == 1);
    }
}

TEST_CASE("ten thousand origins in turn leave 128 idle connections, the latest, and no more memory",
          "[wire][memory]") {
    if (!Nginx::available()) SKIP("nginx is not installed");
    Nginx nginx;
    const auto port =
        nginx.url(ringlet::test::Protocol::http, "").substr(std::string_view("http://127.0.0.1:").size());
    const auto origin = [&](int i) { return "http://o" + std::to_string(i) + ".localhost:" + port; };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    constexpr int origins = 1000;  // and what their heap holds says nothing
    constexpr std::size_t may_grow = SIZE_MAX / 2;
#else
    constexpr int origins = 10'000;
    constexpr std::size_t may_grow = 256 << 10;
#endif
    const auto cache = ConnectionCache::builder().max_idle(128).build();
    Session session(cache);
    session.ip_version(IpVersion::v4);
    std::size_t heap_before = 0, descriptors_before = 0;
    for (int i = 0; i < origins; ++i) {
        if (i == origins / 5) {
            heap_before = heap();
            descriptors_before = open_descriptors();
        }
        session.get(origin(i) + "/small").consume();
    }
    CHECK(heap() < heap_before + may_grow);
    CHECK(open_descriptors() <= descriptors_before);
    const auto stats = cache.stats();
    CHECK(stats.open == 128);
    CHECK(stats.opened == origins);
    CHECK(stats.closed_by[CloseReason::over_limit] == origins - 128);
    std::set<std::string> left, latest;
    for (const auto& connection : cache.connections()) left.insert(connection.origin);
    for (int i = origins - 128; i < origins; ++i) latest.insert(origin(i));
    CHECK(left == latest);
}
