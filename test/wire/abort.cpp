// abort(): giving up on purpose frees the session and closes the connection, and nobody is warned.
#include <catch2/catch_test_macros.hpp>

#include <string>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

TEST_CASE("after abort() the session is free while the response lives", "[wire][abort]") {
    Origin origin(respond_with(reply(std::string(1'000'000, 'x'))));
    Client client;
    auto first = client.session.get(origin.url());
    CHECK(read_bytes(first, 10).size() == 10);
    CHECK(outcome_of([&] { client.session.get(origin.url()); }).code == Errc::session_busy);
    first.abort();
    first.abort();
    CHECK(first.body_state() == BodyState::abandoned);
    REQUIRE(first.disposition());
    CHECK(first.disposition()->reason == CloseReason::unread_body);
    auto second = client.session.get(origin.url());
    CHECK(second.text().size() == 1'000'000);
    CHECK(outcome_of([&] { first.text(); }).threw);
    CHECK(origin.accepts() == 2);
    CHECK(origin.wait_for_ends(1));
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
}
