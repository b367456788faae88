#include "transfer/upload.hpp"

#include "ringlet/error.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <span>
#include <system_error>
#include <utility>

namespace ringlet::detail {
namespace {

std::string message_of(int number) {
    return std::system_category().message(number);
}

/// A file's content. Its size is what it was when opened: a file that turns out shorter is an error, never a
/// short body.
class FileSource final : public Source {
  public:
    explicit FileSource(const std::filesystem::path& path)
        : path_(path), file_(std::fopen(path.c_str(), "rbe")) {
        std::error_code ec;
        const bool regular = file_ != nullptr && std::filesystem::is_regular_file(path, ec);
        if (!file_) throw Error(Errc::upload, "body file " + path.string() + ": " + message_of(errno));
        if (std::filesystem::is_directory(path, ec))
            throw Error(Errc::upload, "body file " + path.string() + ": a directory");
        if (regular) size_ = std::filesystem::file_size(path);
    }
    std::size_t read(std::span<std::byte> buffer) override {
        const auto n = std::fread(buffer.data(), 1, buffer.size(), file_.get());
        if (n == 0 && std::ferror(file_.get()) != 0)
            throw Error(Errc::upload, "body file " + path_.string() + ": cannot be read");
        return n;
    }
    std::optional<std::uint64_t> size() const override { return size_; }
    bool rewind() override {
        if (!size_) return false;  // a pipe or a device
        std::clearerr(file_.get());
        return std::fseek(file_.get(), 0, SEEK_SET) == 0;
    }

  private:
    std::filesystem::path path_;
    struct Closer {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };
    std::unique_ptr<std::FILE, Closer> file_;
    std::optional<std::uint64_t> size_;
};

void check_mime(CURLcode code, const Part& part) {
    if (code == CURLE_OK) return;
    if (code == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
    throw Error(Errc::upload, "multipart field \"" + part.name + "\": " + curl().easy_strerror(code));
}

void add_part(curl_mime* mime, const Part& part) {
    auto* out = curl().mime_addpart(mime);
    if (out == nullptr) throw std::bad_alloc();
    check_mime(curl().mime_name(out, part.name.c_str()), part);
    if (part.file.empty()) {
        check_mime(curl().mime_data(out, part.data.data(), part.data.size()), part);
    } else {
        check_mime(curl().mime_filedata(out, part.file.c_str()), part);
    }
    if (!part.filename.empty()) check_mime(curl().mime_filename(out, part.filename.c_str()), part);
    if (!part.content_type.empty()) check_mime(curl().mime_type(out, part.content_type.c_str()), part);
}

Error sent_before() {
    return {Errc::body_not_replayable, "the body's source was sent before and cannot rewind"};
}

}  // namespace

Upload::Upload(std::shared_ptr<BodyData> body) : body_(std::move(body)) {
    if (!body_) return;
    if (const auto* path = std::get_if<std::filesystem::path>(&body_->content)) {
        source_ = std::make_shared<FileSource>(*path);
        begun_ = true;  // opened for this upload: no other has read of it
    }
    if (const auto* source = std::get_if<std::shared_ptr<Source>>(&body_->content)) {
        source_ = *source;
        begun_ = body_->source_used.load();
        if (begun_ && !source_->rewind()) throw sent_before();
    }
    if (source_) size_ = source_->size();
    finished_ = size_ == std::uint64_t{0};  // libcurl asks for nothing
}

std::optional<std::string_view> Upload::memory() const noexcept {
    if (!body_) return std::nullopt;
    if (const auto* text = std::get_if<std::string>(&body_->content)) return *text;
    if (const auto* bytes = std::get_if<std::span<const std::byte>>(&body_->content)) {
        return std::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    }
    return std::nullopt;
}

bool Upload::multipart() const noexcept {
    return body_ && std::holds_alternative<Multipart>(body_->content);
}

void Upload::fill(curl_mime* mime) const {
    for (const auto& part : std::get<Multipart>(body_->content)) add_part(mime, part);
}

std::size_t Upload::read(char* buffer, std::size_t size) noexcept {
    try {
        if (!source_) return 0;
        // Only now: a source that no request came to ask can still be sent.
        if (!std::exchange(begun_, true) && body_->source_used.exchange(true)) throw sent_before();
        if (size_ && size > *size_ - taken_) size = static_cast<std::size_t>(*size_ - taken_);
        const auto n = size == 0 ? 0 : source_->read({reinterpret_cast<std::byte*>(buffer), size});
        if (n > size)
            throw Error(Errc::upload, "the body's source says it read more than there was room for");
        taken_ += n;
        if (n == 0 && size_ && taken_ < *size_) {
            throw Error(Errc::upload, "the body ended after " + std::to_string(taken_) + " of " +
                                          std::to_string(*size_) + " bytes");
        }
        finished_ = n == 0 || (size_ && taken_ == *size_);
        return n;
    } catch (...) {
        error_ = std::current_exception();
        return CURL_READFUNC_ABORT;
    }
}

bool Upload::rewind() noexcept {
    if (!source_ || taken_ == 0) {
        finished_ = source_ && size_ == std::uint64_t{0};
        return !rewind_failed_;
    }
    try {
        if (!source_->rewind()) {
            rewind_failed_ = true;
            return false;
        }
        taken_ = 0;
        finished_ = false;
        return true;
    } catch (...) {
        error_ = std::current_exception();
        return false;
    }
}

}  // namespace ringlet::detail
