#include "demo_ways.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

namespace demo {
namespace {

/// libcurl as a program without ringlet uses it. Checks what every client must: the code and the status.
class RawHandle {
  public:
    explicit RawHandle(const Target& target) : easy_(curl_easy_init()) {
        if (easy_ == nullptr) throw std::bad_alloc();
        curl_easy_setopt(easy_, CURLOPT_URL, target.url.c_str());
        curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy_, CURLOPT_TIMEOUT, static_cast<long>(request_timeout.count()));
        curl_easy_setopt(easy_, CURLOPT_ACCEPT_ENCODING, "");
        curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &RawHandle::append);
        curl_easy_setopt(easy_, CURLOPT_WRITEDATA, &body_);
        if (target.ca_file.empty()) return;
        curl_easy_setopt(easy_, CURLOPT_CAPATH, static_cast<char*>(nullptr));
        curl_easy_setopt(easy_, CURLOPT_CAINFO, target.ca_file.c_str());
    }
    ~RawHandle() { curl_easy_cleanup(easy_); }
    RawHandle(const RawHandle&) = delete;
    RawHandle& operator=(const RawHandle&) = delete;

    /// How many connections it took.
    std::size_t get() {
        body_.clear();
        const auto code = curl_easy_perform(easy_);
        if (code != CURLE_OK) throw std::runtime_error(curl_easy_strerror(code));
        long connections = 0;
        curl_easy_getinfo(easy_, CURLINFO_NUM_CONNECTS, &connections);
        return static_cast<std::size_t>(connections);
    }

  private:
    static std::size_t append(char* data, std::size_t, std::size_t size, void* body) {
        static_cast<std::string*>(body)->append(data, size);
        return size;
    }
    CURL* easy_;
    std::string body_;
};

}  // namespace

Budget::Budget(const Target& target)
    : left_(target.most_requests), until_(std::min(Clock::now() + target.most_time, target.last_start)) {}

ringlet::Session session_for(const Target& target, const ringlet::ConnectionCache& cache) {
    ringlet::Session session{cache};
    session.timeout(request_timeout);
    if (!target.ca_file.empty()) session.ca_file(target.ca_file);
    return session;
}

std::size_t new_handle_each(const Target& target, Budget& budget) {
    std::size_t connections = 0;
    for (; budget.take(); budget.done()) connections += RawHandle(target).get();
    return connections;
}

std::size_t one_handle(const Target& target, Budget& budget) {
    RawHandle handle(target);
    std::size_t connections = 0;
    for (; budget.take(); budget.done()) connections += handle.get();
    return connections;
}

std::size_t one_session(const Target& target, Budget& budget) {
    const ringlet::ConnectionCache cache;
    auto session = session_for(target, cache);
    for (; budget.take(); budget.done()) session.get(target.url).text();
    return cache.stats().opened;
}

std::size_t eight_threads(const Target& target, Budget& budget) {
    const ringlet::ConnectionCache cache;
    std::array<std::exception_ptr, 8> errors;
    {
        std::vector<std::jthread> threads;
        for (auto& error : errors) {
            threads.emplace_back([&] {
                try {
                    auto session = session_for(target, cache);
                    for (; budget.take(); budget.done()) session.get(target.url).text();
                } catch (...) {
                    error = std::current_exception();
                }
            });
        }
    }
    for (const auto& error : errors) {
        if (error) std::rethrow_exception(error);
    }
    return cache.stats().opened;
}

Result measure(const Target& target, std::size_t (*way)(const Target&, Budget&)) {
    const auto before = target.origin != nullptr ? target.origin->accepts() : 0;
    Budget budget(target);
    Result result;
    const auto start = Clock::now();
    result.connections = way(target, budget);
    result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    result.requests = budget.answered();
    if (target.origin != nullptr) result.connections = target.origin->accepts() - before;
    return result;
}

}  // namespace demo
