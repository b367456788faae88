#include "transfer/failure.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace ringlet::detail {
namespace {

// libcurl's own caps on a head say "out of memory" on 7.88 and "receive error" or "too large" later.
constexpr auto curle_too_large = static_cast<CURLcode>(100);  // CURLE_TOO_LARGE, since 8.6
constexpr std::size_t suspiciously_large_head = 90 * 1024;

Errc code_of(Transfer& transfer) {
    const auto result = transfer.result();
    const auto& head = transfer.head();
    switch (transfer.failure()) {
        case Failure::head_too_large:
        case Failure::body_too_large:
            return Errc::too_large;
        case Failure::replay_refused:
        case Failure::head_cut:
        case Failure::forked:
            return Errc::connection_lost;
        case Failure::asked_again:
        case Failure::not_http2:
        case Failure::bad_field:
        case Failure::bad_length:
            return Errc::protocol;
        case Failure::gzip_cut:
            return Errc::decode;
        case Failure::given_up:
            return Errc::cancelled;
        case Failure::none:
            break;
    }
    const bool in_head = !head.complete();
    if (in_head && (result == CURLE_OUT_OF_MEMORY || result == curle_too_large)) return Errc::too_large;
    if (in_head && result == CURLE_RECV_ERROR && head.size() > suspiciously_large_head)
        return Errc::too_large;
    if (transfer.proxy_refused()) return Errc::proxy;
    // HTTP/2: the connection ended before the answer began.
    if (in_head && result == CURLE_PARTIAL_FILE) return Errc::connection_lost;
    // libcurl's word for an answer without a status line: HTTP/0.9.
    if (result == CURLE_UNSUPPORTED_PROTOCOL && transfer.sends() != 0) return Errc::protocol;
    return errc_of(result, head.complete());
}

/// libcurl repeats a proxy's URL as it was given, in quotes, and that needs no scheme: all goes from the
/// quote, or the scheme, up to the last '@'. A file's name, which it repeats with quotes or without, stays.
std::string without_user_info(std::string text) {
    const auto at = text.rfind('@');
    if (at == std::string::npos) return text;
    const auto scheme = text.find("://");
    const auto from = scheme < at ? scheme + 3 : text.find_first_of("'\"") + 1;
    const bool is_file = from == 0 || (scheme >= at && (text[from] == '/' || text[from] == '.'));
    if (!is_file && from <= at) text.erase(from, at + 1 - from);
    return text;
}

std::string_view words_for(const Transfer& transfer) {
    switch (transfer.failure()) {
        case Failure::head_too_large:
            return "the answer's header fields exceed 300 KiB";
        case Failure::body_too_large:
            return "the body exceeds max_body_size";
        case Failure::replay_refused:
            return "the kept connection was lost before an answer came; the request may not be sent twice "
                   "(see replay())";
        case Failure::asked_again:
            return "the server asks for credentials again and again";
        case Failure::not_http2:
            return "an HTTP/2 status line on a connection that is not HTTP/2";
        case Failure::head_cut:
            return "the connection ended in the middle of the answer's header fields";
        case Failure::gzip_cut:
            return "the gzip data breaks off before its end";
        case Failure::bad_field:
            return "a bare CR in the answer's header fields";
        case Failure::bad_length:
            return "the answer's Content-Length is no number, or there are several that differ";
        case Failure::forked:
            return "the process has forked: the connection is the parent's";
        case Failure::given_up:
            return "the response was aborted or dropped inside a callback of its own transfer";
        case Failure::none:
            break;
    }
    return {};
}

}  // namespace

Errc errc_of(CURLcode code, bool body_started) noexcept {
    switch (code) {
        case CURLE_URL_MALFORMAT:
            return Errc::invalid_argument;
        case CURLE_UNSUPPORTED_PROTOCOL:
            return Errc::unsupported_protocol;
        case CURLE_COULDNT_RESOLVE_HOST:
            return Errc::resolve;
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_PROXY:
            return Errc::proxy;
        case CURLE_COULDNT_CONNECT:
        case CURLE_INTERFACE_FAILED:
            return Errc::connect;
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CRL_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        case CURLE_SSL_INVALIDCERTSTATUS:
        case CURLE_SSL_ENGINE_NOTFOUND:
        case CURLE_SSL_ENGINE_SETFAILED:
        case CURLE_SSL_CLIENTCERT:
        case CURLE_USE_SSL_FAILED:
            return Errc::tls;
        case CURLE_OPERATION_TIMEDOUT:
            return Errc::timeout;
        case CURLE_PARTIAL_FILE:
            return Errc::truncated;
        case CURLE_GOT_NOTHING:
            return Errc::empty_reply;
        case CURLE_BAD_CONTENT_ENCODING:
            return Errc::decode;
        case CURLE_WRITE_ERROR:
            return body_started ? Errc::decode : Errc::protocol;
        case CURLE_READ_ERROR:
        case CURLE_ABORTED_BY_CALLBACK:
            return Errc::upload;
        case CURLE_SEND_FAIL_REWIND:
            return Errc::body_not_replayable;
        case CURLE_FILESIZE_EXCEEDED:
        case curle_too_large:
            return Errc::too_large;
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
            return Errc::connection_lost;
        case CURLE_TOO_MANY_REDIRECTS:
            return Errc::too_many_redirects;
        case CURLE_BAD_FUNCTION_ARGUMENT:
        case CURLE_UNKNOWN_OPTION:
        case CURLE_NOT_BUILT_IN:
            return Errc::invalid_argument;
        default:
            return Errc::protocol;
    }
}

std::string words_of(CURLcode code, const char* error_text) {
    std::string words = curl().easy_strerror(code);
    const auto own = without_user_info(error_text);
    if (!own.empty() && own != words) words += ": " + own;
    return words;
}

Error request_error(Errc code, std::string_view method, std::string_view url, std::string_view why,
                    ErrorDetails details) {
    details.url = redacted(url);
    std::string message;
    message.append(method)
        .append(" ")
        .append(details.url)
        .append(" (")
        .append(to_string(details.phase))
        .append("): ");
    message.append(why);
    return Error(code, message, std::move(details));
}

Error transfer_error(Transfer& transfer, std::string_view method, const Url& url, bool idempotent) {
    ErrorDetails details;
    details.native_code = transfer.result();
    if (transfer.failure() == Failure::bad_length)
        details.native_code = CURLE_WEIRD_SERVER_REPLY;  // as libcurl would
    details.phase = transfer.phase();
    details.bytes_received = transfer.body_bytes();
    details.remote_address = transfer.lane().remote_address();
    if (details.remote_address.empty()) details.remote_address = transfer.lane().attempted_address();
    const auto code = code_of(transfer);
    if (code == Errc::tls)
        details.phase = Phase::tls;  // also where the peer was gone before anyone could look
    const bool unanswered = !transfer.head().started();
    const bool transient =
        code == Errc::connection_lost || code == Errc::empty_reply || code == Errc::timeout;
    const bool never_sent =
        transfer.sends() == 0 && (code == Errc::connect || code == Errc::resolve || code == Errc::timeout);
    details.retryable = never_sent || (transient && idempotent && unanswered);
    std::string why(words_for(transfer));
    if (why.empty()) {
        why = words_of(transfer.result(), transfer.lane().error_text());
        if (!details.remote_address.empty()) why += " [" + details.remote_address + "]";
    }
    return request_error(code, method, url.text(), why, std::move(details));
}

}  // namespace ringlet::detail
