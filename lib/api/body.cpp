#include "ringlet/body.hpp"

#include "ringlet/error.hpp"
#include "transfer/body_data.hpp"
#include "transfer/percent.hpp"
#include "value/text.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace ringlet::inline v1 {
namespace {

std::shared_ptr<detail::BodyData> make(decltype(detail::BodyData::content) content, std::string type = {}) {
    auto data = std::make_shared<detail::BodyData>();
    data->content = std::move(content);
    data->content_type = std::move(type);
    return data;
}

/// A Source made of functions.
class PullSource final : public Source {
  public:
    PullSource(std::function<std::size_t(std::span<std::byte>)> read, std::optional<std::uint64_t> size,
               std::function<bool()> rewind)
        : read_(std::move(read)), size_(size), rewind_(std::move(rewind)) {}
    std::size_t read(std::span<std::byte> buffer) override { return read_(buffer); }
    std::optional<std::uint64_t> size() const override { return size_; }
    bool rewind() override { return rewind_ && rewind_(); }

  private:
    std::function<std::size_t(std::span<std::byte>)> read_;
    std::optional<std::uint64_t> size_;
    std::function<bool()> rewind_;
};

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Source::~Source() = default;

Body::Body() noexcept = default;
Body::Body(std::string text) : data_(make(std::move(text))) {}
Body::Body(std::string_view text) : data_(make(std::string(text))) {}
Body::Body(const char* text) : data_(make(std::string(text))) {}
Body::Body(std::span<const std::byte> bytes) : data_(make(text_of(bytes))) {}
Body::Body(const std::vector<std::byte>& bytes) : data_(make(text_of(bytes))) {}
Body::Body(std::filesystem::path file) : data_(make(std::move(file))) {}
Body::Body(std::shared_ptr<Source> source) : data_(source ? make(std::move(source)) : nullptr) {}
Body::Body(std::unique_ptr<Source> source) : Body(std::shared_ptr<Source>(std::move(source))) {}
Body::Body(const Body&) noexcept = default;
Body::Body(Body&&) noexcept = default;
Body& Body::operator=(const Body&) noexcept = default;
Body& Body::operator=(Body&&) noexcept = default;
Body::~Body() = default;

Body Body::view(std::span<const std::byte> bytes) {
    Body body;
    body.data_ = make(bytes);
    return body;
}

Body Body::pull(std::function<std::size_t(std::span<std::byte>)> read, std::optional<std::uint64_t> size,
                std::function<bool()> rewind) {
    return Body(std::make_shared<PullSource>(std::move(read), size, std::move(rewind)));
}

Body Body::form(const Form& fields) {
    std::string text;
    for (const auto& [name, value] : fields) {
        if (!text.empty()) text += '&';
        text += detail::percent_encoded(name) + '=' + detail::percent_encoded(value);
    }
    Body body;
    body.data_ = make(std::move(text), "application/x-www-form-urlencoded");
    return body;
}

/// libcurl escapes line ends in names, and takes a content type as it is.
Body Body::multipart(Multipart parts) {
    const auto has = [](const std::string& text, std::string_view bad) {
        return text.find_first_of(bad) != std::string::npos;
    };
    constexpr std::string_view nul("\0", 1), line_ends_and_nul("\r\n\0", 3);
    for (const auto& part : parts) {
        if (has(part.name, nul) || has(part.filename, nul) || has(part.content_type, line_ends_and_nul)) {
            throw Error(Errc::invalid_argument, "multipart field \"" + detail::printable(part.name) +
                                                    "\": CR, LF and NUL are not allowed");
        }
    }
    Body body;
    body.data_ = make(std::move(parts));
    return body;
}

}  // namespace ringlet::inline v1
