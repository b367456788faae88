// Which options a setting becomes.
#include "curl/apply_options.hpp"

#include <catch2/catch_test_macros.hpp>

#include <climits>
#include <cstdarg>
#include <optional>

#include "curl/api.hpp"
#include "curl/library.hpp"

namespace {

using namespace ringlet;
using namespace std::chrono_literals;

std::optional<long> connect_timeout_ms;

CURLcode note_option(CURL*, CURLoption option, ...) {
    std::va_list list;
    va_start(list, option);
    if (option == CURLOPT_CONNECTTIMEOUT_MS) connect_timeout_ms = va_arg(list, long);
    va_end(list);
    return CURLE_OK;
}

std::optional<long> connect_timeout_of(std::optional<Duration> setting) {
    detail::ensure_curl();
    auto noting = detail::curl();
    noting.easy_setopt = note_option;
    connect_timeout_ms.reset();
    detail::WireOptions options;
    options.connect_timeout = setting;
    const auto& real = detail::replace_curl_api(noting);
    detail::apply_options(nullptr, options);
    detail::replace_curl_api(real);
    return connect_timeout_ms;
}

TEST_CASE("an unlimited connect_timeout is as long as libcurl can wait", "[options]") {
    CHECK_FALSE(connect_timeout_of(std::nullopt));  // libcurl's own 300 s
    CHECK(connect_timeout_of(Duration(1500ms)) == 1500);
    CHECK(connect_timeout_of(Duration(0s)) == 1);  // 0 would be libcurl's default
    CHECK(connect_timeout_of(unlimited) == INT_MAX);
}

}  // namespace
