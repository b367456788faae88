#include "ringlet/session.hpp"

#include "api/access.hpp"
#include "api/error_code.hpp"
#include "api/session_state.hpp"
#include "ringlet/error.hpp"

#include <utility>

namespace ringlet::inline v1 {

using detail::Access;
using detail::with_error_code;

namespace {

detail::SessionState& alive(const std::shared_ptr<detail::SessionState>& state) {
    if (!state) throw Error(Errc::invalid_argument, "the Session has been moved from");
    return *state;
}

}  // namespace

Session::Session() : Session(ConnectionCache::process_wide()) {}
Session::Session(ConnectionCache cache) : state_(std::make_shared<detail::SessionState>(std::move(cache))) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Session& Session::base_url(std::string_view url) {
    alive(state_).set_base_url(url);
    return *this;
}

Session& Session::cookies(bool on) {
    alive(state_).set_cookies(on);
    return *this;
}

Session& Session::set_raw(CURLoption option, RawValue value) {
    alive(state_).set_raw(option, std::move(value));
    return *this;
}

Session& Session::with_handle(std::function<void(CURL*)> fn) {
    alive(state_).set_with_handle(std::move(fn));
    return *this;
}

Session& Session::reset() {
    alive(state_).reset_raw();
    return *this;
}

void Session::perform() {
    alive(state_).perform();
}
void Session::perform(std::error_code& ec) {
    with_error_code(ec, [&] { alive(state_).perform(); });
}

raw::Info Session::get_raw(CURLINFO what) const {
    return alive(state_).info().get(what);
}

ConnectionCache Session::cache() const {
    return alive(state_).cache();
}

Response Session::send(const Request& request) {
    const auto& data = Access::data(request);
    return Access::response(alive(state_).send(data.method, data.url, data.body, &data.options));
}

Response Session::get(std::string_view url) {
    return Access::response(alive(state_).send("GET", url, {}, nullptr));
}
Response Session::head(std::string_view url) {
    return Access::response(alive(state_).send("HEAD", url, {}, nullptr));
}
Response Session::options(std::string_view url) {
    return Access::response(alive(state_).send("OPTIONS", url, {}, nullptr));
}
Response Session::post(std::string_view url, Body body) {
    return Access::response(alive(state_).send("POST", url, body, nullptr));
}
Response Session::put(std::string_view url, Body body) {
    return Access::response(alive(state_).send("PUT", url, body, nullptr));
}
Response Session::patch(std::string_view url, Body body) {
    return Access::response(alive(state_).send("PATCH", url, body, nullptr));
}
Response Session::del(std::string_view url, Body body) {
    return Access::response(alive(state_).send("DELETE", url, body, nullptr));
}

Response Session::send(const Request& request, std::error_code& ec) {
    return with_error_code(ec, [&] { return send(request); });
}
Response Session::get(std::string_view url, std::error_code& ec) {
    return with_error_code(ec, [&] { return get(url); });
}
Response Session::head(std::string_view url, std::error_code& ec) {
    return with_error_code(ec, [&] { return head(url); });
}
Response Session::options(std::string_view url, std::error_code& ec) {
    return with_error_code(ec, [&] { return options(url); });
}
Response Session::post(std::string_view url, Body body, std::error_code& ec) {
    return with_error_code(ec, [&] { return post(url, std::move(body)); });
}
Response Session::put(std::string_view url, Body body, std::error_code& ec) {
    return with_error_code(ec, [&] { return put(url, std::move(body)); });
}
Response Session::patch(std::string_view url, Body body, std::error_code& ec) {
    return with_error_code(ec, [&] { return patch(url, std::move(body)); });
}
Response Session::del(std::string_view url, Body body, std::error_code& ec) {
    return with_error_code(ec, [&] { return del(url, std::move(body)); });
}

}  // namespace ringlet::inline v1
