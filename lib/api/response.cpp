#include "ringlet/response.hpp"

#include "api/error_code.hpp"
#include "ringlet/error.hpp"
#include "transfer/exchange.hpp"
#include "transfer/file_sink.hpp"

#include <algorithm>
#include <utility>

namespace ringlet::inline v1 {
namespace {

using detail::with_error_code;

const Headers no_headers;

void append_text(void* to, const char* data, std::size_t size) {
    static_cast<std::string*>(to)->append(data, size);
}

void append_bytes(void* to, const char* data, std::size_t size) {
    auto& bytes = *static_cast<std::vector<std::byte>*>(to);
    const auto* first = reinterpret_cast<const std::byte*>(data);
    bytes.insert(bytes.end(), first, first + size);
}

/// How much to reserve for a body: what is announced, as far as it is believed before it comes.
std::size_t expected_size(const detail::Exchange& exchange) {
    constexpr std::uint64_t believed = 16 * 1024 * 1024;
    return static_cast<std::size_t>(std::min(exchange.head().content_length().value_or(0), believed));
}

}  // namespace

std::string_view to_string(BodyState state) noexcept {
    switch (state) {
        case BodyState::unread:
            return "unread";
        case BodyState::partially_read:
            return "partially_read";
        case BodyState::complete:
            return "complete";
        case BodyState::abandoned:
            return "abandoned";
        case BodyState::failed:
            return "failed";
    }
    return "unknown";
}

Response::Response() noexcept = default;

Response::Response(std::shared_ptr<detail::Exchange> exchange) noexcept : exchange_(std::move(exchange)) {
    exchange_->add_handle();
}

Response::Response(Response&& other) noexcept : exchange_(std::move(other.exchange_)) {}

Response& Response::operator=(Response&& other) noexcept {
    if (this != &other) {
        const Response old(std::move(*this));
        exchange_ = std::move(other.exchange_);
    }
    return *this;
}

Response::~Response() {
    if (exchange_) exchange_->remove_handle();
}

int Response::status() const noexcept {
    return exchange_ ? exchange_->head().status() : 0;
}
std::string_view Response::reason() const noexcept {
    return exchange_ ? exchange_->head().reason() : std::string_view{};
}
Protocol Response::version() const noexcept {
    return exchange_ ? exchange_->protocol() : Protocol::unknown;
}
std::string Response::url() const {
    return exchange_ ? exchange_->url() : std::string{};
}
const Headers& Response::headers() const {
    return exchange_ ? exchange_->head().headers() : no_headers;
}

const Headers& Response::trailers() const {
    return exchange_ && body_state() == BodyState::complete ? exchange_->head().trailers() : no_headers;
}

std::optional<std::uint64_t> Response::content_length() const {
    return exchange_ ? exchange_->head().content_length() : std::nullopt;
}

BodyState Response::body_state() const noexcept {
    return exchange_ ? exchange_->state() : BodyState::complete;
}
bool Response::locked() const noexcept {
    return exchange_ && exchange_->locked();
}

std::size_t Response::read(std::span<std::byte> buffer) {
    return exchange_ ? exchange_->read(buffer) : 0;
}

std::string Response::text() {
    std::string text;
    if (!exchange_) return text;
    text.reserve(expected_size(*exchange_));
    exchange_->read_all({&text, append_text});
    return text;
}

std::vector<std::byte> Response::bytes() {
    std::vector<std::byte> bytes;
    if (!exchange_) return bytes;
    bytes.reserve(expected_size(*exchange_));
    exchange_->read_all({&bytes, append_bytes});
    return bytes;
}

void Response::save_to(const std::filesystem::path& path) {
    detail::FileSink file(path);
    if (exchange_) exchange_->read_all({&file, detail::FileSink::put});
    file.commit();
}

Chunks Response::chunks() {
    return Chunks(exchange_);
}

BodyStream Response::stream() {
    return BodyStream(exchange_);
}

Disposition Response::consume() {
    return consume(DrainLimits{});
}
Disposition Response::consume(DrainLimits limits) {
    return exchange_ ? exchange_->consume(limits) : Disposition{};
}

void Response::abort() {
    if (exchange_) exchange_->abort();
}

std::optional<Disposition> Response::disposition() const noexcept {
    return exchange_ ? exchange_->disposition() : std::nullopt;
}

bool Response::reused() const noexcept {
    return exchange_ && exchange_->reused();
}
std::uint64_t Response::connection_id() const noexcept {
    return exchange_ ? exchange_->connection_id() : 0;
}
std::string Response::local_address() const {
    return exchange_ ? exchange_->local_address() : std::string{};
}
std::string Response::remote_address() const {
    return exchange_ ? exchange_->remote_address() : std::string{};
}
Timings Response::timings() const noexcept {
    return exchange_ ? exchange_->timings() : Timings{};
}

std::size_t Response::read(std::span<std::byte> buffer, std::error_code& ec) {
    return with_error_code(ec, [&] { return read(buffer); });
}
std::string Response::text(std::error_code& ec) {
    return with_error_code(ec, [&] { return text(); });
}
std::vector<std::byte> Response::bytes(std::error_code& ec) {
    return with_error_code(ec, [&] { return bytes(); });
}
void Response::save_to(const std::filesystem::path& path, std::error_code& ec) {
    with_error_code(ec, [&] { save_to(path); });
}
Disposition Response::consume(std::error_code& ec) {
    return with_error_code(ec, [&] { return consume(); });
}
Disposition Response::consume(DrainLimits limits, std::error_code& ec) {
    return with_error_code(ec, [&] { return consume(limits); });
}

}  // namespace ringlet::inline v1
