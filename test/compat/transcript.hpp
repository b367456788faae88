// One run of a scenario through one family of easy functions, and all that a program can see of it. Header
// only.
#pragma once

#define RINGLET_CURL_OFF  // both families by name: curl_easy_* and ringlet_easy_*
#include <ringlet/curl.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace ringlet::test {

struct EasyApi {
    decltype(&curl_easy_init) init;
    CURLcode (*setopt)(CURL*, CURLoption, ...);
    decltype(&curl_easy_perform) perform;
    CURLcode (*getinfo)(CURL*, CURLINFO, ...);
    decltype(&curl_easy_reset) reset;
    decltype(&curl_easy_duphandle) duplicate;
    decltype(&curl_easy_cleanup) cleanup;
};

inline const EasyApi plain_libcurl{curl_easy_init,      (curl_easy_setopt), curl_easy_perform,
                                   (curl_easy_getinfo), curl_easy_reset,    curl_easy_duphandle,
                                   curl_easy_cleanup};
inline const EasyApi drop_in{ringlet_easy_init,    ringlet_easy_setopt, ringlet_easy_perform,
                             ringlet_easy_getinfo, ringlet_easy_reset,  ringlet_easy_duphandle,
                             ringlet_easy_cleanup};

class Transcript;

/// A handle whose callbacks write down what they are told.
class Watched {
  public:
    Watched(Transcript& transcript, CURL* easy);
    ~Watched();
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

    template <class T>
    Watched& set(CURLoption option, T value);
    /// What an upload reads: pieces of at most that many bytes.
    Watched& upload(std::string bytes, std::size_t piece = 1000, bool seekable = true);
    Watched& verbose();
    Watched& url(const std::string& url) { return set(CURLOPT_URL, url.c_str()); }
    CURLcode perform();
    std::unique_ptr<Watched> duplicate();
    void reset();
    CURL* get() const { return easy_; }

    std::size_t take_at_most = SIZE_MAX;  // bytes of body; then the write callback refuses

  private:
    static std::size_t on_write(char* data, std::size_t size, std::size_t n, void* self);
    static std::size_t on_header(char* data, std::size_t size, std::size_t n, void* self);
    static std::size_t on_read(char* buffer, std::size_t size, std::size_t n, void* self);
    static int on_seek(void* self, curl_off_t offset, int origin);
    static int on_debug(CURL* easy, curl_infotype type, char* data, std::size_t size, void* self);
    static int on_prereq(void* self, char*, char*, int, int);
    void watch();

    Transcript& transcript_;
    CURL* easy_;
    std::string upload_;
    std::size_t piece_ = 0, uploaded_ = 0, taken_ = 0;
    char error_[CURL_ERROR_SIZE] = "";
};

class Transcript {
  public:
    explicit Transcript(const EasyApi& family) : api(family) {}
    std::unique_ptr<Watched> handle(const std::string& url) {
        auto handle = std::make_unique<Watched>(*this, api.init());
        handle->url(url);
        return handle;
    }
    void line(const std::string& text) {
        lines_.push_back(text);
        open_ = '\0';
    }
    /// Pieces of one kind that follow each other are one: their sizes are the network's.
    void piece(char kind, std::string_view text) {
        if (open_ != kind) lines_.push_back(std::string(1, kind) + ' ');
        open_ = kind;
        lines_.back().append(text);
    }
    const std::vector<std::string>& lines() const { return lines_; }
    std::size_t transfers() const { return transfers_; }
    void results(CURL* easy, CURLcode code, const char* error);

    const EasyApi& api;

  private:
    void number(CURL* easy, const char* name, CURLINFO info);
    void offset(CURL* easy, const char* name, CURLINFO info);
    void text(CURL* easy, const char* name, CURLINFO info);
    std::vector<std::string> lines_;
    std::size_t transfers_ = 0;
    char open_ = '\0';
};

inline Watched::Watched(Transcript& transcript, CURL* easy) : transcript_(transcript), easy_(easy) {
    watch();
}
inline Watched::~Watched() {
    transcript_.api.cleanup(easy_);
}

