#include "socket/wait.hpp"

#include "curl/api.hpp"
#include "lane/lane.hpp"
#include "ringlet/error.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace ringlet::detail {
namespace {

/// An eventfd that a stop token rings.
class Bell {
  public:
    Bell() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    }
    ~Bell() { ::close(fd_); }
    Bell(const Bell&) = delete;
    Bell& operator=(const Bell&) = delete;
    int fd() const noexcept { return fd_; }
    void ring() const noexcept { (void)::eventfd_write(fd_, 1); }

  private:
    int fd_;
};

int milliseconds_until(Clock::time_point deadline) noexcept {
    constexpr std::chrono::milliseconds longest(60'000);
    if (deadline == Clock::time_point::max()) return static_cast<int>(longest.count());
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    return static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), longest).count());
}

/// libcurl's poll also hears a shutdown of the cache (Lane::interrupt()).
void poll_with_lane(int fd, short events, const StreamLimits& limits, Lane& lane) {
    const std::stop_callback wake(limits.stop, [&lane] { curl().multi_wakeup(lane.multi()); });
    curl_waitfd entry{fd, 0, 0};
    if ((events & POLLIN) != 0) entry.events |= CURL_WAIT_POLLIN;
    if ((events & POLLOUT) != 0) entry.events |= CURL_WAIT_POLLOUT;
    curl().multi_poll(lane.multi(), &entry, 1, milliseconds_until(limits.deadline), nullptr);
}

void poll_alone(int fd, short events, const StreamLimits& limits) {
    pollfd entries[2] = {{fd, events, 0}, {-1, POLLIN, 0}};
    if (!limits.stop.stop_possible()) {
        ::poll(entries, 1, milliseconds_until(limits.deadline));
        return;
    }
    const Bell bell;
    const std::stop_callback wake(limits.stop, [&bell] { bell.ring(); });
    entries[1].fd = bell.fd();
    ::poll(entries, 2, milliseconds_until(limits.deadline));
}

}  // namespace

void check_limits(const StreamLimits& limits, const Lane* lane) {
    if (limits.stop.stop_requested()) throw Error(Errc::cancelled, "socket: stopped by its stop token");
    if (lane != nullptr && lane->interrupted())
        throw Error(Errc::cancelled, "socket: the cache was shut down");
    if (limits.deadline != Clock::time_point::max() && Clock::now() >= limits.deadline) {
        throw Error(Errc::timeout, "socket: timed out");
    }
}

void wait_ready(int fd, short events, const StreamLimits& limits, Lane* lane) {
    check_limits(limits, lane);
    if (lane != nullptr) {
        poll_with_lane(fd, events, limits, *lane);
    } else {
        poll_alone(fd, events, limits);
    }
}

}  // namespace ringlet::detail
