// ringlet/curl.h: functions of libcurl that the drop-in does not touch, on handles whose transfers it ran.
#include <string>

#include "compat/easy_handle.hpp"
#include "support/origin.hpp"

namespace {

using namespace ringlet;
using namespace ringlet::test;

TEST_CASE("curl_easy_header finds the fields of a pooled transfer", "[compat]") {
    emptied_cache();
    const Origin origin(respond_with(reply("x", 200, "X-One: first\r\nX-One: second\r\n")));
    EasyHandle easy(origin.url());
    for (int i = 0; i < 2; ++i) {
        CHECK(easy.perform() == CURLE_OK);
        curl_header* field = nullptr;
        REQUIRE(curl_easy_header(easy.get(), "x-one", 1, CURLH_HEADER, -1, &field) == CURLHE_OK);
        CHECK(field->value == std::string("second"));
        CHECK(field->amount == 2);
        int fields = 0;
        for (field = nullptr; (field = curl_easy_nextheader(easy.get(), CURLH_HEADER, -1, field)) != nullptr;)
            ++fields;
        CHECK(fields == 3);
    }
    CHECK(origin.accepts() == 1);
}

struct Pausing {
    CURL* easy = nullptr;
    std::string body;
    int paused = 0, resumed = 0;

    static std::size_t write(char* data, std::size_t size, std::size_t n, void* self) {
        auto& me = *static_cast<Pausing*>(self);
        if (me.paused == me.resumed && me.paused < 3) {
            ++me.paused;
            return CURL_WRITEFUNC_PAUSE;
        }
        me.body.append(data, size * n);
        return size * n;
    }
    static int progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        auto& me = *static_cast<Pausing*>(self);
        if (me.paused == me.resumed) return 0;
        ++me.resumed;
        return curl_easy_pause(me.easy, CURLPAUSE_CONT) == CURLE_OK ? 0 : 1;
    }
};

TEST_CASE("a transfer pauses and goes on, by its callbacks", "[compat]") {
    emptied_cache();
    const std::string large(200'000, 'p');
    const Origin origin(respond_with(reply(large)));
    for (int i = 0; i < 2; ++i) {
        EasyHandle easy(origin.url());
        Pausing pausing;
        pausing.easy = easy.get();
        easy.set(CURLOPT_WRITEFUNCTION, &Pausing::write);
        easy.set(CURLOPT_WRITEDATA, &pausing);
        easy.set(CURLOPT_XFERINFOFUNCTION, &Pausing::progress);
        easy.set(CURLOPT_XFERINFODATA, &pausing);
        easy.set(CURLOPT_NOPROGRESS, 0L);
        CHECK(easy.perform() == CURLE_OK);
        CHECK(pausing.body == large);
        CHECK(pausing.resumed == 3);
    }
    CHECK(origin.accepts() == 1);
}

TEST_CASE("curl_easy_upkeep, escape and mime take a handle between two transfers", "[compat]") {
    emptied_cache();
    const Origin origin(handler([](const Recorded& r) { return reply(r.target + ' ' + r.method); }));
    EasyHandle easy(origin.url("/first"));
    CHECK(easy.perform() == CURLE_OK);
    CHECK(curl_easy_upkeep(easy.get()) == CURLE_OK);
    char* const name = curl_easy_escape(easy.get(), "a b", 0);
    REQUIRE(name != nullptr);
    curl_mime* const form = curl_mime_init(easy.get());
    curl_mimepart* const part = curl_mime_addpart(form);
    CHECK(curl_mime_data(part, "value", CURL_ZERO_TERMINATED) == CURLE_OK);
    CHECK(curl_mime_name(part, "field") == CURLE_OK);
    easy.set(CURLOPT_MIMEPOST, form);
    easy.set(CURLOPT_URL, origin.url('/' + std::string(name)).c_str());
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.body == "/a%20b POST");
    CHECK(origin.requests().back().body.find("value") != std::string::npos);
    CHECK(origin.accepts() == 1);
    easy.cleanup();
    curl_mime_free(form);
    curl_free(name);
}

}  // namespace
