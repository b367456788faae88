#include "unit/transfer/faulty_curl.hpp"

#include <cstdarg>

#include "curl/api.hpp"

namespace ringlet::test {
namespace {

using detail::CurlApi;

const CurlApi real = detail::curl();
std::size_t calls_made = 0;
std::size_t failing_call = 0;
const char* failed_function = "";

bool fails(const char* name) {
    if (++calls_made != failing_call) return false;
    failed_function = name;
    return true;
}

// A function of fixed arguments: calls the real one, or returns `failure`.
template <auto Member, class Result, class... Args>
struct Fixed {
    static inline const char* name = "";
    static inline Result failure{};
    static Result call(Args... args) { return fails(name) ? failure : (real.*Member)(args...); }
};

template <auto Member, class Result, class... Args>
void wrap(CurlApi& table, Result (*)(Args...), const char* name, Result failure) {
    using Wrapper = Fixed<Member, Result, Args...>;
    Wrapper::name = name;
    Wrapper::failure = failure;
    table.*Member = &Wrapper::call;
}

#define WRAP(function, failure) wrap<&CurlApi::function>(table, real.function, #function, failure)

constexpr int long_options = CURLOPTTYPE_LONG / 10000;
constexpr int size_options = CURLOPTTYPE_OFF_T / 10000;

CURLcode easy_setopt(CURL* easy, CURLoption option, ...) {
    std::va_list list;
    va_start(list, option);
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (!fails("easy_setopt")) {
        switch (static_cast<int>(option) / 10000) {
            case long_options:
                code = real.easy_setopt(easy, option, va_arg(list, long));
                break;
            case size_options:
                code = real.easy_setopt(easy, option, va_arg(list, curl_off_t));
                break;
            default:
                code = real.easy_setopt(easy, option, va_arg(list, void*));
                break;
        }
    }
    va_end(list);
    return code;
}

CURLcode easy_getinfo(CURL* easy, CURLINFO what, ...) {
    std::va_list list;
    va_start(list, what);
    const auto code =
        fails("easy_getinfo") ? CURLE_OUT_OF_MEMORY : real.easy_getinfo(easy, what, va_arg(list, void*));
    va_end(list);
    return code;
}

CURLMcode multi_setopt(CURLM* multi, CURLMoption option, ...) {
    std::va_list list;
    va_start(list, option);
    CURLMcode code = CURLM_OUT_OF_MEMORY;
    if (!fails("multi_setopt")) {
        const bool number = static_cast<int>(option) / 10000 == long_options;
        code = number ? real.multi_setopt(multi, option, va_arg(list, long))
                      : real.multi_setopt(multi, option, va_arg(list, void*));
    }
    va_end(list);
    return code;
}

CURLSHcode share_setopt(CURLSH* share, CURLSHoption option, ...) {
    std::va_list list;
    va_start(list, option);
    CURLSHcode code = CURLSHE_NOMEM;
    if (!fails("share_setopt")) {
        const bool number = option == CURLSHOPT_SHARE || option == CURLSHOPT_UNSHARE;
        code = number ? real.share_setopt(share, option, va_arg(list, int))
                      : real.share_setopt(share, option, va_arg(list, void*));
    }
    va_end(list);
    return code;
}

CurlApi failing_table() {
    CurlApi table = real;
    table.easy_setopt = easy_setopt;
    table.easy_getinfo = easy_getinfo;
    table.multi_setopt = multi_setopt;
    table.share_setopt = share_setopt;
    WRAP(easy_init, static_cast<CURL*>(nullptr));
    WRAP(easy_pause, CURLE_OUT_OF_MEMORY);
    WRAP(multi_init, static_cast<CURLM*>(nullptr));
    WRAP(multi_add_handle, CURLM_OUT_OF_MEMORY);
    WRAP(multi_perform, CURLM_OUT_OF_MEMORY);
    WRAP(multi_poll, CURLM_OUT_OF_MEMORY);
    WRAP(share_init, static_cast<CURLSH*>(nullptr));
    WRAP(slist_append, static_cast<curl_slist*>(nullptr));
    WRAP(url, static_cast<CURLU*>(nullptr));
    WRAP(url_dup, static_cast<CURLU*>(nullptr));
    WRAP(url_get, CURLUE_OUT_OF_MEMORY);
    WRAP(url_set, CURLUE_OUT_OF_MEMORY);
    WRAP(mime_init, static_cast<curl_mime*>(nullptr));
    WRAP(mime_addpart, static_cast<curl_mimepart*>(nullptr));
    WRAP(mime_name, CURLE_OUT_OF_MEMORY);
    WRAP(mime_data, CURLE_OUT_OF_MEMORY);
    WRAP(mime_filedata, CURLE_OUT_OF_MEMORY);
    WRAP(mime_filename, CURLE_OUT_OF_MEMORY);
    WRAP(mime_type, CURLE_OUT_OF_MEMORY);
    return table;
}

}  // namespace

FaultyCurl::FaultyCurl(std::size_t fail_at) {
    detail::ensure_curl();
    calls_made = 0;
    failing_call = fail_at;
    failed_function = "";
    static const CurlApi failing = failing_table();
    detail::replace_curl_api(failing);
}

FaultyCurl::~FaultyCurl() {
    detail::replace_curl_api(real);
}

std::size_t FaultyCurl::calls() const {
    return calls_made;
}
const char* FaultyCurl::failed() const {
    return failed_function;
}

}  // namespace ringlet::test
