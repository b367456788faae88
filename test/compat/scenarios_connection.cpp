// TLS, HTTP/2, proxies and other ways, and handles over several transfers.
#include <string>
#include <string_view>
#include <vector>

#include "compat/scenario.hpp"

namespace ringlet::test {

std::vector<Scenario> tls_and_versions() {
    return {
        over_tls("TLS", nothing),
        over_tls(
            "TLS 1.2",
            [](Watched& h) { h.set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_MAX_TLSv1_2)); }),
        connects_again(over_tls("an unknown authority",
                                [](Watched& h) {
                                    h.set(CURLOPT_CAINFO, static_cast<char*>(nullptr))
                                        .set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
                                })),
        over_tls("no verification",
                 [](Watched& h) {
                     h.set(CURLOPT_CAINFO, static_cast<char*>(nullptr))
                         .set(CURLOPT_CAPATH, static_cast<char*>(nullptr))
                         .set(CURLOPT_SSL_VERIFYPEER, 0L);
                 }),
        connects_again(over_tls("a wrong pin",
                                [](Watched& h) {
                                    h.set(CURLOPT_PINNEDPUBLICKEY,
                                          "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
                                })),
        connects_again(over_tls("a file of authorities that is not there",
                                [](Watched& h) { h.set(CURLOPT_CAINFO, "/no/such/file"); })),
        connects_again({"TLS to a port that does not speak it",
                        [](Transcript& t, World& w) {
                            auto url = w.closes.url("/");
                            t.handle(url.replace(0, 4, "https"))->perform();
                        }}),
        {"HTTP/2",
         [](Transcript& t, World& w) {
             const auto h = t.handle(w.h2.url("/x"));
             h->set(CURLOPT_CAINFO, w.ca.c_str());
             h->perform();
             h->set(CURLOPT_POSTFIELDS, "body");
             h->perform();
         }},
        {"HTTP/2 by prior knowledge",
         [](Transcript& t, World& w) {
             const auto h = t.handle(w.h2c.url("/x"));
             h->set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
             h->perform();
             h->perform();
         },
         curl_version_info(CURLVERSION_NOW)->version_num < 0x080000 ? 2U : 0U},
    };
}

std::vector<Scenario> ways() {
    return {
        {"a proxy",
         [](Transcript& t, World& w) {
             const auto h = t.handle(w.plain.url("/echo"));
             h->set(CURLOPT_PROXY, w.proxy.url().c_str());
             h->perform();
             h->url(w.other.url("/echo"));
             h->perform();
         }},
        {"a tunnel",
         [](Transcript& t, World& w) {
             const auto h = t.handle(w.tls.url("/x"));
             h->set(CURLOPT_PROXY, w.proxy.url().c_str()).set(CURLOPT_CAINFO, w.ca.c_str());
             h->perform();
             h->perform();
         }},
        {"a tunnel for plain HTTP, its answers hidden",
         [](Transcript& t, World& w) {
             const auto h = t.handle(w.plain.url("/x"));
             h->set(CURLOPT_PROXY, w.proxy.url().c_str()).set(CURLOPT_HTTPPROXYTUNNEL, 1L);
             h->set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
             h->perform();
         }},
        {"a proxy that wants a password",
         [](Transcript& t, World& w) {
             const auto h = t.handle(w.plain.url("/x"));
             h->set(CURLOPT_PROXY, w.guarded.url().c_str());
             h->perform();
             h->set(CURLOPT_PROXYUSERPWD, "p:w");
             h->perform();
         }},
        connects_again({"a tunnel that is refused",
                        [](Transcript& t, World& w) {
                            const auto h = t.handle(w.tls.url("/x"));
                            h->set(CURLOPT_PROXY, w.guarded.url().c_str()).set(CURLOPT_CAINFO, w.ca.c_str());
                            h->perform();
                        }}),
        {"SOCKS",
         [](Transcript& t, World& w) {
             const auto h = t.handle(w.plain.url("/x"));
             h->set(CURLOPT_PROXY, w.socks.url().c_str());
             h->perform();
             h->perform();
         }},
        {"a Unix socket",
         [](Transcript& t, World& w) {
             const auto h = t.handle("http://somewhere/x");
             h->set(CURLOPT_UNIX_SOCKET_PATH, w.unix_socket.unix_path().c_str());
             h->perform();
         }},
        connects_again({"RESOLVE and CONNECT_TO",
                        [](Transcript& t, World& w) {
                            const auto port = std::to_string(w.plain.port());
                            const List resolve{("named.test:" + port + ":127.0.0.1").c_str()};
                            const List connect_to{("other.test:80:127.0.0.1:" + port).c_str()};
                            const auto h = t.handle("http://named.test:" + port + "/echo");
                            h->set(CURLOPT_RESOLVE, resolve.list).verbose();
                            h->perform();
                            h->perform();
                            h->set(
                                 CURLOPT_SOCKOPTFUNCTION,
                                 +[](void*, curl_socket_t, curlsocktype) { return 0; })
                                .set(CURLOPT_FRESH_CONNECT, 1L)
                                .set(CURLOPT_VERBOSE, 0L);
                            h->perform();
                            const auto other = t.handle("http://other.test/echo");
                            other->set(CURLOPT_CONNECT_TO, connect_to.list);
                            other->perform();
                            other->perform();
                        }}),
        {"a parsed URL",
         [](Transcript& t, World& w) {
             CURLU* const url = curl_url();
             curl_url_set(url, CURLUPART_URL, w.plain.url("/echo").c_str(), 0);
             const auto h = t.handle(w.other.url("/"));
             h->set(CURLOPT_CURLU, url);
             h->perform();
             curl_url_set(url, CURLUPART_PATH, "/chunked", 0);
             h->perform();
             h->set(CURLOPT_CURLU, static_cast<CURLU*>(nullptr));
             curl_url_cleanup(url);
         }},
        {"no scheme in the URL",
         [](Transcript& t, World& w) {
             const auto host = w.plain.url("/echo").substr(7);
             const auto h = t.handle(host);
             h->perform();
             h->set(CURLOPT_DEFAULT_PROTOCOL, "https")
                 .set(CURLOPT_SSL_VERIFYPEER, 0L)
                 .url(w.tls.url("/x").substr(8));
             h->perform();
         }},
    };
}

