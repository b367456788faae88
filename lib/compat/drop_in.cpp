#include "compat/drop_in.hpp"

#include "compat/easy_table.hpp"
#include "compat/perform.hpp"
#include "compat/pooled_transfer.hpp"
#include "compat/switches.hpp"
#include "curl/option_rules.hpp"
#include "lane/lane.hpp"

#include <mutex>
#include <new>

namespace ringlet::detail::drop_in {
namespace {

/// The record to be told of an option, or null.
EasyRecord* record_for(CURL* easy, CURLoption option) noexcept {
    return EasyRecord::concerned_by(option) ? EasyTable::instance().find(easy) : nullptr;
}

template <class Note>
CURLcode noted(CURLcode code, EasyRecord* record, Note note) noexcept {
    if (code != CURLE_OK || record == nullptr) return code;
    try {
        note(*record);
    } catch (const std::bad_alloc&) {
        record->give_up();
    }
    return code;
}

bool concerns_sockets(CURLoption option) noexcept {
    return option == CURLOPT_OPENSOCKETFUNCTION || option == CURLOPT_OPENSOCKETDATA ||
           option == CURLOPT_CLOSESOCKETFUNCTION || option == CURLOPT_CLOSESOCKETDATA;
}

CURLcode set_pointer(CURL* easy, CURLoption option, void* value) noexcept {
    auto* const record = record_for(easy, option);
    const auto code = noted(curl().easy_setopt(easy, option, value), record, [&](EasyRecord& r) {
        if (option == CURLOPT_SHARE) return r.note_share(EasyTable::instance().share(value));
        if (option == CURLOPT_RESOLVE) return r.note_names(static_cast<const curl_slist*>(value));
        if (option == CURLOPT_PROXYHEADER) return r.note_proxy_headers(static_cast<const curl_slist*>(value));
        r.note_pointer(option, value);
    });
    // Set in a callback: what the lane has put on the handle is gone.
    const bool unhooked = record != nullptr && concerns_sockets(option) && is_on_lane(*record);
    return unhooked && !hook_again(easy, *record) ? CURLE_OUT_OF_MEMORY : code;
}

}  // namespace

CURL* init() noexcept {
    CURL* const easy = curl().easy_init();
    if (easy != nullptr && pooling_enabled()) {
        arrange_statistics();
        EasyTable::instance().add(easy);
    }
    return easy;
}

CURLcode setopt(CURL* easy, CURLoption option, std::va_list& value) noexcept {
    switch (option_type(option)) {
        case OptionType::number: {
            const long number = va_arg(value, long);
            const auto code = curl().easy_setopt(easy, option, number);
            return noted(code, record_for(easy, option),
                         [&](EasyRecord& r) { r.note_number(option, number); });
        }
        case OptionType::offset: {
            const auto number = va_arg(value, curl_off_t);
            const auto code = curl().easy_setopt(easy, option, number);
            return noted(code, record_for(easy, option),
                         [&](EasyRecord& r) { r.note_number(option, number); });
        }
        default:
            return set_pointer(easy, option, va_arg(value, void*));
    }
}

CURLcode perform(CURL* easy) {
    auto* const record = EasyTable::instance().find(easy);
    return record == nullptr ? curl().easy_perform(easy) : perform_pooled(easy, *record);
}

CURLcode getinfo(CURL* easy, CURLINFO info, std::va_list& value) noexcept {
    void* const to = va_arg(value, void*);
    const auto code = curl().easy_getinfo(easy, info, to);
    if (info != CURLINFO_SSL_VERIFYRESULT && info != CURLINFO_PROXY_SSL_VERIFYRESULT) return code;
    auto* const record = EasyTable::instance().find(easy);
    if (code == CURLE_OK && record != nullptr && record->verified) {
        const auto& results = *record->verified;
        *static_cast<long*>(to) = info == CURLINFO_SSL_VERIFYRESULT ? results.origin : results.proxy;
    }
    return code;
}

void reset(CURL* easy) noexcept {
    auto* const record = EasyTable::instance().find(easy);
    std::unique_lock<FreeLock> parked;
    if (record != nullptr && !record->running) parked = std::unique_lock(record->park_lock);
    curl().easy_reset(easy);
    if (record != nullptr) record->reset();
}

CURL* duplicate(CURL* easy) noexcept {
    auto* const record = EasyTable::instance().find(easy);
    CURL* const copy = curl().easy_duphandle(easy);
    if (copy == nullptr || record == nullptr) return copy;
    if (is_on_lane(*record)) take_off_lane(copy, *record);  // it was made in a callback
    EasyTable::instance().add(copy, *record);
    return copy;
}

void cleanup(CURL* easy) noexcept {
    const auto record = EasyTable::instance().remove(easy);
    if (record == nullptr) return curl().easy_cleanup(easy);
    const Cancellation off;
    // Before the handle goes, as libcurl does: the program's functions may use it.
    close_private_lanes(*record);
    std::unique_lock<FreeLock> parked;
    if (record->running) {
        rescue_transfer(easy, *record);
    } else {
        parked = std::unique_lock(record->park_lock);
    }
    curl().easy_cleanup(easy);
    if (parked) {
        give_back(*record);
    } else {
        give_up_transfer(*record);
        close_private_lanes(*record);  // that the transfer had
    }
}

CURLSH* share_init() noexcept {
    CURLSH* const share = curl().share_init();
    if (share != nullptr && pooling_enabled()) EasyTable::instance().add_share(share);
    return share;
}

CURLSHcode share_setopt(CURLSH* share, CURLSHoption option, std::va_list& value) noexcept {
    if (option != CURLSHOPT_SHARE && option != CURLSHOPT_UNSHARE) {
        return curl().share_setopt(share, option, va_arg(value, void*));
    }
    const int what = va_arg(value, int);
    const auto code = curl().share_setopt(share, option, what);
    if (code == CURLSHE_OK && what == CURL_LOCK_DATA_CONNECT) {
        EasyTable::instance().set_shares_connections(share, option == CURLSHOPT_SHARE);
    }
    return code;
}

CURLSHcode share_cleanup(CURLSH* share) noexcept {
    const auto code = curl().share_cleanup(share);
    if (code == CURLSHE_OK) EasyTable::instance().remove_share(share);
    return code;
}

void pool(CURL* easy, bool on) noexcept {
    if (auto* const record = EasyTable::instance().find(easy)) record->set_pooled(on);
}

}  // namespace ringlet::detail::drop_in
