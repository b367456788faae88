// Ways to send a body: bytes, a file, a form, a multipart form, and a stream that is made while it is sent.
//
//     upload https://example.com/upload FILE
#include <ringlet/ringlet.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

using namespace std::chrono_literals;

namespace {

/// Lines made on demand. Its size is not known before (it goes out chunked); rewind() lets a redirect or a
/// replay send it again.
class Lines : public ringlet::Source {
  public:
    explicit Lines(int count) : count_(count) {}

    std::size_t read(std::span<std::byte> buffer) override {
        if (rest_.empty() && next_ < count_) rest_ = fmt::format("line {}\n", next_++);
        const auto n = std::min(rest_.size(), buffer.size());
        std::memcpy(buffer.data(), rest_.data(), n);
        rest_.erase(0, n);
        return n;  // 0: the end
    }
    bool rewind() override {
        next_ = 0;
        rest_.clear();
        return true;
    }

  private:
    int count_;
    int next_ = 0;
    std::string rest_;
};

void show(std::string_view what, ringlet::Response response) {
    fmt::print("{:<10} {} {}\n", what, response.status(), response.text());
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 3) return 2;
    const std::string url = argv[1];
    const std::filesystem::path file = argv[2];
    ringlet::Session session;
    session.timeout(30s);

    show("string", session.post(url, R"({"name": "ringlet"})"));
    show("file", session.put(url, file));  // streamed; std::filesystem::path means its content
    show("form", session.send(ringlet::Request::post(url).form({{"user", "me"}, {"comment", "a & b"}})));

    ringlet::Part document{.name = "document", .data = {}, .file = file, .content_type = "text/plain"};
    show("multipart",
         session.send(ringlet::Request::post(url).multipart({{.name = "title", .data = "Notes"}, document})));

    show("stream", session.post(url, std::make_unique<Lines>(1000)));
} catch (const ringlet::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
}
