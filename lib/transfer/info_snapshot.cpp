// InfoSnapshot: every figure of curl_easy_getinfo, taken while the handle is still at hand.
#include "transfer/raw_transfer.hpp"

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

template <class T>
void ask(CURL* easy, std::map<int, raw::Info>& values, int what) {
    T value{};
    using Held = std::conditional_t<std::is_integral_v<T>, std::int64_t, T>;
    if (curl().easy_getinfo(easy, static_cast<CURLINFO>(what), &value) != CURLE_OK) return;
    values.emplace(what, static_cast<Held>(value));
}

SlistPtr copy_of(const curl_slist* list) {
    SlistPtr copy;
    for (; list != nullptr; list = list->next) append(copy, list->data);
    return copy;
}

}  // namespace

void InfoSnapshot::clear() noexcept {
    values_.clear();
    lists_.clear();
    certificate_lists_.clear();
    certificates_ = {};
}

void InfoSnapshot::take(CURL* easy) {
    clear();
    char* pointer = nullptr;  // CURLINFO_PRIVATE is numbered among the strings, and is none
    if (curl().easy_getinfo(easy, CURLINFO_PRIVATE, &pointer) == CURLE_OK)
        values_.emplace(CURLINFO_PRIVATE, pointer);
    for (int n = first_info; n <= last_info; ++n) {
        if (CURLINFO_STRING + n == CURLINFO_PRIVATE) continue;
        const char* text = nullptr;
        if (curl().easy_getinfo(easy, static_cast<CURLINFO>(CURLINFO_STRING + n), &text) == CURLE_OK &&
            text != nullptr) {
            values_.emplace(CURLINFO_STRING + n, std::string(text));
        }
        ask<long>(easy, values_, CURLINFO_LONG + n);
        ask<double>(easy, values_, CURLINFO_DOUBLE + n);
        ask<curl_off_t>(easy, values_, CURLINFO_OFF_T + n);
    }
    ask<curl_socket_t>(easy, values_, CURLINFO_ACTIVESOCKET);
    for (const auto what : {CURLINFO_COOKIELIST, CURLINFO_SSL_ENGINES}) {
        curl_slist* list = nullptr;
        if (curl().easy_getinfo(easy, what, &list) != CURLE_OK || list == nullptr) continue;
        lists_.emplace_back(list);  // the caller's to free, says libcurl
        values_.emplace(what, list);
    }
    curl_certinfo* certificates = nullptr;
    if (curl().easy_getinfo(easy, CURLINFO_CERTINFO, &certificates) != CURLE_OK || certificates == nullptr)
        return;
    for (int i = 0; i < certificates->num_of_certs; ++i) {
        lists_.push_back(copy_of(certificates->certinfo[i]));
        certificate_lists_.push_back(lists_.back().get());
    }
    certificates_ = {certificates->num_of_certs, certificate_lists_.data()};
    values_.emplace(CURLINFO_CERTINFO, &certificates_);
}

raw::Info InfoSnapshot::get(CURLINFO what) const {
    const auto found = values_.find(what);
    return found == values_.end() ? raw::Info{} : found->second;
}

}  // namespace ringlet::detail
