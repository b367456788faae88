// The same small client three times: on libcurl, on ringlet call by call, and as one would write it for
// ringlet.
//
//     from_raw_curl https://example.com/
#include <ringlet/ringlet.hpp>

#include <curl/curl.h>
#include <fmt/format.h>

#include <chrono>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

namespace before {

std::size_t append(char* data, std::size_t, std::size_t size, void* to) {
    static_cast<std::string*>(to)->append(data, size);
    return size;
}

/// As it is often written: a handle for each call, so a new connection, TLS handshake and CA bundle for each
/// call.
std::string post_json(const std::string& url, const std::string& json, long& status) {
    CURL* curl = curl_easy_init();
    if (curl == nullptr) throw std::runtime_error("curl_easy_init failed");
    std::string body;
    curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json.c_str());
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10'000L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    const CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK) throw std::runtime_error(curl_easy_strerror(code));
    return body;
}

}  // namespace before

namespace call_by_call {

/// The same options by the same names, on a session: what is left out is the cleaning up and the checking.
std::string post_json(const std::string& url, const std::string& json, long& status) {
    ringlet::Session session;
    std::string body;
    curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
    session.setopt(CURLOPT_URL, url);
    session.setopt(CURLOPT_HTTPHEADER, headers);  // copied
    curl_slist_free_all(headers);
    session.setopt(CURLOPT_POSTFIELDS, json);
    session.setopt(CURLOPT_TIMEOUT_MS, 10'000L);
    session.setopt(CURLOPT_WRITEFUNCTION, [&body](char* data, std::size_t, std::size_t size) {
        body.append(data, size);
        return size;
    });
    session.perform();
    status = session.getinfo<CURLINFO_RESPONSE_CODE>();
    return body;
}

}  // namespace call_by_call

namespace after {

/// A session for each call is fine: it holds no connection. Those are in the process-wide cache, for the next
/// call.
std::string post_json(const std::string& url, const std::string& json, int& status) {
    ringlet::Session session;
    auto response = session.send(
        ringlet::Request::post(url, json).header("Content-Type", "application/json").timeout(10s));
    status = response.status();
    return response.text();
}

}  // namespace after

int main(int argc, char** argv) try {
    if (argc != 2) return 2;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    for (int i = 0; i < 3; ++i) {
        long status = 0;
        const auto body = before::post_json(argv[1], "{}", status);
        fmt::print("before: {} {}\n", status, body);
    }
    for (int i = 0; i < 3; ++i) {
        long status = 0;
        const auto body = call_by_call::post_json(argv[1], "{}", status);
        fmt::print("call by call: {} {}\n", status, body);
    }
    for (int i = 0; i < 3; ++i) {
        int status = 0;
        const auto body = after::post_json(argv[1], "{}", status);
        fmt::print("after: {} {}\n", status, body);
    }
    fmt::print("ringlet opened {} connection\n", ringlet::ConnectionCache::process_wide().stats().opened);
} catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
}