template <class T>
Watched& Watched::set(CURLoption option, T value) {
    const auto code = transcript_.api.setopt(easy_, option, value);
    if (code != CURLE_OK) transcript_.line("setopt " + std::to_string(option) + ": " + std::to_string(code));
    return *this;
}

inline void Watched::watch() {
    set(CURLOPT_WRITEFUNCTION, &Watched::on_write).set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Watched::on_header).set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_READFUNCTION, &Watched::on_read).set(CURLOPT_READDATA, this);
    set(CURLOPT_PREREQFUNCTION, &Watched::on_prereq).set(CURLOPT_PREREQDATA, this);
    set(CURLOPT_ERRORBUFFER, &error_[0]).set(CURLOPT_NOSIGNAL, 1L).set(CURLOPT_PROXY, "");
}

inline Watched& Watched::upload(std::string bytes, std::size_t piece, bool seekable) {
    upload_ = std::move(bytes);
    piece_ = piece;
    if (seekable) set(CURLOPT_SEEKFUNCTION, &Watched::on_seek).set(CURLOPT_SEEKDATA, this);
    return set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(upload_.size()));
}

inline Watched& Watched::verbose() {
    set(CURLOPT_DEBUGFUNCTION, &Watched::on_debug).set(CURLOPT_DEBUGDATA, this);
    return set(CURLOPT_VERBOSE, 1L);
}

inline CURLcode Watched::perform() {
    uploaded_ = taken_ = 0;
    std::strcpy(error_, "left over");
    const auto code = transcript_.api.perform(easy_);
    transcript_.results(easy_, code, error_);
    return code;
}

inline std::unique_ptr<Watched> Watched::duplicate() {
    return std::make_unique<Watched>(transcript_, transcript_.api.duplicate(easy_));
}

inline void Watched::reset() {
    transcript_.api.reset(easy_);
    watch();
}

inline std::size_t Watched::on_write(char* data, std::size_t size, std::size_t n, void* self) {
    auto& me = *static_cast<Watched*>(self);
    me.transcript_.piece('W', {data, size * n});
    me.taken_ += size * n;
    return me.taken_ > me.take_at_most ? 0 : size * n;
}

inline std::size_t Watched::on_header(char* data, std::size_t size, std::size_t n, void* self) {
    static_cast<Watched*>(self)->transcript_.line("H " + std::string(data, size * n));
    return size * n;
}

inline std::size_t Watched::on_read(char* buffer, std::size_t size, std::size_t n, void* self) {
    auto& me = *static_cast<Watched*>(self);
    const auto left = me.upload_.size() - me.uploaded_;
    const auto now = std::min({left, me.piece_, size * n});
    std::memcpy(buffer, me.upload_.data() + me.uploaded_, now);
    me.uploaded_ += now;
    me.transcript_.piece('R', {buffer, now});
    return now;
}

inline int Watched::on_seek(void* self, curl_off_t offset, int origin) {
    auto& me = *static_cast<Watched*>(self);
    me.transcript_.line("S " + std::to_string(offset) + ' ' + std::to_string(origin));
    me.uploaded_ = static_cast<std::size_t>(offset);
    return CURL_SEEKFUNC_OK;
}

inline int Watched::on_prereq(void* self, char*, char*, int, int) {
    static_cast<Watched*>(self)->transcript_.line("prereq");
    return CURL_PREREQFUNC_OK;
}

inline int Watched::on_debug(CURL*, curl_infotype type, char* data, std::size_t size, void* self) {
    auto& transcript = static_cast<Watched*>(self)->transcript_;
    const std::string text(data, size);
    // Newer ones name the port that the kernel chose for this end, and times.
    static const std::regex changing("from [0-9.:a-f]+ port [0-9]+|after [0-9]+ ms|[0-9]+ us|0x[0-9a-f]+");
    // With libcurl 8.14 over TLS, before or after the first bytes of the answer.
    if (type == CURLINFO_TEXT && text == "Request completely sent off\n") return 0;
    if (type == CURLINFO_TEXT) transcript.line("V " + std::regex_replace(text, changing, "..."));
    if (type == CURLINFO_HEADER_OUT) transcript.line("V> " + text);
    if (type == CURLINFO_HEADER_IN) transcript.line("V< " + text);
    return 0;
}

