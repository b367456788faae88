#include "ringlet/request.hpp"

#include "api/access.hpp"
#include "ringlet/error.hpp"
#include "transfer/percent.hpp"
#include "value/text.hpp"
#include "value/url.hpp"

#include <utility>

namespace ringlet::inline v1 {
namespace {

using detail::Access;

const std::string nothing;  // of a Request that has been moved from

}  // namespace

Request::Request(std::string_view method, std::string_view url)
    : data_(std::make_unique<detail::RequestData>()) {
    if (!detail::is_token(method)) {
        throw Error(Errc::invalid_argument, "method \"" + detail::printable(method) + "\" is not a token");
    }
    if (url.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
        throw Error(Errc::invalid_argument,
                    "URL \"" + detail::redacted_unparsed(url) + "\": CR, LF and NUL are not allowed");
    }
    data_->method = method;
    data_->url = url;
}

Request Request::post(std::string_view url, Body body) {
    return std::move(post(url).body(std::move(body)));
}
Request Request::put(std::string_view url, Body body) {
    return std::move(put(url).body(std::move(body)));
}
Request Request::patch(std::string_view url, Body body) {
    return std::move(patch(url).body(std::move(body)));
}

Request::Request(const Request& other)
    : Settings(other), data_(std::make_unique<detail::RequestData>(Access::data(other))) {}
Request::Request(Request&&) noexcept = default;
Request& Request::operator=(const Request& other) {
    if (this != &other) data_ = std::make_unique<detail::RequestData>(Access::data(other));
    return *this;
}
Request& Request::operator=(Request&&) noexcept = default;
Request::~Request() = default;

Request& Request::query(std::string_view name, std::string_view value) {
    auto& url = Access::data(*this).url;
    const auto fragment_at = std::min(url.find('#'), url.size());
    const auto question = url.find('?');
    const bool has_query = question < fragment_at;
    std::string addition;
    if (!has_query) {
        addition = "?";
    } else if (url[fragment_at - 1] != '?' && url[fragment_at - 1] != '&') {
        addition = "&";
    }
    addition += detail::percent_encoded(name) + '=' + detail::percent_encoded(value);
    url.insert(fragment_at, addition);
    return *this;
}

Request& Request::body(Body body) {
    Access::data(*this).body = std::move(body);
    return *this;
}

Request& Request::form(const Form& fields) {
    return body(Body::form(fields));
}
Request& Request::multipart(Multipart parts) {
    return body(Body::multipart(std::move(parts)));
}

const std::string& Request::method() const noexcept {
    return data_ ? data_->method : nothing;
}
const std::string& Request::url() const noexcept {
    return data_ ? data_->url : nothing;
}

}  // namespace ringlet::inline v1
