// TLS options: authorities, client certificates, pins, versions, and what a bad certificate does.
#include <openssl/tls1.h>
#include <catch2/catch_test_macros.hpp>

#include <mutex>
#include <string>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/temp_dir.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

OriginOptions with(Certificate certificate = {}) {
    OriginOptions options;
    options.tls = true;
    options.certificate = std::move(certificate);
    return options;
}

Script hello() {
    return respond_with(reply("hello"));
}

Errc error_of(Session& session, const std::string& url) {
    return outcome_of([&] { session.get(url).text(); }).code;
}

}  // namespace

TEST_CASE("a server's certificate must be good", "[wire][tls]") {
    Client client;
    client.session.ca_blob(ca());
    CertificateOptions expired, future, other_name;
    expired.expired = true;
    future.not_yet_valid = true;
    other_name.names = {"other.test"};
    other_name.ips = {};
    const TestCa stranger("a stranger");
    for (const auto& certificate : {TestCa::instance().issue(expired), TestCa::instance().issue(future),
                                    TestCa::instance().issue(other_name), self_signed(), stranger.issue()}) {
        Origin origin(hello(), with(certificate));
        const auto outcome = outcome_of([&] { client.session.get(origin.url()); });
        CHECK(outcome.code == Errc::tls);
        CHECK(outcome.phase == Phase::tls);
        CHECK(outcome.native_code != 0);
        CHECK(origin.request_count() == 0);
        Session careless(client.cache);
        careless.verify_tls(false);
        CHECK(careless.get(origin.url()).text() == "hello");
    }
    CHECK(client.at_rest());
}

TEST_CASE("authorities of a session replace the system's", "[wire][tls]") {
    const TempDir directory;
    Origin origin(hello(), with());
    Client client;
    CHECK(error_of(client.session, origin.url()) == Errc::tls);
    client.session.ca_file(TestCa::instance().write_to(directory.path()));
    CHECK(error_of(client.session, origin.url()) == Errc{});
    Session missing(client.cache);
    missing.ca_file(directory / "missing.crt");
    CHECK(error_of(missing, origin.url()) == Errc::tls);
    Session nonsense(client.cache);
    nonsense.ca_blob("this is no certificate");
    CHECK(error_of(nonsense, origin.url()) == Errc::tls);
}

TEST_CASE("a client shows its certificate to who asks for it", "[wire][tls]") {
    const TempDir directory;
    CertificateOptions me;
    me.common_name = "a client";
    me.for_client = true;
    TestCa::instance().issue(me).write_to(directory.path(), "client");
    auto options = with();
    options.client_ca_pem = ca();
    std::mutex mutex;
    std::vector<std::string> shown;
    Origin origin(
        [&](Connection& connection) {
            {
                const std::lock_guard lock(mutex);
                shown.push_back(connection.client_certificate());
            }
            hello()(connection);
        },
        options);
    Client client;
    client.session.ca_blob(ca());
    const auto refused = error_of(client.session, origin.url());
    CHECK((refused == Errc::tls || refused == Errc::connection_lost));
    client.session.client_certificate(directory / "client.crt", directory / "client.key");
    CHECK(client.session.get(origin.url()).text() == "hello");
    {
        const std::lock_guard lock(mutex);
        REQUIRE(shown.size() == 1);
        CHECK(shown[0].find("a client") != std::string::npos);
    }
    Session missing(client.cache);
    missing.ca_blob(ca()).client_certificate(directory / "none.crt", directory / "none.key");
    CHECK(error_of(missing, origin.url()) == Errc::tls);
    CHECK(client.at_rest());
}

TEST_CASE("TLS versions can be bounded on both sides", "[wire][tls]") {
    auto old = with();
    old.max_tls_version = TLS1_2_VERSION;
    Origin origin(hello(), old);
    Client client;
    client.session.ca_blob(ca()).tls_version(TlsVersion::v1_3);
    CHECK(error_of(client.session, origin.url()) == Errc::tls);
    client.session.tls_version(TlsVersion::v1_2);
    CHECK(error_of(client.session, origin.url()) == Errc{});
    client.session.tls_version(TlsVersion::v1_2, TlsVersion::v1_2);
    CHECK(error_of(client.session, origin.url()) == Errc{});
    client.session.tls_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384");
    CHECK(error_of(client.session, origin.url()) == Errc{});
    client.session.tls_ciphers("no such cipher");
    CHECK(error_of(client.session, origin.url()) == Errc::tls);
    CHECK(client.at_rest());
}

TEST_CASE("TLS sessions are resumed over connections of one cache", "[wire][tls]") {
    Origin origin(hello(), with());
    Client client([](ConnectionCache::Builder& b) { b.max_idle(0); });
    client.session.ca_blob(ca());
    for (int i = 0; i < 3; ++i) CHECK(client.session.get(origin.url()).text() == "hello");
    CHECK(origin.accepts() == 3);
    CHECK(origin.snapshot().resumed_sessions >= 1);
    // ... and not by a session that trusts others.
    Session distrusting(client.cache);
    CHECK(error_of(distrusting, origin.url()) == Errc::tls);
}
