// Scenarios that run through libcurl's own functions and through the drop-in's, and the servers they meet.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compat/transcript.hpp"
#include "support/certificates.hpp"
#include "support/h2_origin.hpp"
#include "support/origin.hpp"
#include "support/proxy.hpp"
#include "support/temp_dir.hpp"

namespace ringlet::test {

/// What the servers do, by the request's path: see site.cpp.
void serve_site(Connection& c);
H2Action answer_h2(const H2Request& r);
std::string redirect_to(const std::string& to, int status = 302);

inline std::string url_of_nobody() {
    Origin origin(stay_silent());
    const auto url = origin.url();
    origin.stop();
    return url;
}

struct World {
    TempDir directory;
    std::string ca = TestCa::instance().write_to(directory.path()).string();
    Origin plain{serve_site};
    Origin other{serve_site};
    Origin tls{serve_site, {.tls = true}};
    Origin h2{h2_handler(answer_h2), h2_options()};
    Origin h2c{h2_handler(answer_h2), h2_options(false)};
    Origin unix_socket{serve_site, {.unix_path = (directory / "s").string()}};
    Origin closes{[](Connection& c) {
        c.read_some();
        c.close();
    }};
    std::string nobody_listens = url_of_nobody();
    HttpProxy proxy;
    HttpProxy guarded{{.user = "p", .password = "w"}};
    SocksProxy socks;
};

struct List {
    explicit List(std::initializer_list<const char*> lines) {
        for (const char* line : lines) list = curl_slist_append(list, line);
    }
    ~List() { curl_slist_free_all(list); }
    List(const List&) = delete;
    List& operator=(const List&) = delete;
    curl_slist* list = nullptr;
};

struct Scenario {
    const char* name;
    std::function<void(Transcript&, World&)> run;
    std::size_t without_lane = 0;        // transfers that the drop-in leaves to libcurl
    std::size_t on_new_connections = 0;  // of the others, when the scenario is run again
};

/// One handle, one transfer of that path.
template <class Setup>
Scenario one(const char* name, const char* path, Setup setup) {
    return {name, [=](Transcript& t, World& w) {
                const auto h = t.handle(w.plain.url(path));
                setup(*h);
                h->perform();
            }};
}

template <class Setup>
Scenario over_tls(const char* name, Setup setup, std::string_view host = "127.0.0.1") {
    return {name, [=](Transcript& t, World& w) {
                const auto h = t.handle(w.tls.url_for(host, "/x"));
                h->set(CURLOPT_CAINFO, w.ca.c_str());
                setup(*h);
                h->perform();
            }};
}

/// One of its transfers takes no lane.
inline Scenario left_to_libcurl(Scenario scenario) {
    scenario.without_lane = 1;
    return scenario;
}

/// So many of its transfers find no connection, however often it is run.
inline Scenario connects_again(Scenario scenario, std::size_t transfers = 1) {
    scenario.on_new_connections = transfers;
    return scenario;
}

/// The same, with libcurls from that version on: those before keep the connection.
inline Scenario connects_again_since(unsigned version, Scenario scenario) {
    const bool closes = curl_version_info(CURLVERSION_NOW)->version_num >= version;
    return closes ? connects_again(std::move(scenario)) : scenario;
}

inline void nothing(Watched&) {}

std::vector<Scenario> verbs_and_bodies();
std::vector<Scenario> answers();
std::vector<Scenario> errors();
std::vector<Scenario> redirects_and_authentication();
std::vector<Scenario> tls_and_versions();
std::vector<Scenario> ways();
std::vector<Scenario> handles_over_time();
std::vector<Scenario> callbacks_of_connections();

}  // namespace ringlet::test
