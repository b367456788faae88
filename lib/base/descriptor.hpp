// DescriptorId: what stands behind a descriptor, to be told from what may have its number later. Header only.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

namespace ringlet::detail {

/// A program may close all descriptors after a fork, as daemons do, and have its own under the same numbers
/// before ringlet looks at what it inherited. For sockets and pipes, which have an inode each (an eventfd has
/// not).
struct DescriptorId {
    static DescriptorId of(int fd) noexcept {
        struct stat status {};
        if (::fstat(fd, &status) != 0) return {};
        return {status.st_dev, status.st_ino};
    }
    bool operator==(const DescriptorId&) const = default;
    /// Closes it if it is still this one.
    void close(int fd) const noexcept {
        if (inode != 0 && of(fd) == *this) ::close(fd);
    }

    dev_t device = 0;
    ino_t inode = 0;
};

}  // namespace ringlet::detail
