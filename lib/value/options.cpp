#include "value/options.hpp"

#include "value/text.hpp"

#include <array>
#include <atomic>
#include <string_view>

namespace ringlet::detail {
namespace {

std::uint64_t next_id() {
    static std::atomic<std::uint64_t> last{Options::nothing_set};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

template <class T>
void take(std::optional<T>& to, const std::optional<T>& from) {
    if (from) to = from;
}

void take_wire(WireOptions& to, const WireOptions& from) {
    take(to.connect_timeout, from.connect_timeout);
    if (from.credentials || from.bearer) {  // one way of authentication: the later one
        to.credentials = from.credentials;
        to.bearer = from.bearer;
    }
    take(to.proxy, from.proxy);
    take(to.unix_socket, from.unix_socket);
    take(to.local_address, from.local_address);
    take(to.ip_version, from.ip_version);
    take(to.http_version, from.http_version);
    take(to.ca_file, from.ca_file);
    take(to.ca_blob, from.ca_blob);
    take(to.client_certificate, from.client_certificate);
    take(to.verify_tls, from.verify_tls);
    take(to.pinned_key, from.pinned_key);
    take(to.tls_lowest, from.tls_lowest);
    take(to.tls_highest, from.tls_highest);
    take(to.tls_ciphers, from.tls_ciphers);
    take(to.accept_encoding, from.accept_encoding);
    take(to.user_agent, from.user_agent);
    take(to.isolation, from.isolation);
    if (from.authenticated_by != 0) to.authenticated_by = from.authenticated_by;
}

void take_headers(Headers& to, const Headers& from) {
    for (const auto& field : from) to.remove(field.name);
    for (const auto& field : from) to.add(field.name, field.value);
}

/// Writes "name=<size>:value\n": the size keeps one value from looking like several.
class KeyText {
  public:
    void add(std::string_view name, std::string_view value) {
        text_.append(name)
            .append("=")
            .append(std::to_string(value.size()))
            .append(":")
            .append(value)
            .append("\n");
    }
    void add_optional(std::string_view name, const std::optional<std::string>& value) {
        if (value) add(name, *value);
    }
    template <class Enum>
    void add_enum(std::string_view name, const std::optional<Enum>& value) {
        if (value && *value != Enum{}) add(name, std::to_string(static_cast<int>(*value)));
    }
    std::string take() { return std::move(text_); }

  private:
    std::string text_;
};

}  // namespace

void Options::touch_wire() {
    wire_id = next_id();
}
void Options::touch_headers() {
    headers_id = headers.empty() ? 0 : next_id();
}

void Options::note_field(std::string_view name, std::string_view value, bool next_leg) {
    if (!authenticates_connection(name, value) || (next_leg && wire.authenticated_by != 0)) return;
    touch_wire();
    wire.authenticated_by = wire_id;
}

Options merged(const Options& base, const Options& over) {
    Options out = base;
    if (over.wire_id != Options::nothing_set) {
        take_wire(out.wire, over.wire);
        out.touch_wire();
    }
    if (!over.headers.empty()) {
        take_headers(out.headers, over.headers);
        out.touch_headers();
    }
    take(out.timeout, over.timeout);
    take(out.first_byte_timeout, over.first_byte_timeout);
    take(out.low_speed, over.low_speed);
    take(out.follow_redirects, over.follow_redirects);
    take(out.replay, over.replay);
    take(out.retry, over.retry);
    take(out.max_body_size, over.max_body_size);
    take(out.stop, over.stop);
    if (over.progress) out.progress = over.progress;
    return out;
}

std::string isolation_text(const WireOptions& options) {
    KeyText key;
    key.add_optional("proxy", options.proxy);
    key.add_optional("unix_socket", options.unix_socket);
    key.add_optional("local_address", options.local_address);
    key.add_enum("ip_version", options.ip_version);
    key.add_enum("http_version", options.http_version);
    key.add_optional("ca_file", options.ca_file);
    key.add_optional("ca_blob", options.ca_blob);
    if (options.client_certificate) {
        key.add("certificate", options.client_certificate->certificate);
        key.add("key", options.client_certificate->key);
        key.add("key_password", options.client_certificate->password);
    }
    if (!options.verify_tls.value_or(true)) key.add("verify_tls", "0");
    key.add_optional("pinned_key", options.pinned_key);
    key.add_enum("tls_lowest", options.tls_lowest);
    key.add_enum("tls_highest", options.tls_highest);
    key.add_optional("tls_ciphers", options.tls_ciphers);
    key.add_optional("isolation", options.isolation);
    if (options.private_to != 0) key.add("private_to", std::to_string(options.private_to));
    if (options.authenticated_by != 0) key.add("authenticated_by", std::to_string(options.authenticated_by));
    return key.take();
}

}  // namespace ringlet::detail
