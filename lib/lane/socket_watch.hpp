// SocketWatch: the descriptors that a lane's libcurl handles have open.
#pragma once

#include "base/descriptor.hpp"

#include <array>
#include <cstddef>
#include <vector>

namespace ringlet::detail {

/// Fed by the open and close callbacks. Before libcurl 8.2 the close callback is left out for attempts that
/// never became active, so the list is reconciled when a transfer is over.
class SocketWatch {
  public:
    struct Entry {
        int fd = -1;
        DescriptorId id;
    };

    void opened(int fd);
    /// The next opened() will find room. False: there is no memory.
    bool make_room() noexcept;
    void closed(int fd) noexcept;
    /// At most one connection is left: `active` (or, when -1, the last one opened and not reported closed).
    /// Forgets the rest.
    void reconcile(int active) noexcept;
    void forget_all() noexcept { open_.clear(); }
    /// Another file was put under an open descriptor's number.
    void replaced(int fd) noexcept;
    /// In a forked child: closes those whose numbers have no other use by now.
    void close_inherited() noexcept;
    /// The connection's descriptor, -1 when there is none.
    int current() const noexcept { return open_.empty() ? -1 : open_.back().fd; }
    const std::vector<Entry>& all() const noexcept { return open_; }
    /// How many were ever opened.
    std::size_t opened_count() const noexcept { return opened_count_; }

  private:
    std::vector<Entry> open_;
    std::size_t opened_count_ = 0;
};

}  // namespace ringlet::detail
