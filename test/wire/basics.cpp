#include <catch2/catch_test_macros.hpp>
#include <ringlet/ringlet.hpp>

#include "support/origin.hpp"

namespace {

using namespace ringlet;
using test::Origin;

TEST_CASE("C001 two sequential requests share one connection", "[wire][C001]") {
    Origin origin(test::respond_with(test::reply("ok")));
    ConnectionCache cache;
    Session session(cache);
    CHECK(session.get(origin.url()).text() == "ok");
    auto second = session.get(origin.url());
    CHECK(second.reused());
    CHECK(second.text() == "ok");
    CHECK(origin.accepts() == 1);
    const auto stats = cache.stats();
    CHECK(stats.idle == 1);
    CHECK(stats.opened == 1);
    CHECK(stats.reused == 1);
    CHECK(stats.leased == 0);
}

}  // namespace
