#include "transfer/cookie_jar.hpp"

#include "curl/apply_options.hpp"

#include <utility>

namespace ringlet::detail {

void CookieJar::start(CURL* easy) {
    set_option(easy, CURLOPT_COOKIEFILE, "", "cookies");  // reads no file
}

void CookieJar::load(CURL* easy) const {
    set_option(easy, CURLOPT_COOKIELIST, "ALL", "cookies");
    for (const auto& line : lines_) set_option(easy, CURLOPT_COOKIELIST, line.c_str(), "cookies");
}

void CookieJar::store(CURL* easy) {
    curl_slist* raw = nullptr;
    curl().easy_getinfo(easy, CURLINFO_COOKIELIST, &raw);
    const SlistPtr list(raw);
    std::vector<std::string> lines;
    for (const auto* item = list.get(); item != nullptr; item = item->next) lines.emplace_back(item->data);
    lines_ = std::move(lines);
    curl().easy_setopt(easy, CURLOPT_COOKIELIST, "FLUSH");  // into CURLOPT_COOKIEJAR's file, if one was named
    curl().easy_setopt(easy, CURLOPT_COOKIELIST, "ALL");
}

}  // namespace ringlet::detail
