#include "curl/raw_options.hpp"

#include "curl/apply_options.hpp"
#include "curl/header_lines.hpp"
#include "curl/option_rules.hpp"
#include "ringlet/error.hpp"
#include "value/text.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace ringlet::detail {
namespace {

[[noreturn]] void refuse(const std::string& name, const char* why) {
    throw Error(Errc::invalid_argument, "CURLOPT_" + name + ": " + why);
}

const curl_easyoption& known(CURLoption id) {
    const auto* option = curl().easy_option_by_id(id);
    if (option == nullptr) refuse(std::to_string(static_cast<int>(id)), "this libcurl has no such option");
    return *option;
}

bool fits(curl_easytype type, const RawValue& value) {
    const bool null = std::holds_alternative<std::nullptr_t>(value);
    switch (type) {
        case CURLOT_LONG:
        case CURLOT_VALUES:
        case CURLOT_OFF_T:
            return std::holds_alternative<long long>(value);
        case CURLOT_STRING:
            return null || std::holds_alternative<std::string>(value) ||
                   std::holds_alternative<const char*>(value);
        case CURLOT_OBJECT:
        case CURLOT_CBPTR:
            return null || std::holds_alternative<void*>(value) ||
                   std::holds_alternative<const char*>(value) || std::holds_alternative<std::string>(value);
        case CURLOT_SLIST:
            return null || std::holds_alternative<curl_slist*>(value);
        case CURLOT_BLOB:
            return null || std::holds_alternative<curl_blob*>(value);
        case CURLOT_FUNCTION:
            return null || std::holds_alternative<RawCallback::Function>(value) ||
                   (std::holds_alternative<RawCallback>(value) &&
                    std::get<RawCallback>(value).function != nullptr);
    }
    return false;
}

const char* wanted(curl_easytype type) {
    switch (type) {
        case CURLOT_LONG:
        case CURLOT_VALUES:
        case CURLOT_OFF_T:
            return "it takes a number";
        case CURLOT_STRING:
            return "it takes a string";
        case CURLOT_SLIST:
            return "it takes a curl_slist*";
        case CURLOT_BLOB:
            return "it takes a curl_blob*";
        case CURLOT_FUNCTION:
            return "it takes a function or a lambda of its callback's signature";
        case CURLOT_OBJECT:
        case CURLOT_CBPTR:
            return "it takes a pointer";
    }
    return "a value of another type";
}

/// What ringlet's own requests set themselves.
bool managed(CURLoption id) {
    switch (id) {
        case CURLOPT_URL:
        case CURLOPT_CURLU:
        case CURLOPT_WRITEFUNCTION:
        case CURLOPT_WRITEDATA:
        case CURLOPT_HEADERFUNCTION:
        case CURLOPT_HEADERDATA:
        case CURLOPT_READFUNCTION:
        case CURLOPT_READDATA:
        case CURLOPT_SEEKFUNCTION:
        case CURLOPT_SEEKDATA:
        case CURLOPT_PREREQFUNCTION:
        case CURLOPT_PREREQDATA:
        case CURLOPT_XFERINFOFUNCTION:
        case CURLOPT_XFERINFODATA:
        case CURLOPT_NOPROGRESS:
        case CURLOPT_HTTPHEADER:
        case CURLOPT_HTTPGET:
        case CURLOPT_POST:
        case CURLOPT_NOBODY:
        case CURLOPT_UPLOAD:
        case CURLOPT_CUSTOMREQUEST:
        case CURLOPT_POSTFIELDS:
        case CURLOPT_COPYPOSTFIELDS:
        case CURLOPT_POSTFIELDSIZE:
        case CURLOPT_POSTFIELDSIZE_LARGE:
        case CURLOPT_INFILESIZE:
        case CURLOPT_INFILESIZE_LARGE:
        case CURLOPT_MIMEPOST:
        case CURLOPT_FOLLOWLOCATION:
        case CURLOPT_SHARE:
        case CURLOPT_ERRORBUFFER:
        case CURLOPT_CONNECT_ONLY:
            return true;
        default:
            return false;
    }
}

template <class T>
void put(CURL* easy, CURLoption id, T value, const char* name) {
    const auto code = curl().easy_setopt(easy, id, value);
    if (code != CURLE_OK) check_option(code, ("CURLOPT_" + std::string(name)).c_str());
}

}  // namespace

void RawOptions::copy_pointed(Option& option) {
    if (option.info->type == CURLOT_STRING) {
        if (const auto* text = std::get_if<const char*>(&option.value)) {
            if (*text == nullptr)
                option.value = nullptr;
            else
                option.value = std::string(*text);
        }
    }
    if (auto* list = std::get_if<curl_slist*>(&option.value)) {
        option.list = copy_of(*list);
        *list = option.list.get();
    }
    if (const auto* blob = std::get_if<curl_blob*>(&option.value); blob != nullptr && *blob != nullptr) {
        option.bytes.assign(static_cast<const char*>((*blob)->data), (*blob)->len);
    }
}

void RawOptions::set(CURLoption id, RawValue value) {
    // Searching libcurl's table costs as much as a third of a request.
    const auto earlier =
        std::find_if(options_.begin(), options_.end(), [id](const Option& o) { return o.id == id; });
    const auto& info = earlier == options_.end() ? known(id) : *earlier->info;
    if (!fits(info.type, value)) refuse(info.name, wanted(info.type));
    if (const auto* number = std::get_if<long long>(&value)) {
        const bool is_long = info.type != CURLOT_OFF_T;
        if (is_long &&
            (*number > std::numeric_limits<long>::max() || *number < std::numeric_limits<long>::min())) {
            refuse(info.name, "the number is too large");
        }
    }
    Option option{id, &info, std::move(value), nullptr, {}};
    copy_pointed(option);
    // Actions (cookie commands) add up; of everything else the latest counts.
    if (id != CURLOPT_COOKIELIST && earlier != options_.end()) options_.erase(earlier);
    options_.push_back(std::move(option));
}

