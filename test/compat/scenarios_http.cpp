// Requests, answers, errors, redirects and authentication.
#include <string>
#include <string_view>
#include <vector>

#include "compat/scenario.hpp"

namespace ringlet::test {

std::vector<Scenario> verbs_and_bodies() {
    return {
        one("GET", "/x", nothing),
        // The server sends a body all the same: 7.88 skips it, 8.14 and 8.23 close.
        connects_again_since(0x080000, one("HEAD", "/x", [](Watched& h) { h.set(CURLOPT_NOBODY, 1L); })),
        one("POST", "/echo", [](Watched& h) { h.set(CURLOPT_POSTFIELDS, "a=1&b=2"); }),
        one("POST without a body", "/echo", [](Watched& h) { h.set(CURLOPT_POSTFIELDS, ""); }),
        one("POST of a large body", "/echo",
            [](Watched& h) { h.set(CURLOPT_COPYPOSTFIELDS, std::string(200'000, 'p').c_str()); }),
        one("POST read by a callback", "/echo",
            [](Watched& h) {
                h.set(CURLOPT_POST, 1L).upload(std::string(3000, 'u')).set(CURLOPT_POSTFIELDSIZE, 3000L);
            }),
        one("PUT", "/echo", [](Watched& h) { h.set(CURLOPT_UPLOAD, 1L).upload(std::string(5000, 'u')); }),
        one("PUT in chunks", "/echo",
            [](Watched& h) {
                h.set(CURLOPT_UPLOAD, 1L).upload("chunks").set(CURLOPT_INFILESIZE_LARGE, curl_off_t{-1});
            }),
        one("PUT, Expect refused", "/417",
            [](Watched& h) { h.set(CURLOPT_UPLOAD, 1L).upload(std::string(2'000'000, 'u'), 60'000); }),
        one("DELETE", "/echo", [](Watched& h) { h.set(CURLOPT_CUSTOMREQUEST, "DELETE"); }),
        one("PATCH", "/echo",
            [](Watched& h) { h.set(CURLOPT_CUSTOMREQUEST, "PATCH").set(CURLOPT_POSTFIELDS, "p"); }),
        one("OPTIONS *", "/x",
            [](Watched& h) { h.set(CURLOPT_CUSTOMREQUEST, "OPTIONS").set(CURLOPT_REQUEST_TARGET, "*"); }),
        {"header fields of the program's own",
         [](Transcript& t, World& w) {
             const List fields{"X-Mine: 1", "Accept:", "X-Empty;", "Host: elsewhere"};
             const auto h = t.handle(w.plain.url("/echo"));
             h->set(CURLOPT_HTTPHEADER, fields.list)
                 .set(CURLOPT_USERAGENT, "tester")
                 .set(CURLOPT_REFERER, "http://r/");
             h->perform();
         }},
        {"a form",
         [](Transcript& t, World& w) {
             const auto h = t.handle(w.plain.url("/x"));
             curl_mime* const form = curl_mime_init(h->get());
             curl_mimepart* const part = curl_mime_addpart(form);
             curl_mime_name(part, "field");
             curl_mime_data(part, "value", CURL_ZERO_TERMINATED);
             h->set(CURLOPT_MIMEPOST, form);
             h->perform();
             curl_mime_free(form);
         }},
    };
}

std::vector<Scenario> answers() {
    return {
        one("chunked", "/chunked", nothing),
        one("an empty body", "/empty", nothing),
        one("204", "/204", nothing),
        one("304", "/304", nothing),
        one("404", "/404", nothing),
        connects_again(
            one("404 with FAILONERROR", "/404", [](Watched& h) { h.set(CURLOPT_FAILONERROR, 1L); })),
        one("503 with Retry-After", "/503", nothing),
        connects_again(one("Connection: close", "/close", nothing)),
        one("early hints", "/early", nothing),
        connects_again(one("HTTP/1.0", "/http10", nothing)),
        connects_again(one("a body up to the end", "/until-close", nothing)),
        one("a large body", "/large", nothing),
        one("headers in the body", "/x", [](Watched& h) { h.set(CURLOPT_HEADER, 1L); }),
        one("file time", "/dated", [](Watched& h) { h.set(CURLOPT_FILETIME, 1L); }),
        connects_again(one("a time condition", "/dated",
                           [](Watched& h) {
                               h.set(CURLOPT_TIMECONDITION, static_cast<long>(CURL_TIMECOND_IFMODSINCE))
                                   .set(CURLOPT_TIMEVALUE, 1'000'000'000L);
                           })),
        one("a range", "/range", [](Watched& h) { h.set(CURLOPT_RANGE, "5-7"); }),
        one("a resumed download", "/range", [](Watched& h) { h.set(CURLOPT_RESUME_FROM, 5L); }),
        // 8.14 does it, 8.23 refuses to.
        connects_again_since(
            0x081700, one("a resumed upload", "/echo",
                          [](Watched& h) {
                              h.set(CURLOPT_UPLOAD, 1L).upload("0123456789").set(CURLOPT_RESUME_FROM, 4L);
                          })),
        connects_again(one("resuming where the server will not", "/x",
                           [](Watched& h) { h.set(CURLOPT_RESUME_FROM, 100L); })),
        one("every coding", "/echo", [](Watched& h) { h.set(CURLOPT_ACCEPT_ENCODING, ""); }),
        one("HTTP/1.0 asked for", "/echo",
            [](Watched& h) { h.set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_0)); }),
    };
}

std::vector<Scenario> errors() {
    return {
        connects_again(one("an empty reply", "/hang-up", nothing)),
        connects_again(one("a reset", "/reset", nothing)),
        connects_again(one("garbage", "/garbage", nothing)),
        connects_again(
            one("HTTP/0.9 allowed", "/garbage", [](Watched& h) { h.set(CURLOPT_HTTP09_ALLOWED, 1L); })),
        connects_again(one("a body cut short", "/cut", nothing)),
        // 8.14 takes one of them, 8.23 (8.17 too, it is said) none.
        connects_again_since(0x081100, one("two lengths", "/two-lengths", nothing)),
        connects_again(one("a bad chunk", "/bad-chunk", nothing)),
        connects_again(one("a timeout", "/silent", [](Watched& h) { h.set(CURLOPT_TIMEOUT_MS, 150L); })),
        connects_again(
            one("too slow", "/silent",
                [](Watched& h) { h.set(CURLOPT_LOW_SPEED_LIMIT, 10L).set(CURLOPT_LOW_SPEED_TIME, 1L); })),
        connects_again(
            one("a write callback that refuses", "/large", [](Watched& h) { h.take_at_most = 0; })),
        connects_again(
            one("a file that is too large", "/large", [](Watched& h) { h.set(CURLOPT_MAXFILESIZE, 1000L); })),
        connects_again(
            {"a refused connection", [](Transcript& t, World& w) { t.handle(w.nobody_listens)->perform(); }}),
        connects_again({"a name without an address",
                        [](Transcript& t, World&) { t.handle("http://no-such-host.invalid/")->perform(); }}),
        left_to_libcurl({"a bad URL", [](Transcript& t, World&) { t.handle("http://a b/")->perform(); }}),
        left_to_libcurl({"no URL",
                         [](Transcript& t, World& w) {
                             const auto h = t.handle(w.plain.url("/"));
                             h->set(CURLOPT_URL, static_cast<char*>(nullptr));
                             h->perform();
                         }}),
        left_to_libcurl(
            {"an unknown scheme", [](Transcript& t, World&) { t.handle("gopherus://h/")->perform(); }}),
        connects_again(one("a scheme that is not allowed", "/x",
                           [](Watched& h) { h.set(CURLOPT_PROTOCOLS_STR, "https"); })),
        one("an option that libcurl refuses", "/x",
            [](Watched& h) { h.set(CURLOPT_HTTP_VERSION, 999L).set(static_cast<CURLoption>(9999), 1L); }),
    };
}

std::vector<Scenario> redirects_and_authentication() {
    const auto follow = [](Watched& h) { h.set(CURLOPT_FOLLOWLOCATION, 1L); };
    return {
        one("a redirect, not followed", "/to-echo", nothing),
        one("a redirect, followed", "/to-echo", follow),
        one("a redirected POST", "/to-echo",
            [=](Watched& h) {
                follow(h);
                h.set(CURLOPT_POSTFIELDS, "p");
            }),
        one("a POST that stays one", "/to-echo",
            [=](Watched& h) {
                follow(h);
                h.set(CURLOPT_POSTFIELDS, "p").set(CURLOPT_POSTREDIR, static_cast<long>(CURL_REDIR_POST_ALL));
            }),
        one("307 of a PUT", "/to-echo-307",
            [=](Watched& h) {
                follow(h);
                h.set(CURLOPT_UPLOAD, 1L).upload("again");
            }),
        connects_again(one("307 of a PUT that cannot rewind", "/to-echo-307",
                           [=](Watched& h) {
                               follow(h);
                               h.set(CURLOPT_UPLOAD, 1L).upload("once", 1000, false);
                           })),
        one("303", "/to-echo-303",
            [=](Watched& h) {
                follow(h);
                h.set(CURLOPT_POSTFIELDS, "p");
            }),
        one("too many redirects", "/loop",
            [=](Watched& h) {
                follow(h);
                h.set(CURLOPT_MAXREDIRS, 3L);
            }),
        connects_again(one("a redirect to a protocol that is not allowed", "/to-ftp", follow)),
        one("basic authentication", "/basic", [](Watched& h) { h.set(CURLOPT_USERPWD, "user:secret"); }),
        one("basic authentication, wrong", "/basic",
            [](Watched& h) { h.set(CURLOPT_USERPWD, "user:wrong"); }),
        one("digest", "/digest",
            [](Watched& h) {
                h.set(CURLOPT_USERPWD, "nobody:x").set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_DIGEST));
            }),
        one("any authentication", "/basic",
            [](Watched& h) {
                h.set(CURLOPT_USERPWD, "user:secret").set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_ANY));
            }),
        one("bearer", "/bearer",
            [](Watched& h) {
                h.set(CURLOPT_XOAUTH2_BEARER, "token")
                    .set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
            }),
        one("an upload before the challenge", "/basic",
            [](Watched& h) {
                h.set(CURLOPT_UPLOAD, 1L)
                    .upload(std::string(3000, 'u'))
                    .set(CURLOPT_USERPWD, "user:secret")
                    .set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_ANY));
            }),
        connects_again({"a redirect to another origin and back",
                        [](Transcript& t, World& w) {
                            const Origin away(
                                handler([&](const Recorded&) { return redirect_to(w.plain.url("/echo")); }));
                            const auto h = t.handle(away.url("/"));
                            h->set(CURLOPT_FOLLOWLOCATION, 1L).set(CURLOPT_USERPWD, "user:secret");
                            const auto code = h->perform();
                            t.line("done " + std::to_string(code));
                        }}),
        {"a password in the URL",
         [](Transcript& t, World& w) {
             auto url = w.plain.url("/basic");
             t.handle(url.insert(7, "user:secret@"))->perform();
         }},
    };
}

}  // namespace ringlet::test