std::vector<Scenario> handles_over_time() {
    return {
        {"cookies over three requests",
         [](Transcript& t, World& w) {
             const auto h = t.handle(w.plain.url("/cookie"));
             h->set(CURLOPT_COOKIEFILE, "");
             h->perform();
             h->url(w.plain.url("/echo"));
             h->perform();
             h->set(CURLOPT_COOKIELIST, "ALL").set(CURLOPT_COOKIE, "mine=1");
             h->perform();
         }},
        connects_again({"reset and duplicate",
                        [](Transcript& t, World& w) {
                            const auto h = t.handle(w.plain.url("/echo"));
                            h->set(CURLOPT_COOKIEFILE, "").set(CURLOPT_USERAGENT, "first");
                            h->perform();
                            const auto copy = h->duplicate();
                            h->reset();
                            h->url(w.plain.url("/echo"));
                            h->perform();
                            copy->set(CURLOPT_FRESH_CONNECT, 1L);
                            copy->perform();
                        }}),
        {"five requests on one handle, verbose",
         [](Transcript& t, World& w) {
             const auto h = t.handle(w.plain.url("/x"));
             h->verbose();
             for (const char* path : {"/x", "/chunked", "/404", "/echo", "/x"}) {
                 h->url(w.plain.url(path));
                 h->perform();
             }
         }},
        {"verbose TLS",
         [](Transcript& t, World& w) {
             const auto h = t.handle(w.tls.url("/x"));
             h->set(CURLOPT_CAINFO, w.ca.c_str()).verbose();
             h->perform();
             h->perform();
         }},
        {"verbose redirect",
         [](Transcript& t, World& w) {
             const auto h = t.handle(w.plain.url("/to-echo"));
             h->set(CURLOPT_FOLLOWLOCATION, 1L).verbose();
             h->perform();
         }},
        connects_again({"a connection that the server closes between two requests",
                        [](Transcript& t, World& w) {
                            const auto h = t.handle(w.plain.url("/close"));
                            h->perform();
                            h->perform();
                            h->set(CURLOPT_FORBID_REUSE, 1L).url(w.plain.url("/x"));
                            h->perform();
                            h->perform();
                        }},
                       4),
        connects_again({"an error and then a good transfer",
                        [](Transcript& t, World& w) {
                            const auto h = t.handle(w.plain.url("/cut"));
                            h->perform();
                            h->url(w.plain.url("/x"));
                            h->perform();
                            h->url(w.plain.url("/404")).set(CURLOPT_FAILONERROR, 1L);
                            h->perform();
                            h->perform();
                        }},
                       3),
        {"a port of its own",
         [](Transcript& t, World& w) {
             const auto h = t.handle("http://127.0.0.1/echo");
             h->set(CURLOPT_PORT, static_cast<long>(w.plain.port()));
             h->perform();
             h->perform();
         }},
    };
}

}  // namespace ringlet::test
