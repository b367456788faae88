#include "support/gate.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "support/posix.hpp"

namespace ringlet::test {

Gate::Gate() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw_errno("eventfd");
}

Gate::~Gate() {
    ::close(fd_);
}

void Gate::open() {
    if (open_.exchange(true, std::memory_order_acq_rel)) return;
    std::uint64_t one = 1;
    if (::write(fd_, &one, sizeof one) != sizeof one) throw_errno("write to an eventfd");
}

bool Gate::wait(Clock::duration timeout) const {
    if (is_open()) return true;
    pollfd wanted{fd_, POLLIN, 0};
    poll_until({&wanted, 1}, deadline_after(timeout));
    return is_open();
}

}  // namespace ringlet::test
