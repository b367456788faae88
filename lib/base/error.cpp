#include "ringlet/error.hpp"

#include <array>
#include <utility>

namespace ringlet::inline v1 {
namespace {

struct Entry {
    Errc code;
    std::string_view name;
    std::string_view meaning;
};

constexpr std::array entries{
    Entry{Errc::invalid_argument, "invalid_argument", "invalid argument"},
    Entry{Errc::unsupported_protocol, "unsupported_protocol", "only http and https are supported"},
    Entry{Errc::conflicting_settings, "conflicting_settings", "the cache exists with other settings"},
    Entry{Errc::session_busy, "session_busy", "the session's previous response is unfinished"},
    Entry{Errc::body_locked, "body_locked", "another reader has the body"},
    Entry{Errc::body_already_read, "body_already_read", "the body has already been read"},
    Entry{Errc::acquire_timeout, "acquire_timeout", "no connection became free in time"},
    Entry{Errc::cache_closed, "cache_closed", "the connection cache has been shut down"},
    Entry{Errc::cancelled, "cancelled", "cancelled"},
    Entry{Errc::timeout, "timeout", "timed out"},
    Entry{Errc::resolve, "resolve", "host name not resolved"},
    Entry{Errc::connect, "connect", "connection not established"},
    Entry{Errc::tls, "tls", "TLS failure"},
    Entry{Errc::proxy, "proxy", "proxy failure"},
    Entry{Errc::protocol, "protocol", "the answer breaks the protocol"},
    Entry{Errc::truncated, "truncated", "the answer ended early"},
    Entry{Errc::empty_reply, "empty_reply", "the connection ended without an answer"},
    Entry{Errc::connection_lost, "connection_lost", "the connection was lost"},
    Entry{Errc::decode, "decode", "the body cannot be decoded"},
    Entry{Errc::too_large, "too_large", "a size limit was exceeded"},
    Entry{Errc::too_many_redirects, "too_many_redirects", "too many redirects"},
    Entry{Errc::body_not_replayable, "body_not_replayable", "the request body cannot be sent again"},
    Entry{Errc::upload, "upload", "the request body's source failed"},
    Entry{Errc::socket_closed, "socket_closed", "the socket is closed"},
    Entry{Errc::socket_locked, "socket_locked", "another thread uses the socket"},
    Entry{Errc::socket_taken, "socket_taken", "the socket has been taken over"},
    Entry{Errc::socket_disturbed, "socket_disturbed", "the peer has sent bytes that nobody read"},
    Entry{Errc::client_spent, "client_spent", "the client's one connection is used up"},
};

const Entry* find(int code) noexcept {
    const auto index = static_cast<std::size_t>(code) - 1;
    return index < entries.size() ? &entries[index] : nullptr;
}

class Category final : public std::error_category {
  public:
    const char* name() const noexcept override { return "ringlet"; }
    std::string message(int code) const override {
        const auto* entry = find(code);
        return entry ? std::string(entry->meaning) : "unknown error";
    }
};

/// Neither made at first use (a child that is forked then would wait for ever) nor destroyed.
union Undying {
    constexpr Undying() noexcept : category() {}
    ~Undying() {}  // NOLINT(modernize-use-equals-default): it would be deleted
    Category category;
};
constinit Undying the_category;

}  // namespace

const std::error_category& ringlet_category() noexcept {
    return the_category.category;
}

std::error_code make_error_code(Errc code) noexcept {
    return {static_cast<int>(code), ringlet_category()};
}

std::string_view to_string(Errc code) noexcept {
    const auto* entry = find(static_cast<int>(code));
    return entry ? entry->name : "unknown";
}

std::string_view to_string(Phase phase) noexcept {
    switch (phase) {
        case Phase::none:
            return "none";
        case Phase::acquire:
            return "acquire";
        case Phase::resolve:
            return "resolve";
        case Phase::connect:
            return "connect";
        case Phase::tls:
            return "tls";
        case Phase::send:
            return "send";
        case Phase::head:
            return "head";
        case Phase::body:
            return "body";
        case Phase::drain:
            return "drain";
    }
    return "unknown";
}

Error::Error(Errc code, const std::string& message) : Error(code, message, ErrorDetails{}) {}

Error::Error(Errc code, const std::string& message, ErrorDetails details)
    : std::system_error(make_error_code(code), message),
      data_(std::make_shared<const Data>(Data{message, std::move(details)})) {}

// std::system_error would add the code's own text to a message that has said it already.
const char* Error::what() const noexcept {
    return data_->message.c_str();
}

Error::~Error() = default;

}  // namespace ringlet::inline v1
