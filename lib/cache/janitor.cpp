#include "cache/janitor.hpp"

#include "base/descriptor.hpp"
#include "cache/cache.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <vector>

namespace ringlet::detail {

struct Janitor::State {
    State(std::weak_ptr<Cache> watched, std::chrono::nanoseconds idle_timeout)
        : cache(std::move(watched)),
          tick(std::clamp<std::chrono::nanoseconds>(idle_timeout / 4, shortest, longest)) {
        if (::pipe2(events, O_CLOEXEC | O_NONBLOCK) != 0) throw std::bad_alloc();
        ids[0] = DescriptorId::of(events[0]);
        ids[1] = DescriptorId::of(events[1]);
    }
    ~State() {
        for (const int fd : events) ::close(fd);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    // Between an idle lane's arrival and its being watched: at most a tick and a third.
    static constexpr std::chrono::milliseconds longest{30};
    static constexpr std::chrono::milliseconds shortest{1};

    const std::weak_ptr<Cache> cache;
    const std::chrono::nanoseconds tick;
    int events[2] = {-1, -1};  // a pipe: an eventfd could not be told from the program's own after a fork
    DescriptorId ids[2];       // of its ends
    std::atomic<bool> stop{false};
};

/// What the thread does.
class Janitor::Loop {
  public:
    explicit Loop(std::shared_ptr<State> state)
        : state_(std::move(state)), next_round_(Clock::now() + state_->tick) {
        polled_.push_back({state_->events[0], POLLIN, 0});
    }
    void run() {
        while (sleep()) {
            const auto cache = state_->cache.lock();
            if (!cache) return;
            try {
                work(*cache);
            } catch (...) {  // no memory for the list
                forget_watched();
                next_round_ = Clock::now() + before_another_attempt;
            }
        }
    }

  private:
    /// False: it is time to end.
    bool sleep() {
        const auto now = Clock::now();
        const bool pause = now < pause_end_;
        const Instant until = pause ? std::min(next_round_, pause_end_) : next_round_;
        timespec left{};
        if (until != never) {
            const auto span = std::max(until - now, Clock::duration{});
            left.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(span).count();
            left.tv_nsec = (span % std::chrono::seconds(1)).count();
        }
        for (auto& entry : polled_) entry.revents = 0;
        const auto listed = pause ? 1 : polled_.size();
        if (::ppoll(polled_.data(), listed, until == never ? nullptr : &left, nullptr) < 0) {
            if (errno != EINTR) rest();
            for (auto& entry : polled_) entry.revents = 0;
        }
        return !state_->stop.load(std::memory_order_acquire);
    }

    void work(Cache& cache) {
        if (polled_[0].revents != 0) {
            char told[512];
            (void)!::read(state_->events[0], told, sizeof told);
            next_round_ = std::min(next_round_, Clock::now() + state_->tick);
        }
        hand_over_ready(cache);
        const auto now = Clock::now();
        if (now < next_round_) return;
        const auto round = cache.idle_round(watched_, now, state_->tick / 3);
        next_round_ = std::min(round.next_expiry, round.again ? now + state_->tick : never);
        polled_.resize(1);
        for (const auto& lane : watched_) {
            // HTTP/2 peers send frames of their own accord: only the end counts.
            const bool may_speak = lane.protocol == Protocol::http_2 || lane.protocol == Protocol::http_3;
            polled_.push_back({lane.fd, static_cast<short>(may_speak ? POLLRDHUP : POLLIN | POLLRDHUP), 0});
        }
    }

    /// Each socket that stirs is looked at once and then left out until the next round: it may have been lent
    /// since.
    void hand_over_ready(Cache& cache) {
        ready_.clear();
        std::size_t kept = 0;
        for (std::size_t i = 0; i < watched_.size(); ++i) {
            if (polled_[i + 1].revents != 0) {
                ready_.push_back(watched_[i]);
                continue;
            }
            watched_[kept] = watched_[i];
            polled_[++kept] = polled_[i + 1];
        }
        watched_.resize(kept);
        polled_.resize(kept + 1);
        constexpr std::size_t at_a_time = 64;  // so that the mutex is never held for long
        for (std::size_t i = 0; i < ready_.size(); i += at_a_time) {
            const bool traffic =
                cache.lanes_ready(std::span(ready_).subspan(i, std::min(at_a_time, ready_.size() - i)));
            if (traffic) pause_end_ = Clock::now() + between_answers;
        }
    }

    /// The list cannot be polled: no memory, or RLIMIT_NOFILE was lowered below its length.
    void rest() noexcept {
        forget_watched();
        next_round_ = std::min(next_round_, Clock::now() + before_another_attempt);
        constexpr timespec pause{0, 100'000'000};
        ::ppoll(nullptr, 0, &pause, nullptr);
    }
    void forget_watched() noexcept {
        watched_.clear();
        polled_.resize(1);
    }
    static constexpr std::chrono::seconds before_another_attempt{1};
    // Sockets that stirred since they had been lent: the answers to come are left alone for so long, or many
    // connections in use would wake the thread for each of theirs.
    static constexpr std::chrono::milliseconds between_answers{10};

    std::shared_ptr<State> state_;
    Instant next_round_;
    Instant pause_end_{};
    std::vector<Cache::Watched> watched_;
    std::vector<Cache::Watched> ready_;
    std::vector<pollfd> polled_;  // the pipe, then one for each of watched_
};

Janitor::Janitor(std::shared_ptr<State> state, std::thread thread) noexcept
    : state_(std::move(state)), thread_(std::move(thread)) {}

std::unique_ptr<Janitor> Janitor::start(std::weak_ptr<Cache> cache,
                                        std::chrono::nanoseconds idle_timeout) noexcept {
    try {
        auto state = std::make_shared<State>(std::move(cache), idle_timeout);
        // The program's signals are not this thread's business.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        std::thread thread;
        try {
            thread = std::thread([loop = Loop(state)]() mutable { loop.run(); });
        } catch (...) {
            pthread_sigmask(SIG_SETMASK, &before, nullptr);
            throw;
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        pthread_setname_np(thread.native_handle(), "ringlet-idle");
        return std::unique_ptr<Janitor>(new Janitor(std::move(state), std::move(thread)));
    } catch (...) {
        return nullptr;
    }
}

Janitor::~Janitor() {
    if (!thread_.joinable()) return;
    state_->stop.store(true, std::memory_order_release);
    notify();
    if (thread_.get_id() == std::this_thread::get_id()) {
        thread_.detach();
    } else {
        thread_.join();
    }
}

void Janitor::notify() noexcept {
    (void)!::write(state_->events[1], "", 1);  // full: it has been told often enough
}

// A thread object that still names a thread cannot be destroyed: all but the pipe is left where it is.
void Janitor::leave_to_parent(std::unique_ptr<Janitor> janitor) noexcept {
    if (!janitor) return;
    auto& state = *janitor->state_;
    for (const int end : {0, 1}) state.ids[end].close(state.events[end]);
    (void)janitor.release();
}

}  // namespace ringlet::detail
