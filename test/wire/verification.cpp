// What a certificate must be for a request to be sent: the quick CA set-up decides as libcurl's own does.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <ringlet/ringlet.hpp>

#include <string>
#include <vector>

#include "support/origin.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace ringlet;
using test::CertificateOptions;
using test::Origin;
using test::OriginOptions;
using test::TestCa;

Origin secure_origin(const test::Certificate& certificate) {
    OriginOptions options;
    options.tls = true;
    options.certificate = certificate;
    return Origin(test::respond_with(test::reply("verified")), options);
}

/// What a request comes to with these authorities: "" when it was answered.
std::string outcome(const Origin& origin, const std::function<void(Session&)>& trust) {
    ConnectionCache cache;
    Session session(cache);
    trust(session);
    std::error_code ec;
    auto response = session.get(origin.url(), ec);
    if (!ec) return response.text() == "verified" ? "" : "another body";
    CHECK(origin.request_count() == 0);  // not a byte for a peer that is not verified
    return ec == Errc::tls ? "tls" : ec.message();
}

/// The same authorities as a file, as text, and as the hashed directory that is the default on OpenSSL.
std::vector<std::function<void(Session&)>> ways_to_trust(const test::TempDir& dir, const TestCa& ca) {
    const auto file = ca.write_to(dir.path()).string();
    const auto hashed = dir.path() / "hashed";
    std::filesystem::create_directory(hashed);
    test::write_hashed_directory(hashed, {ca.pem()});
    return {[file](Session& session) { session.ca_file(file); },
            [pem = ca.pem()](Session& session) { session.ca_blob(pem); },
            [hashed = hashed.string()](Session& session) { session.setopt(CURLOPT_CAPATH, hashed); }};
}

TEST_CASE("a certificate of a trusted authority is good in every way to trust", "[wire][tls]") {
    const test::TempDir dir;
    const auto origin = secure_origin(TestCa::instance().issue());
    for (const auto& trust : ways_to_trust(dir, TestCa::instance())) CHECK(outcome(origin, trust).empty());
}

TEST_CASE("a certificate that is not good fails in every way to trust", "[wire][tls]") {
    const auto& ca = TestCa::instance();
    const TestCa stranger("another CA");
    CertificateOptions wrong_host, expired, future;
    wrong_host.names = {"elsewhere.example"};
    wrong_host.ips = {};
    expired.expired = true;
    future.not_yet_valid = true;
    for (const auto& bad :
         {stranger.issue(), ca.issue(wrong_host), ca.issue(expired), ca.issue(future), test::self_signed()}) {
        const test::TempDir dir;
        const auto origin = secure_origin(bad);
        for (const auto& trust : ways_to_trust(dir, ca)) CHECK(outcome(origin, trust) == "tls");
    }
}

TEST_CASE("without a setting the system's authorities count, and they do not know the test's",
          "[wire][tls]") {
    const auto origin = secure_origin(TestCa::instance().issue());
    CHECK(outcome(origin, [](Session&) {}) == "tls");
}

TEST_CASE("a CA directory that is not there verifies nothing", "[wire][tls]") {
    const test::TempDir dir;
    const auto origin = secure_origin(TestCa::instance().issue());
    const auto missing = (dir.path() / "missing").string();
    CHECK(outcome(origin, [&](Session& session) { session.setopt(CURLOPT_CAPATH, missing); }) == "tls");
}

TEST_CASE("the name of a file that is not there is told whole", "[wire][tls]") {
    const auto origin = secure_origin(TestCa::instance().issue());
    const test::TempDir dir;
    const auto missing = dir.path() / "team@site.pem";
    Session session{ConnectionCache{}};
    const bool is_key = GENERATE(true, false);  // libcurl puts a key's name in quotes
    CAPTURE(is_key);
    const auto ca = TestCa::instance().write_to(dir.path());
    if (is_key)
        session.ca_file(ca).client_certificate(ca, missing);
    else
        session.ca_file(missing);
    std::string words;
    try {
        session.get(origin.url()).consume();
    } catch (const Error& error) {
        words = error.what();
    }
    INFO(words);
    CHECK(words.find(missing.string()) != std::string::npos);
}

TEST_CASE("a resumed TLS session is as verified as the first one", "[wire][tls]") {
    const test::TempDir dir;
    const auto file = TestCa::instance().write_to(dir.path()).string();
    const auto origin = secure_origin(TestCa::instance().issue());
    Session session(ConnectionCache::builder().max_idle(0).build());
    session.ca_file(file);
    for (int i = 0; i < 4; ++i) CHECK(session.get(origin.url()).text() == "verified");
    CHECK(origin.accepts() == 4);
    CHECK(origin.snapshot().resumed_sessions >= 1);
    Session distrustful(session.cache());  // the same sessions are at hand: they are not its own
    std::error_code ec;
    distrustful.get(origin.url(), ec);
    CHECK(ec == Errc::tls);
}

}  // namespace
