#include "lane/socket_watch.hpp"

#include <algorithm>

namespace ringlet::detail {

void SocketWatch::opened(int fd) {
    ++opened_count_;
    // A number that comes again was closed without a word.
    closed(fd);
    open_.push_back(fd);
}

void SocketWatch::closed(int fd) noexcept {
    std::erase(open_, fd);
}

void SocketWatch::reconcile(int active) noexcept {
    if (open_.size() <= 1) return;
    const int kept = active >= 0 ? active : open_.back();
    open_.assign(1, kept);  // never allocates: it only shrinks
}

}  // namespace ringlet::detail
