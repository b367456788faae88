// What the replay guard can tell of a connection that has died.
#include "transfer/socket_ear.hpp"
#include "lane/byte_tally.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

using ringlet::detail::ByteTally;
using ringlet::detail::SocketEar;

namespace {

// Two ends of a TCP connection.
class Pair {
  public:
    Pair() {
        const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* const generic = reinterpret_cast<sockaddr*>(&address);
        socklen_t size = sizeof address;
        REQUIRE(::bind(listener, generic, size) == 0);
        REQUIRE(::listen(listener, 1) == 0);
        REQUIRE(::getsockname(listener, generic, &size) == 0);
        near_ = ::socket(AF_INET, SOCK_STREAM, 0);
        REQUIRE(::connect(near_, generic, size) == 0);
        far_ = ::accept(listener, nullptr, nullptr);
        REQUIRE(far_ >= 0);
        ::close(listener);
    }
    ~Pair() {
        ::close(near_);
        if (far_ >= 0) ::close(far_);
    }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    int near() const { return near_; }
    void ask(std::string_view request) const {
        REQUIRE(::send(near_, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
        std::string got(request.size(), '\0');
        REQUIRE(::recv(far_, got.data(), got.size(), MSG_WAITALL) == static_cast<ssize_t>(got.size()));
    }
    void answer(std::string_view bytes) const {
        if (bytes.empty()) return;
        REQUIRE(::send(far_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
        std::string got(bytes.size(), '\0');
        REQUIRE(::recv(near_, got.data(), got.size(), MSG_WAITALL) == static_cast<ssize_t>(got.size()));
    }
    void finish() {
        REQUIRE(::shutdown(far_, SHUT_WR) == 0);
        char none = 0;
        REQUIRE(::recv(near_, &none, 1, 0) == 0);
    }
    void reset() {
        const linger at_once{1, 0};
        REQUIRE(::setsockopt(far_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
        ::close(std::exchange(far_, -1));
        pollfd wanted{near_, 0, 0};  // an error is always looked for
        REQUIRE(::poll(&wanted, 1, 5000) == 1);
        REQUIRE((wanted.revents & POLLERR) != 0);
        char none = 0;
        REQUIRE(::recv(near_, &none, 1, 0) <= 0);  // as libcurl has
    }

  private:
    int near_ = -1, far_ = -1;
};

enum class End { none, fin, rst, fin_and_rst };

bool answered(const std::string& bytes, End end, bool tallied) {
    Pair pair;
    pair.answer("an earlier answer");
    SocketEar ear;
    if (tallied)
        ear.start_from(pair.near(), 17);
    else
        ear.start(pair.near(), false);
    CHECK(ear.received_before() == 17U);
    pair.ask("a request");
    pair.answer(bytes);
    if (end == End::fin || end == End::fin_and_rst) pair.finish();
    if (end == End::rst || end == End::fin_and_rst) pair.reset();
    ear.closing(pair.near());
    CHECK_FALSE(ear.received_before());
    CHECK_FALSE(ear.nothing_sent());
    return ear.answered();
}

}  // namespace

TEST_CASE("a byte of an answer is told from an end, by the kernel's count or by one of ours", "[ear]") {
    const bool tallied = GENERATE(false, true);
    CAPTURE(tallied);
    for (const auto end : {End::none, End::fin, End::rst, End::fin_and_rst}) {
        CAPTURE(end);
        CHECK_FALSE(answered("", end, tallied));
        CHECK(answered("HT", end, tallied));
        CHECK(answered("H", end, tallied));
    }
}

TEST_CASE("that nothing was sent is known from the kernel's count alone", "[ear]") {
    Pair pair;
    SocketEar ear;
    ear.start(pair.near(), false);
    ear.closing(pair.near());
    CHECK(ear.nothing_sent());
    CHECK_FALSE(ear.answered());
    ear.start_from(pair.near(), 0);
    ear.closing(pair.near());
    CHECK_FALSE(ear.nothing_sent());
    CHECK_FALSE(ear.answered());
}

TEST_CASE("another descriptor, or a connection given up, tells nothing", "[ear]") {
    Pair pair, other;
    SocketEar ear;
    ear.start_from(pair.near(), 0);
    pair.answer("some");
    ear.closing(other.near());
    CHECK_FALSE(ear.answered());
    ear.stop();
    CHECK_FALSE(ear.received_before());
    ear.closing(pair.near());
    CHECK_FALSE(ear.answered());
}

TEST_CASE("a tally is believed for a while after the kernel has agreed, and never after it has not",
          "[ear]") {
    ByteTally tally;
    CHECK_FALSE(tally.take());
    tally.note(100);
    CHECK_FALSE(tally.believed());
    CHECK(tally.take() == 100U);
    CHECK_FALSE(tally.take());
    for (int round = 0; round < 2; ++round) {
        tally.compare(100, 100);
        for (int i = 0; i < 15; ++i) CHECK(tally.believed());
        CHECK_FALSE(tally.believed());
    }
    tally.compare(100, 100);
    tally.compare(150, 151);
    CHECK_FALSE(tally.believed());
    tally.compare(200, 200);
    CHECK_FALSE(tally.believed());
}