inline void Transcript::number(CURL* easy, const char* name, CURLINFO info) {
    long value = -1;
    const auto code = api.getinfo(easy, info, &value);
    line(std::string(name) + ' ' + std::to_string(code) + ' ' + std::to_string(value));
}

inline void Transcript::offset(CURL* easy, const char* name, CURLINFO info) {
    curl_off_t value = -1;
    const auto code = api.getinfo(easy, info, &value);
    line(std::string(name) + ' ' + std::to_string(code) + ' ' + std::to_string(value));
}

inline void Transcript::text(CURL* easy, const char* name, CURLINFO info) {
    char* value = nullptr;
    const auto code = api.getinfo(easy, info, &value);
    line(std::string(name) + ' ' + std::to_string(code) + ' ' + (value != nullptr ? value : "(null)"));
}

inline void Transcript::results(CURL* easy, CURLcode code, const char* error) {
    // Where a transfer stood when its time was over is the clock's to say.
    static const std::regex times("[0-9]+ milliseconds|[0-9]+ ms|[0-9]+ out of [0-9]+ bytes");
    ++transfers_;
    line("code " + std::to_string(code));
    line("error " + std::regex_replace(std::string(error), times, "..."));
    number(easy, "response code", CURLINFO_RESPONSE_CODE);
    number(easy, "connect code", CURLINFO_HTTP_CONNECTCODE);
    number(easy, "header size", CURLINFO_HEADER_SIZE);
    number(easy, "request size", CURLINFO_REQUEST_SIZE);
    number(easy, "verify result", CURLINFO_SSL_VERIFYRESULT);
    number(easy, "file time", CURLINFO_FILETIME);
    number(easy, "redirects", CURLINFO_REDIRECT_COUNT);
    number(easy, "auth", CURLINFO_HTTPAUTH_AVAIL);
    number(easy, "proxy auth", CURLINFO_PROXYAUTH_AVAIL);
    number(easy, "errno", CURLINFO_OS_ERRNO);
    number(easy, "connects", CURLINFO_NUM_CONNECTS);
    number(easy, "condition unmet", CURLINFO_CONDITION_UNMET);
    number(easy, "port", CURLINFO_PRIMARY_PORT);
    number(easy, "version", CURLINFO_HTTP_VERSION);
    number(easy, "proxy error", CURLINFO_PROXY_ERROR);
    text(easy, "effective url", CURLINFO_EFFECTIVE_URL);
    text(easy, "redirect url", CURLINFO_REDIRECT_URL);
    text(easy, "content type", CURLINFO_CONTENT_TYPE);
    text(easy, "remote", CURLINFO_PRIMARY_IP);
    text(easy, "local", CURLINFO_LOCAL_IP);
    text(easy, "scheme", CURLINFO_SCHEME);
    text(easy, "method", CURLINFO_EFFECTIVE_METHOD);
    text(easy, "referer", CURLINFO_REFERER);
    offset(easy, "uploaded", CURLINFO_SIZE_UPLOAD_T);
    offset(easy, "downloaded", CURLINFO_SIZE_DOWNLOAD_T);
    offset(easy, "length down", CURLINFO_CONTENT_LENGTH_DOWNLOAD_T);
    offset(easy, "length up", CURLINFO_CONTENT_LENGTH_UPLOAD_T);
    offset(easy, "retry after", CURLINFO_RETRY_AFTER);
    long local_port = 0;
    api.getinfo(easy, CURLINFO_LOCAL_PORT, &local_port);
    line(local_port > 0 ? "a local port" : "no local port");
    curl_slist* cookies = nullptr;
    api.getinfo(easy, CURLINFO_COOKIELIST, &cookies);
    for (auto* cookie = cookies; cookie != nullptr; cookie = cookie->next)
        line(std::string("cookie ") + cookie->data);
    curl_slist_free_all(cookies);
}

}  // namespace ringlet::test
