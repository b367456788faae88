// InfoSnapshot: every figure of curl_easy_getinfo, taken while the handle is still at hand.
#include "transfer/raw_transfer.hpp"

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace ringlet::detail {
namespace {

// Numbers run from 1 to CURLINFO_LASTONE, each with one type: whatever this libcurl does not know under a
// type is refused.
constexpr int first_info = 1;
constexpr int last_info =
    static_cast<int>(CURLINFO_LASTONE) + 20;  // a later libcurl may know more than the header does

/// Those that this libcurl has, each once for its type, found out by asking.
std::vector<int> known_figures(CURL* easy) {
    std::vector<int> known;
    const auto has = [&](int what, auto value) {
        if (curl().easy_getinfo(easy, static_cast<CURLINFO>(what), &value) == CURLE_OK) known.push_back(what);
    };
    for (const int type : {CURLINFO_STRING, CURLINFO_LONG, CURLINFO_DOUBLE, CURLINFO_OFF_T}) {
        for (int n = first_info; n <= last_info; ++n) {
            if (type == CURLINFO_STRING) has(type + n, static_cast<const char*>(nullptr));
            if (type == CURLINFO_LONG) has(type + n, 0L);
            if (type == CURLINFO_DOUBLE) has(type + n, 0.0);
            if (type == CURLINFO_OFF_T) has(type + n, curl_off_t{});
        }
    }
    return known;
}

}  // namespace

void InfoSnapshot::clear() noexcept {
    values_.clear();
    lists_.clear();
    certificate_lists_.clear();
    certificates_ = {};
}

template <class T>
void InfoSnapshot::ask(CURL* easy, int what) {
    T value{};
    using Held = std::conditional_t<std::is_integral_v<T>, std::int64_t, T>;
    if (curl().easy_getinfo(easy, static_cast<CURLINFO>(what), &value) != CURLE_OK) return;
    values_.emplace_back(what, static_cast<Held>(value));
}

void InfoSnapshot::take(CURL* easy) {
    clear();
    // For each thread: another's unfinished question would be left for ever to a forked child.
    thread_local const std::vector<int> known = known_figures(easy);
    values_.reserve(known.size() + 4);
    for (const int what : known) {
        const int type = what & CURLINFO_TYPEMASK;
        if (what == CURLINFO_PRIVATE) {  // numbered among the strings, and is none
            ask<char*>(easy, what);
        } else if (type == CURLINFO_STRING) {
            const char* text = nullptr;
            curl().easy_getinfo(easy, static_cast<CURLINFO>(what), &text);
            if (text != nullptr) values_.emplace_back(what, std::string(text));
            // NOLINTNEXTLINE(bugprone-branch-clone): long and curl_off_t are one type on some machines
        } else if (type == CURLINFO_LONG) {
            ask<long>(easy, what);
        } else if (type == CURLINFO_DOUBLE) {
            ask<double>(easy, what);
        } else {
            ask<curl_off_t>(easy, what);
        }
    }
    ask<curl_socket_t>(easy, CURLINFO_ACTIVESOCKET);
    for (const auto what : {CURLINFO_COOKIELIST, CURLINFO_SSL_ENGINES}) {
        curl_slist* list = nullptr;
        if (curl().easy_getinfo(easy, what, &list) != CURLE_OK || list == nullptr) continue;
        lists_.emplace_back(list);  // the caller's to free, says libcurl
        values_.emplace_back(what, list);
    }
    curl_certinfo* certificates = nullptr;
    if (curl().easy_getinfo(easy, CURLINFO_CERTINFO, &certificates) != CURLE_OK || certificates == nullptr)
        return;
    for (int i = 0; i < certificates->num_of_certs; ++i) {
        lists_.push_back(copy_of(certificates->certinfo[i]));
        certificate_lists_.push_back(lists_.back().get());
    }
    certificates_ = {certificates->num_of_certs, certificate_lists_.data()};
    values_.emplace_back(CURLINFO_CERTINFO, &certificates_);
}

raw::Info InfoSnapshot::get(CURLINFO what) const {
    const auto found = std::find_if(values_.begin(), values_.end(),
                                    [what](const auto& value) { return value.first == what; });
    return found == values_.end() ? raw::Info{} : found->second;
}

}  // namespace ringlet::detail
