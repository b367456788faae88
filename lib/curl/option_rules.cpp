#include "curl/option_rules.hpp"

#include <array>
#include <cstddef>
#include <initializer_list>

// The lists name every option there ever was, those that a newer libcurl calls deprecated too.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace ringlet::detail {
namespace {

// An option's identity without its type: 10000 * type + number.
constexpr std::size_t number_of(int option) {
    return static_cast<unsigned>(option) % 10000U;
}
constexpr std::size_t numbers = 400;

// Younger than the oldest libcurl that this compiles with (7.88).
enum : int {
    opt_haproxy_client_ip = CURLOPTTYPE_STRINGPOINT + 323,         // 8.2
    opt_server_response_timeout_ms = CURLOPTTYPE_LONG + 324,       // 8.6
    opt_ech = CURLOPTTYPE_STRINGPOINT + 325,                       // 8.8
    opt_tcp_keepcnt = CURLOPTTYPE_LONG + 326,                      // 8.9
    opt_upload_flags = CURLOPTTYPE_LONG + 327,                     // 8.13
    opt_ssl_signature_algorithms = CURLOPTTYPE_STRINGPOINT + 328,  // 8.14
    opt_httpsig_algorithm = CURLOPTTYPE_LONG + 329,                // 8.23
    opt_httpsig_key = CURLOPTTYPE_STRINGPOINT + 330,
    opt_httpsig_keyid = CURLOPTTYPE_STRINGPOINT + 331,
    opt_httpsig_headers = CURLOPTTYPE_STRINGPOINT + 332,
};

// By number, where a name is deprecated: naming those would warn.
enum : int {
    opt_httppost = CURLOPTTYPE_OBJECTPOINT + 24,
    opt_put = CURLOPTTYPE_LONG + 54,
    opt_progressfunction = CURLOPTTYPE_FUNCTIONPOINT + 56,
    opt_random_file = CURLOPTTYPE_STRINGPOINT + 76,
    opt_egdsocket = CURLOPTTYPE_STRINGPOINT + 77,
    opt_dns_use_global_cache = CURLOPTTYPE_LONG + 91,
    opt_ioctlfunction = CURLOPTTYPE_FUNCTIONPOINT + 130,
    opt_ioctldata = CURLOPTTYPE_CBPOINT + 131,
    opt_socks5_gssapi_service = CURLOPTTYPE_STRINGPOINT + 179,
    opt_protocols = CURLOPTTYPE_LONG + 181,
    opt_redir_protocols = CURLOPTTYPE_LONG + 182,
    opt_ssl_enable_npn = CURLOPTTYPE_LONG + 225,
};

using Numbers = std::initializer_list<int>;

// Tables, to be read by groups.
// clang-format off

constexpr Numbers addresses = {CURLOPT_URL, CURLOPT_PORT, CURLOPT_DEFAULT_PROTOCOL, CURLOPT_CURLU};

constexpr Numbers credentials = {
    CURLOPT_USERPWD,       CURLOPT_USERNAME,      CURLOPT_PASSWORD,  CURLOPT_HTTPAUTH,
    CURLOPT_LOGIN_OPTIONS, CURLOPT_SASL_AUTHZID,  CURLOPT_NETRC,     CURLOPT_NETRC_FILE,
    CURLOPT_XOAUTH2_BEARER, CURLOPT_UNRESTRICTED_AUTH,
};

// What libcurl itself compares when it looks for a connection, and what it does not though the connection differs: which is
// which changes from release to release.
constexpr Numbers lane_keys = {
    // the way
    CURLOPT_PROXY, CURLOPT_PROXYPORT, CURLOPT_PROXYTYPE, CURLOPT_PROXYUSERPWD, CURLOPT_PROXYUSERNAME,
    CURLOPT_PROXYPASSWORD, CURLOPT_PROXYAUTH, CURLOPT_HTTPPROXYTUNNEL, CURLOPT_NOPROXY, CURLOPT_PRE_PROXY,
    CURLOPT_PROXY_SERVICE_NAME, CURLOPT_SOCKS5_AUTH, opt_socks5_gssapi_service, CURLOPT_SOCKS5_GSSAPI_NEC,
    CURLOPT_PROXYHEADER, CURLOPT_HAPROXYPROTOCOL, opt_haproxy_client_ip,
    CURLOPT_UNIX_SOCKET_PATH, CURLOPT_ABSTRACT_UNIX_SOCKET, CURLOPT_CONNECT_TO,
    CURLOPT_INTERFACE, CURLOPT_LOCALPORT, CURLOPT_LOCALPORTRANGE, CURLOPT_IPRESOLVE, CURLOPT_ADDRESS_SCOPE,
    CURLOPT_DNS_SERVERS, CURLOPT_DNS_INTERFACE, CURLOPT_DNS_LOCAL_IP4, CURLOPT_DNS_LOCAL_IP6,
    CURLOPT_DOH_URL, CURLOPT_DOH_SSL_VERIFYPEER, CURLOPT_DOH_SSL_VERIFYHOST, CURLOPT_DOH_SSL_VERIFYSTATUS,
    CURLOPT_TCP_KEEPALIVE, CURLOPT_TCP_KEEPIDLE, CURLOPT_TCP_KEEPINTVL, opt_tcp_keepcnt,
    CURLOPT_TCP_NODELAY, CURLOPT_TCP_FASTOPEN,
    CURLOPT_HTTP_VERSION, CURLOPT_SSL_ENABLE_ALPN, opt_ssl_enable_npn,
    CURLOPT_SERVICE_NAME, CURLOPT_GSSAPI_DELEGATION, CURLOPT_USE_SSL,
    // TLS
    CURLOPT_SSL_VERIFYPEER, CURLOPT_SSL_VERIFYHOST, CURLOPT_SSL_VERIFYSTATUS, CURLOPT_SSLVERSION,
    CURLOPT_SSL_CIPHER_LIST, CURLOPT_TLS13_CIPHERS, CURLOPT_SSL_EC_CURVES, opt_ssl_signature_algorithms,
    CURLOPT_SSL_OPTIONS, CURLOPT_SSL_SESSIONID_CACHE, CURLOPT_SSL_FALSESTART, opt_ech,
    CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB, CURLOPT_CAPATH, CURLOPT_CRLFILE, CURLOPT_ISSUERCERT,
    CURLOPT_ISSUERCERT_BLOB, CURLOPT_PINNEDPUBLICKEY, CURLOPT_CA_CACHE_TIMEOUT,
    CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB, CURLOPT_SSLCERTTYPE, CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB,
    CURLOPT_SSLKEYTYPE, CURLOPT_KEYPASSWD,
    CURLOPT_TLSAUTH_USERNAME, CURLOPT_TLSAUTH_PASSWORD, CURLOPT_TLSAUTH_TYPE,
    // TLS to the proxy
    CURLOPT_PROXY_SSL_VERIFYPEER, CURLOPT_PROXY_SSL_VERIFYHOST, CURLOPT_PROXY_SSLVERSION,
    CURLOPT_PROXY_SSL_CIPHER_LIST, CURLOPT_PROXY_TLS13_CIPHERS, CURLOPT_PROXY_SSL_OPTIONS,
    CURLOPT_PROXY_CAINFO, CURLOPT_PROXY_CAINFO_BLOB, CURLOPT_PROXY_CAPATH, CURLOPT_PROXY_CRLFILE,
    CURLOPT_PROXY_ISSUERCERT, CURLOPT_PROXY_ISSUERCERT_BLOB, CURLOPT_PROXY_PINNEDPUBLICKEY,
    CURLOPT_PROXY_SSLCERT, CURLOPT_PROXY_SSLCERT_BLOB, CURLOPT_PROXY_SSLCERTTYPE, CURLOPT_PROXY_SSLKEY,
    CURLOPT_PROXY_SSLKEY_BLOB, CURLOPT_PROXY_SSLKEYTYPE, CURLOPT_PROXY_KEYPASSWD,
    CURLOPT_PROXY_TLSAUTH_USERNAME, CURLOPT_PROXY_TLSAUTH_PASSWORD, CURLOPT_PROXY_TLSAUTH_TYPE,
};

constexpr Numbers private_connections = {
    // callbacks: a connection keeps its creator's, and what they did to it
    CURLOPT_OPENSOCKETFUNCTION, CURLOPT_OPENSOCKETDATA, CURLOPT_CLOSESOCKETFUNCTION, CURLOPT_CLOSESOCKETDATA,
    CURLOPT_SOCKOPTFUNCTION, CURLOPT_SOCKOPTDATA, CURLOPT_SSL_CTX_FUNCTION, CURLOPT_SSL_CTX_DATA,
    CURLOPT_RESOLVER_START_FUNCTION, CURLOPT_RESOLVER_START_DATA,
    // an engine's state is the process's
    CURLOPT_SSLENGINE, CURLOPT_SSLENGINE_DEFAULT,
    // entries stay in a handle's DNS cache after the option is gone
    CURLOPT_RESOLVE,
    // the chain is recorded only when a connection is made: a kept one has nothing to show
    CURLOPT_CERTINFO,
    // both send a request elsewhere than its URL says
    CURLOPT_ALTSVC, CURLOPT_ALTSVC_CTRL, CURLOPT_HSTS, CURLOPT_HSTS_CTRL, CURLOPT_HSTSREADFUNCTION,
    CURLOPT_HSTSREADDATA, CURLOPT_HSTSWRITEFUNCTION, CURLOPT_HSTSWRITEDATA,
};

constexpr Numbers passed_through = {CURLOPT_CONNECT_ONLY, CURLOPT_SHARE};

constexpr Numbers harmless = {
    // what is sent
    CURLOPT_HTTPGET, CURLOPT_NOBODY, CURLOPT_POST, CURLOPT_UPLOAD, opt_put, CURLOPT_CUSTOMREQUEST, CURLOPT_POSTFIELDS,
    CURLOPT_COPYPOSTFIELDS, CURLOPT_POSTFIELDSIZE, CURLOPT_POSTFIELDSIZE_LARGE, opt_httppost, CURLOPT_MIMEPOST,
    CURLOPT_MIME_OPTIONS, CURLOPT_INFILESIZE, CURLOPT_INFILESIZE_LARGE, CURLOPT_READDATA, CURLOPT_READFUNCTION,
    CURLOPT_SEEKFUNCTION, CURLOPT_SEEKDATA, opt_ioctlfunction, opt_ioctldata, CURLOPT_TRAILERFUNCTION,
    CURLOPT_TRAILERDATA, CURLOPT_HTTPHEADER, CURLOPT_HEADEROPT, CURLOPT_REFERER, CURLOPT_USERAGENT, CURLOPT_COOKIE,
    CURLOPT_COOKIEFILE, CURLOPT_COOKIEJAR, CURLOPT_COOKIELIST, CURLOPT_COOKIESESSION, CURLOPT_RANGE,
    CURLOPT_RESUME_FROM, CURLOPT_RESUME_FROM_LARGE, CURLOPT_TIMECONDITION, CURLOPT_TIMEVALUE, CURLOPT_TIMEVALUE_LARGE,
    CURLOPT_ACCEPT_ENCODING, CURLOPT_TRANSFER_ENCODING, CURLOPT_EXPECT_100_TIMEOUT_MS, CURLOPT_AWS_SIGV4,
    CURLOPT_REQUEST_TARGET, CURLOPT_PATH_AS_IS, CURLOPT_DISALLOW_USERNAME_IN_URL, CURLOPT_CRLF,
    CURLOPT_TRANSFERTEXT, CURLOPT_STREAM_WEIGHT, opt_upload_flags,
    opt_httpsig_algorithm, opt_httpsig_key, opt_httpsig_keyid, opt_httpsig_headers,
    // what becomes of the answer
    CURLOPT_WRITEDATA, CURLOPT_WRITEFUNCTION, CURLOPT_HEADERDATA, CURLOPT_HEADERFUNCTION, CURLOPT_HEADER,
    CURLOPT_HTTP_CONTENT_DECODING, CURLOPT_HTTP_TRANSFER_DECODING, CURLOPT_FAILONERROR, CURLOPT_HTTP200ALIASES,
    CURLOPT_HTTP09_ALLOWED, CURLOPT_FOLLOWLOCATION, CURLOPT_AUTOREFERER, CURLOPT_MAXREDIRS, CURLOPT_POSTREDIR,
    CURLOPT_MAXFILESIZE, CURLOPT_MAXFILESIZE_LARGE, CURLOPT_FILETIME, CURLOPT_IGNORE_CONTENT_LENGTH,
    CURLOPT_KEEP_SENDING_ON_ERROR, CURLOPT_SUPPRESS_CONNECT_HEADERS,
    opt_protocols, opt_redir_protocols, CURLOPT_PROTOCOLS_STR, CURLOPT_REDIR_PROTOCOLS_STR,
    // how it is watched, and for how long
    CURLOPT_ERRORBUFFER, CURLOPT_STDERR, CURLOPT_VERBOSE, CURLOPT_DEBUGFUNCTION, CURLOPT_DEBUGDATA, CURLOPT_PRIVATE,
    CURLOPT_NOPROGRESS, opt_progressfunction, CURLOPT_XFERINFOFUNCTION, CURLOPT_XFERINFODATA, CURLOPT_PREREQFUNCTION,
    CURLOPT_PREREQDATA, CURLOPT_NOSIGNAL, CURLOPT_QUICK_EXIT, CURLOPT_TIMEOUT, CURLOPT_TIMEOUT_MS,
    CURLOPT_CONNECTTIMEOUT, CURLOPT_CONNECTTIMEOUT_MS, CURLOPT_ACCEPTTIMEOUT_MS, CURLOPT_SERVER_RESPONSE_TIMEOUT,
    opt_server_response_timeout_ms, CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS, CURLOPT_LOW_SPEED_LIMIT,
    CURLOPT_LOW_SPEED_TIME, CURLOPT_MAX_SEND_SPEED_LARGE, CURLOPT_MAX_RECV_SPEED_LARGE, CURLOPT_BUFFERSIZE,
    CURLOPT_UPLOAD_BUFFERSIZE, CURLOPT_DNS_CACHE_TIMEOUT, opt_dns_use_global_cache, CURLOPT_DNS_SHUFFLE_ADDRESSES,
    // judged anew by each request that looks for a connection
    CURLOPT_FRESH_CONNECT, CURLOPT_FORBID_REUSE, CURLOPT_MAXCONNECTS, CURLOPT_MAXAGE_CONN, CURLOPT_MAXLIFETIME_CONN,
    CURLOPT_PIPEWAIT, CURLOPT_UPKEEP_INTERVAL_MS,
    // without effect for years
    opt_random_file, opt_egdsocket,
    // of other protocols, which take no lane
    CURLOPT_FTPPORT, CURLOPT_QUOTE, CURLOPT_POSTQUOTE, CURLOPT_PREQUOTE, CURLOPT_DIRLISTONLY, CURLOPT_APPEND,
    CURLOPT_KRBLEVEL, CURLOPT_TELNETOPTIONS, CURLOPT_FTP_USE_EPSV, CURLOPT_FTP_USE_EPRT,
    CURLOPT_FTP_CREATE_MISSING_DIRS, CURLOPT_FTPSSLAUTH, CURLOPT_FTP_ACCOUNT, CURLOPT_FTP_SKIP_PASV_IP,
    CURLOPT_FTP_FILEMETHOD, CURLOPT_FTP_ALTERNATIVE_TO_USER, CURLOPT_FTP_SSL_CCC, CURLOPT_FTP_USE_PRET,
    CURLOPT_SSH_AUTH_TYPES, CURLOPT_SSH_PUBLIC_KEYFILE, CURLOPT_SSH_PRIVATE_KEYFILE,
    CURLOPT_SSH_HOST_PUBLIC_KEY_MD5, CURLOPT_SSH_HOST_PUBLIC_KEY_SHA256, CURLOPT_SSH_KNOWNHOSTS,
    CURLOPT_SSH_KEYFUNCTION, CURLOPT_SSH_KEYDATA, CURLOPT_SSH_HOSTKEYFUNCTION, CURLOPT_SSH_HOSTKEYDATA,
    CURLOPT_SSH_COMPRESSION, CURLOPT_NEW_FILE_PERMS, CURLOPT_NEW_DIRECTORY_PERMS, CURLOPT_PROXY_TRANSFER_MODE,
    CURLOPT_TFTP_BLKSIZE, CURLOPT_TFTP_NO_OPTIONS, CURLOPT_MAIL_FROM, CURLOPT_MAIL_RCPT, CURLOPT_MAIL_AUTH,
    CURLOPT_MAIL_RCPT_ALLLOWFAILS, CURLOPT_SASL_IR, CURLOPT_RTSP_REQUEST, CURLOPT_RTSP_SESSION_ID,
    CURLOPT_RTSP_STREAM_URI, CURLOPT_RTSP_TRANSPORT, CURLOPT_RTSP_CLIENT_CSEQ, CURLOPT_RTSP_SERVER_CSEQ,
    CURLOPT_WS_OPTIONS, CURLOPT_INTERLEAVEDATA, CURLOPT_INTERLEAVEFUNCTION, CURLOPT_WILDCARDMATCH, CURLOPT_CHUNK_BGN_FUNCTION,
    CURLOPT_CHUNK_END_FUNCTION, CURLOPT_CHUNK_DATA, CURLOPT_FNMATCH_FUNCTION, CURLOPT_FNMATCH_DATA,
};
// clang-format on

constexpr Numbers lists = {CURLOPT_CONNECT_TO, CURLOPT_PROXYHEADER, CURLOPT_RESOLVE, CURLOPT_HTTPHEADER};

struct Rules {
    std::array<OptionEffect, numbers> effect;
    std::array<OptionType, numbers> pointer;

