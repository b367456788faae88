// A request in the steady state allocates what its caller asked for and nothing else. An executable of its
// own: it replaces operator new.
#include <catch2/catch_test_macros.hpp>
#include <ringlet/ringlet.hpp>

#include <array>
#include <functional>
#include <string>

#include "support/origin.hpp"
#include "unit/cache/memory.hpp"

namespace {

using namespace ringlet;

const std::string body(100, 'b');  // too long for std::string's inner buffer: text() has to allocate once

/// Allocations of the thousandth request or so, on average.
double per_request(const std::function<void()>& request) {
    constexpr int warm_up = 50, counted = 200;
    for (int i = 0; i < warm_up; ++i) request();
    const auto before = test::allocations();  // this thread's: the server's own do not count
    for (int i = 0; i < counted; ++i) request();
    return static_cast<double>(test::allocations() - before) / counted;
}

struct Kept {
    test::Origin origin{
        test::respond_with(test::reply(body, 200, "Content-Type: text/plain\r\nServer: test\r\n"))};
    Session session{ConnectionCache()};
    std::string url = origin.url("/");
    ~Kept() { CHECK(origin.accepts() == 1); }
};

TEST_CASE("text() allocates the string that it returns", "[allocations]") {
    Kept kept;
    CHECK(per_request([&] { (void)kept.session.get(kept.url).text(); }) == 1);
}

TEST_CASE("read() into the caller's buffer allocates nothing", "[allocations]") {
    Kept kept;
    std::array<std::byte, 4096> buffer{};
    CHECK(per_request([&] {
              auto response = kept.session.get(kept.url);
              while (response.read(buffer) != 0) {
              }
          }) == 0);
}

TEST_CASE("consume() allocates nothing", "[allocations]") {
    Kept kept;
    CHECK(per_request([&] { kept.session.get(kept.url).consume(); }) == 0);
}

TEST_CASE("another path each time allocates nothing more", "[allocations]") {
    Kept kept;
    std::string url;
    url.reserve(200);
    unsigned n = 1000;
    CHECK(per_request([&] {
              url = kept.url;
              url.append("items/").append(std::to_string(n)).append("?page=").append(std::to_string(n));
              ++n;
              kept.session.get(url).consume();
          }) == 0);
}

TEST_CASE("two sessions in turn on one connection allocate nothing", "[allocations]") {
    Kept kept;
    Session other(kept.session.cache());
    other.timeout(std::chrono::seconds(60));
    CHECK(per_request([&] {
              kept.session.get(kept.url).consume();
              other.get(kept.url).consume();
          }) == 0);
}

}  // namespace
