// Bounded memory: a large body read in steps is never held.
#include <malloc.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "support/fixture.hpp"
#include "support/nginx.hpp"
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