    constexpr void add(Numbers options, OptionEffect wanted) {
        for (const int option : options) effect[number_of(option)] = wanted;
    }
    constexpr Rules() : effect{}, pointer{} {
        effect.fill(OptionEffect::is_private);
        pointer.fill(OptionType::pointer);
        add(harmless, OptionEffect::harmless);
        add(addresses, OptionEffect::names_origin);
        add(lane_keys, OptionEffect::in_key);
        add(credentials, OptionEffect::credential);
        add(private_connections, OptionEffect::is_private);
        add(passed_through, OptionEffect::own_way);
        // All of these that are pointers and no lists are strings.
        for (const auto options : {addresses, lane_keys, credentials}) {
            for (const int option : options) pointer[number_of(option)] = OptionType::text;
        }
        for (const int option : lists) pointer[number_of(option)] = OptionType::list;
        pointer[number_of(CURLOPT_CURLU)] = OptionType::pointer;
    }
};

constexpr Rules rules;

}  // namespace

OptionEffect effect_of(CURLoption option) noexcept {
    const auto number = number_of(static_cast<int>(option));
    return number < numbers ? rules.effect[number] : OptionEffect::is_private;
}

bool binds_connection(unsigned long auth) noexcept {
    constexpr unsigned long ntlm_wb = 1UL << 5;  // CURLAUTH_NTLM_WB, deprecated
    return (auth & (CURLAUTH_NTLM | CURLAUTH_NEGOTIATE | ntlm_wb)) != 0;
}

OptionType option_type(CURLoption option) noexcept {
    const int value = static_cast<int>(option);
    if (value < CURLOPTTYPE_OBJECTPOINT) return OptionType::number;
    if (value >= CURLOPTTYPE_BLOB) return OptionType::blob;
    if (value >= CURLOPTTYPE_OFF_T) return OptionType::offset;
    if (value >= CURLOPTTYPE_FUNCTIONPOINT) return OptionType::function;
    const auto number = number_of(value);
    return number < numbers ? rules.pointer[number] : OptionType::pointer;
}

}  // namespace ringlet::detail