void RawOptions::apply_one(CURL* easy, const Option& option) {
    const auto& [id, info, value, list, bytes] = option;
    const auto* const name = info->name;
    if (const auto* number = std::get_if<long long>(&value)) {
        return info->type == CURLOT_OFF_T ? put(easy, id, static_cast<curl_off_t>(*number), name)
                                          : put(easy, id, static_cast<long>(*number), name);
    }
    if (const auto* text = std::get_if<std::string>(&value)) {
        // Not copied by libcurl: the size comes with it, since a std::string may hold NUL.
        if (id == CURLOPT_POSTFIELDS || id == CURLOPT_COPYPOSTFIELDS) {
            put(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(text->size()), name);
        }
        return put(easy, id, text->c_str(), name);
    }
    if (const auto* text = std::get_if<const char*>(&value)) return put(easy, id, *text, name);
    if (const auto* pointer = std::get_if<void*>(&value)) return put(easy, id, *pointer, name);
    if (const auto* function = std::get_if<RawCallback::Function>(&value))
        return put(easy, id, *function, name);
    if (const auto* callback = std::get_if<RawCallback>(&value)) {
        put(easy, callback->option, callback->function, name);
        return put(easy, callback->data_option, callback->data.get(), name);
    }
    if (std::holds_alternative<curl_slist*>(value)) return put(easy, id, list.get(), name);
    if (std::holds_alternative<curl_blob*>(value)) {
        curl_blob blob{const_cast<char*>(bytes.data()), bytes.size(), CURL_BLOB_COPY};
        return put(easy, id, &blob, name);
    }
    put(easy, id, static_cast<void*>(nullptr), name);
}

void RawOptions::apply(CURL* easy, Use use) const {
    for (const auto& option : options_) {
        if (use == Use::besides && managed(option.id)) continue;
        apply_one(easy, option);
    }
    if (with_handle_) with_handle_(easy);
}

std::shared_ptr<RawOptions> RawOptions::clone() const {
    return copy_if([](CURLoption) { return true; });
}

std::shared_ptr<RawOptions> RawOptions::without_credentials() const {
    return copy_if([](CURLoption id) {
        return effect_of(id) != OptionEffect::credential && id != CURLOPT_COOKIE && id != CURLOPT_AWS_SIGV4 &&
               id != CURLOPT_XOAUTH2_BEARER;
    });
}

std::shared_ptr<RawOptions> RawOptions::copy_if(bool (*wanted)(CURLoption)) const {
    auto copy = std::make_shared<RawOptions>();
    copy->with_handle_ = with_handle_;
    for (const auto& option : options_) {
        if (!wanted(option.id)) continue;
        Option same{option.id, option.info, option.value, nullptr, option.bytes};
        if (option.list) {
            same.list = copy_of(option.list.get());
            same.value = same.list.get();
        }
        copy->options_.push_back(std::move(same));
    }
    return copy;
}

std::string RawOptions::url() const {
    for (const auto& option : options_) {
        if (option.id != CURLOPT_URL) continue;
        if (const auto* text = std::get_if<std::string>(&option.value)) return *text;
    }
    return {};
}

bool RawOptions::is_set(CURLoption id) const noexcept {
    return std::any_of(options_.begin(), options_.end(), [id](const Option& o) { return o.id == id; });
}

std::chrono::milliseconds RawOptions::time_limit() const noexcept {
    std::chrono::milliseconds limit{};
    for (const auto& option : options_) {  // of the two, the one that was set last
        const auto* value = std::get_if<long long>(&option.value);
        if (value != nullptr && option.id == CURLOPT_TIMEOUT) limit = std::chrono::seconds(*value);
        if (value != nullptr && option.id == CURLOPT_TIMEOUT_MS) limit = std::chrono::milliseconds(*value);
    }
    return limit;
}

bool RawOptions::asks_to_close() const noexcept {
    return std::any_of(options_.begin(), options_.end(), [](const Option& option) {
        return option.id == CURLOPT_HTTPHEADER && any_line(option.list.get(), says_close);
    });
}

bool RawOptions::concerns_connection(CURLoption id) noexcept {
    const bool names_origin = id == CURLOPT_URL || id == CURLOPT_CURLU;
    return !names_origin && effect_of(id) != OptionEffect::harmless;
}

bool RawOptions::makes_connection_private() const noexcept {
    return with_handle_ || std::any_of(options_.begin(), options_.end(), [](const Option& option) {
               return concerns_connection(option.id) ||
                      (option.id == CURLOPT_HTTPHEADER &&
                       any_line(option.list.get(), authenticates_connection));
           });
}

bool RawOptions::outlive_reset() const noexcept {
    const auto outlives = [](const Option& option) {
        const auto effect = effect_of(option.id);
        return effect != OptionEffect::harmless && effect != OptionEffect::names_origin &&
               effect != OptionEffect::in_key;
    };
    return with_handle_ || keeps_cookies() || std::any_of(options_.begin(), options_.end(), outlives);
}

bool RawOptions::traces() const noexcept {
    return is_set(CURLOPT_VERBOSE) || is_set(CURLOPT_DEBUGFUNCTION) || has_with_handle();
}

bool RawOptions::keeps_cookies() const noexcept {
    return is_set(CURLOPT_COOKIEFILE) || is_set(CURLOPT_COOKIEJAR) || is_set(CURLOPT_COOKIELIST);
}

}  // namespace ringlet::detail
