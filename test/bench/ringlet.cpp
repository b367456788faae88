// ringlet: a session for each thread (--sessions: several in turn) over one cache. --api text, read, or
// perform: setopt() and perform() instead of get(), with the callbacks of a raw program.
#include "session.hpp"

#include <ringlet/ringlet.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

namespace {

ringlet::ConnectionCache make_cache(const bench::Flags& flags) {
    auto builder = ringlet::ConnectionCache::builder();
    if (flags.new_connection) builder.max_idle(0);
    if (flags.hold != 0) builder.max_idle(flags.hold);
    if (flags.connections != 0) builder.max_connections(flags.connections);
    if (flags.busy_poll_us != 0) builder.busy_poll(std::chrono::microseconds(flags.busy_poll_us));
    return builder.build();
}

/// What RawHandle does that wants the same as ringlet, call by call on a Session.
class Performer {
  public:
    Performer(ringlet::Session session, const bench::Flags& flags) : session_(std::move(session)) {
        const auto append = +[](char* data, std::size_t size, std::size_t count, void* to) {
            static_cast<std::string*>(to)->append(data, size * count);
            return size * count;
        };
        session_.setopt(CURLOPT_HEADERFUNCTION, append);
        session_.setopt(CURLOPT_HEADERDATA, head_.get());
        session_.setopt(CURLOPT_ACCEPT_ENCODING, "");
        session_.setopt(CURLOPT_WRITEFUNCTION, append);
        if (flags.upload == 0) return;
        session_.setopt(CURLOPT_POSTFIELDS, bench::upload_body(flags).c_str());
        session_.setopt(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(flags.upload));
    }

    std::size_t request(const std::string& url) {
        std::string body;
        head_->clear();
        session_.setopt(CURLOPT_URL, url);
        session_.setopt(CURLOPT_WRITEDATA, &body);
        session_.perform();
        const auto status = session_.getinfo<CURLINFO_RESPONSE_CODE>();
        if (status != 200) throw std::runtime_error("status " + std::to_string(status));
        return body.size();
    }

  private:
    ringlet::Session session_;
    std::unique_ptr<std::string> head_ = std::make_unique<std::string>();
};

int hold(const bench::Flags& flags) {
    const auto cache = make_cache(flags);
    return bench::run_hold(flags, "ringlet", [&] {
        std::vector<std::pair<ringlet::Session, ringlet::Response>> open;
        for (std::size_t i = 0; i < flags.hold; ++i) {
            auto session = bench::make_session(cache, flags);
            auto response = session.get(flags.url);
            open.emplace_back(std::move(session), std::move(response));
        }
        for (auto& one : open) one.second.consume();
    });
}

}  // namespace

int main(int argc, char** argv) {
    const auto flags = bench::parse(argc, argv);
    if (flags.hold != 0) return hold(flags);
    const auto cache = make_cache(flags);
    return bench::run(flags, "ringlet", [&]() -> bench::Client {
        if (flags.api == "perform") {
            auto performer = std::make_shared<Performer>(bench::make_session(cache, flags), flags);
            return [performer](const std::string& url) { return performer->request(url); };
        }
        auto sessions = std::make_shared<std::vector<ringlet::Session>>();
        for (std::size_t i = 0; i < flags.sessions; ++i)
            sessions->push_back(bench::make_session(cache, flags, i));
        return [sessions, &flags, turn = std::size_t{0}](const std::string& url) mutable {
            return bench::request((*sessions)[turn++ % sessions->size()], flags, url);
        };
    });
}
