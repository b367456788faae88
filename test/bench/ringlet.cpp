// ringlet: a session for each thread (--sessions: several in turn) over one cache. --api text, read, or
// perform: setopt() and perform() instead of get(), with the callbacks of a raw program.
#include "workload.hpp"

#include <ringlet/ringlet.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
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

/// Each with settings of its own: nothing that an earlier one left on a lane will do.
ringlet::Session make_session(const ringlet::ConnectionCache& cache, const bench::Flags& flags,
                              std::size_t number = 0) {
    ringlet::Session session{cache};
    session.http_version(flags.protocol == "h2" ? ringlet::HttpVersion::http_2
                                                : ringlet::HttpVersion::http_1_1);
    if (!flags.ca.empty()) session.ca_file(flags.ca);
    if (flags.sessions > 1) session.connect_timeout(std::chrono::seconds(30 + number));
    if (flags.bare) session.accept_encoding(std::nullopt);
    return session;
}

std::size_t read(ringlet::Response& response) {
    static thread_local std::array<std::byte, 65536> buffer;
    std::size_t size = 0;
    while (const auto n = response.read(buffer)) size += n;
    return size;
}

std::size_t request(ringlet::Session& session, const bench::Flags& flags, const std::string& url) {
    auto response =
        flags.upload != 0
            ? session.post(url, ringlet::Body::view(std::as_bytes(std::span(bench::upload_body(flags)))))
            : session.get(url);
    if (response.status() != 200) throw std::runtime_error("status " + std::to_string(response.status()));
    if (flags.api == "read") return read(response);
    if (!flags.save_to.empty()) {
        response.save_to(flags.save_to);
        return response.content_length().value_or(0);
    }
    return response.text().size();
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
            auto session = make_session(cache, flags);
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
            auto performer = std::make_shared<Performer>(make_session(cache, flags), flags);
            return [performer](const std::string& url) { return performer->request(url); };
        }
        auto sessions = std::make_shared<std::vector<ringlet::Session>>();
        for (std::size_t i = 0; i < flags.sessions; ++i) sessions->push_back(make_session(cache, flags, i));
        return [sessions, &flags, turn = std::size_t{0}](const std::string& url) mutable {
            return request((*sessions)[turn++ % sessions->size()], flags, url);
        };
    });
}
