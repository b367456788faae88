// Url::retarget(): the short way to a URL must lead to the same one.
#include <catch2/catch_test_macros.hpp>

#include <string>

#include "curl/api.hpp"
#include "value/url.hpp"

namespace {

using namespace ringlet::detail;

std::string part(const Url& url, CURLUPart what) {
    char* text = nullptr;
    if (curl().url_get(url.handle(), what, &text, 0) != CURLUE_OK) return "none";
    const std::string copy(text);
    curl().free(text);
    return copy;
}

TEST_CASE("a URL that differs in path and query alone becomes what parsing makes of it", "[url]") {
    const std::string base = "http://user:secret@Example.com:8080";
    for (const std::string before : {"", "/", "/a?b=c", "?q=1", "/x/y/z"}) {
        for (const std::string after : {"/", "/items/1?page=2", "/a/b;c=d", "/a//b", "//a", "/q?x=/../y",
                                        "/a.b/c..d", "/~a@b:c!$&'()*+,"}) {
            CAPTURE(before, after);
            auto url = Url::parse(base + before);
            REQUIRE(url.retarget(base + after));
            const auto parsed = Url::parse(base + after);
            CHECK(url.text() == parsed.text());
            CHECK(url.origin() == parsed.origin());
            CHECK(url.has_user_info());
            for (const auto what :
                 {CURLUPART_URL, CURLUPART_PATH, CURLUPART_QUERY, CURLUPART_HOST, CURLUPART_PORT})
                CHECK(part(url, what) == part(parsed, what));
        }
    }
}

TEST_CASE("a URL that needs a parser is left to it", "[url]") {
    const std::string base = "http://example.com";
    for (const std::string after :
         {"/a b", "/a#b", "/a%41", "/a/../b", "/./a", "/a/.", "/a\\b", "/a?", "/a?b?c", "/a\tb", "/\xc3\xa4",
          "?a", "", "#a", ".evil.example/", "@evil.example/", ":81/"}) {
        CAPTURE(after);
        auto url = Url::parse(base + "/before");
        CHECK_FALSE(url.retarget(base + after));
        CHECK(url.text() == base + "/before");
    }
}

TEST_CASE("a URL with another authority, scheme or case of it is left to the parser", "[url]") {
    for (const std::string other :
         {"https://example.com/", "http://example.org/", "http://example.com:80/", "http://EXAMPLE.com/",
          "http://example.co/", "http://u@example.com/", "example.com/", "/relative"}) {
        CAPTURE(other);
        auto url = Url::parse("http://example.com/before");
        CHECK_FALSE(url.retarget(other));
    }
    auto with_fragment = Url::parse("http://example.com/a#b");
    CHECK_FALSE(with_fragment.retarget("http://example.com/c"));
}

}  // namespace
