#include "api/access.hpp"
#include "api/adopted_http.hpp"
#include "api/error_code.hpp"
#include "ringlet/error.hpp"
#include "ringlet/socket.hpp"
#include "socket/plain_stream.hpp"
#include "socket/socket_core.hpp"

#include <utility>

namespace ringlet::inline v1 {

using detail::Access;
using detail::with_error_code;

HttpOverSocket::HttpOverSocket(Socket&& socket)
    : http_(std::make_unique<detail::AdoptedHttp>(socket.core().take_for_http())) {}
HttpOverSocket::HttpOverSocket(HttpOverSocket&&) noexcept = default;
HttpOverSocket& HttpOverSocket::operator=(HttpOverSocket&&) noexcept = default;
HttpOverSocket::~HttpOverSocket() = default;

detail::AdoptedHttp& HttpOverSocket::http() const {
    if (!http_)
        throw Error(Errc::client_spent, "client spent: it was moved from, or its connection released");
    return *http_;
}

HttpOverSocket& HttpOverSocket::single_use() {
    http().single_use();
    return *this;
}

Socket HttpOverSocket::release() {
    auto descriptor = http().release();
    auto stream = std::make_unique<detail::PlainStream>(std::move(descriptor));
    http_.reset();
    return Access::socket(std::make_shared<detail::SocketCore>(std::move(stream)));
}

Response HttpOverSocket::send(const Request& request) {
    const auto& data = Access::data(request);
    return Access::response(http().send(data.method, data.url, data.body, &data.options));
}

Response HttpOverSocket::get(std::string_view url) {
    return Access::response(http().send("GET", url, {}, nullptr));
}
Response HttpOverSocket::head(std::string_view url) {
    return Access::response(http().send("HEAD", url, {}, nullptr));
}
Response HttpOverSocket::options(std::string_view url) {
    return Access::response(http().send("OPTIONS", url, {}, nullptr));
}
Response HttpOverSocket::post(std::string_view url, Body body) {
    return Access::response(http().send("POST", url, body, nullptr));
}
Response HttpOverSocket::put(std::string_view url, Body body) {
    return Access::response(http().send("PUT", url, body, nullptr));
}
Response HttpOverSocket::patch(std::string_view url, Body body) {
    return Access::response(http().send("PATCH", url, body, nullptr));
}
Response HttpOverSocket::del(std::string_view url, Body body) {
    return Access::response(http().send("DELETE", url, body, nullptr));
}

Response HttpOverSocket::send(const Request& request, std::error_code& ec) {
    return with_error_code(ec, [&] { return send(request); });
}
Response HttpOverSocket::get(std::string_view url, std::error_code& ec) {
    return with_error_code(ec, [&] { return get(url); });
}
Response HttpOverSocket::head(std::string_view url, std::error_code& ec) {
    return with_error_code(ec, [&] { return head(url); });
}
Response HttpOverSocket::options(std::string_view url, std::error_code& ec) {
    return with_error_code(ec, [&] { return options(url); });
}
Response HttpOverSocket::post(std::string_view url, Body body, std::error_code& ec) {
    return with_error_code(ec, [&] { return post(url, std::move(body)); });
}
Response HttpOverSocket::put(std::string_view url, Body body, std::error_code& ec) {
    return with_error_code(ec, [&] { return put(url, std::move(body)); });
}
Response HttpOverSocket::patch(std::string_view url, Body body, std::error_code& ec) {
    return with_error_code(ec, [&] { return patch(url, std::move(body)); });
}
Response HttpOverSocket::del(std::string_view url, Body body, std::error_code& ec) {
    return with_error_code(ec, [&] { return del(url, std::move(body)); });
}

}  // namespace ringlet::inline v1
