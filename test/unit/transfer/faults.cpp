// Each libcurl call of each flow fails once: what comes out is the very answer that comes without that, an
// Error or std::bad_alloc, and no slot is lost.
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/temp_dir.hpp"
#include "unit/transfer/faulty_curl.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

std::string what_the_server_got(const Recorded& request) {
    std::string text = request.method + ' ' + request.body;
    for (const auto* name : {"X-A", "Authorization", "User-Agent", "Cookie", "Content-Type"}) {
        auto value = request.header(name).value_or("-");
        if (const auto boundary = value.find("boundary="); boundary != value.npos) value.resize(boundary);
        text += '|' + value;
    }
    return text;
}

// Of a form, whose boundary is drawn anew each time: without its lines.
std::string without_boundaries(std::string text) {
    for (auto at = text.find("--"); at != text.npos; at = text.find("--", at))
        text.erase(at, text.find('\n', at) - at);
    return text;
}

std::string answer(const Recorded& request) {
    if (request.target == "/moved") return reply("there", 302, "Location: /end\r\n");
    if (request.target == "/busy") return reply("busy", 503, "Retry-After: 0\r\n");
    if (request.target == "/none") return "HTTP/1.1 204 No Content\r\n\r\n";
    if (request.target == "/chunked") return chunked_reply({"one", "two"}, 200, "Set-Cookie: a=b\r\n");
    if (request.target == "/echo") return reply(what_the_server_got(request));
    if (request.target == "/large") return reply(std::string(1 << 20, 'l'));
    return request.method == "HEAD" ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" : reply("ok");
}

struct Flow {
    const char* name;
    std::function<std::string(Client&, const Origin&)> run;  // all that was read
    bool tls = false;
};

RetryPolicy twice() {
    RetryPolicy policy;
    policy.attempts = 2;
    policy.backoff = std::chrono::milliseconds(0);
    return policy;
}

std::string in_pieces(Response response) {
    std::string all;
    for (const auto piece : response.chunks())
        all.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return all;
}

std::string content(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<Flow> flows(const TempDir& directory) {
    return {
        {"two GETs",
         [](Client& c, const Origin& o) {
             return c.session.get(o.url()).text() + c.session.get(o.url("/chunked")).text();
         }},
        {"POST of text",
         [](Client& c, const Origin& o) { return c.session.post(o.url("/echo"), "body").text(); }},
        {"PUT of a source",
         [](Client& c, const Origin& o) {
             int left = 3;
             return c.session
                 .put(o.url("/echo"), Body::pull([&](std::span<std::byte> to) -> std::size_t {
                          if (left-- == 0) return 0;
                          to[0] = std::byte{'x'};
                          return 1;
                      }))
                 .text();
         }},
        {"multipart, then HEAD",
         [](Client& c, const Origin& o) {
             auto text = c.session
                             .send(Request::post(o.url("/echo"))
                                       .multipart({{.name = "a", .data = "1", .content_type = "text/plain"},
                                                   {.name = "b", .data = "2", .filename = "f"}}))
                             .text();
             return without_boundaries(std::move(text)) + std::to_string(c.session.head(o.url()).status());
         }},
        {"redirect", [](Client& c, const Origin& o) { return c.session.get(o.url("/moved")).text(); }},
        {"retry",
         [](Client& c, const Origin& o) {
             return c.session.send(Request::get(o.url("/busy")).retry(twice())).text();
         }},
        {"half read and dropped",
         [](Client& c, const Origin& o) {
             auto response = c.session.get(o.url("/large"));
             return read_bytes(response, 1000);
         }},
        {"saved to a file",
         [&](Client& c, const Origin& o) {
             c.session.get(o.url("/large")).save_to(directory / "saved");
             return content(directory / "saved");
         }},
        {"settings, cookies, progress",
         [](Client& c, const Origin& o) {
             c.session.cookies(true).header("X-A", "b").basic_auth("u", "p").user_agent("t").timeout(20s);
             c.session.progress([](const Progress&) {});
             auto text = c.session.get(o.url("/chunked")).text() + c.session.get(o.url("/echo")).text();
             c.session.get(o.url()).consume();
             return text + std::to_string(c.session.get(o.url("/none")).status());
         }},
        {"pieces, and two sessions on one lane",
         [](Client& c, const Origin& o) {
             auto text = in_pieces(c.session.get(o.url("/large")));
             Session other{c.cache};
             other.header("X-A", "1").max_body_size(100);
             return text + other.get(o.url("/echo")).text();
         }},
        {"TLS",
         [](Client& c, const Origin& o) {
             c.session.ca_blob(TestCa::instance().pem()).tls_version(TlsVersion::v1_2);
             return c.session.get(o.url()).text() + c.session.get(o.url()).text();
         },
         true},
    };
}

// Runs the flow with the n-th call failing; false when it has fewer calls. The first run, without a failure,
// says what the others must get.
bool run_once(const Flow& flow, const Origin& origin, std::size_t n, std::optional<std::string>& expected) {
    std::string other_exception;
    const char* failed = "";
    Client* client = nullptr;
    std::unique_ptr<Client> owned;
    std::optional<std::string> got;
    {
        const FaultyCurl faulty(n);
        try {
            owned = std::make_unique<Client>([](auto& b) { b.watch_idle(false); });
            client = owned.get();
            got = flow.run(*client, origin);
        } catch (const Error&) {
        } catch (const std::bad_alloc&) {
        } catch (const std::exception& e) {
            other_exception = e.what();
        }
        failed = faulty.failed();
    }
    INFO(flow.name << ": call " << n << ", " << failed);
    CHECK(other_exception.empty());
    if (got && !expected) expected = got;
    if (got) CHECK((*got == *expected));
    if (client != nullptr) {
        CHECK(client->at_rest(1s));
        Session plain{client->cache};
        if (flow.tls) plain.ca_blob(TestCa::instance().pem());
        const auto after =
            outcome_of([&] { CHECK(plain.send(Request::get(origin.url()).timeout(10s)).text() == "ok"); });
        CAPTURE(after.message);
        CHECK_FALSE(after.threw);
        CHECK(client->at_rest(1s));
    }
    return *failed != '\0';
}

}  // namespace

TEST_CASE("whichever libcurl call fails, a request ends in order and its slot comes back",
          "[transfer][faults]") {
    const TempDir directory;
    for (const auto& flow : flows(directory)) {
        DYNAMIC_SECTION(flow.name) {
            OriginOptions options;
            options.tls = flow.tls;
            Origin origin(handler(answer), options);
            std::optional<std::string> expected;
            constexpr std::size_t none = 1'000'000;
            CHECK_FALSE(run_once(flow, origin, none, expected));
            REQUIRE(expected);
            std::size_t n = 1;
            while (run_once(flow, origin, n, expected)) ++n;
            CHECK(n > 20);
            for (const auto& request : origin.requests()) {
                // Nothing of a failed request may be left on its lane: the follow-up is a plain GET.
                if (request.target == "/" && request.method == "GET") CHECK(request.body_size == 0);
            }
            CHECK(std::filesystem::is_empty(directory.path()) ==
                  (std::string_view(flow.name) != "saved to a file"));
        }
    }
}
