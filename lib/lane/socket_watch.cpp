#include "lane/socket_watch.hpp"

#include <algorithm>

namespace ringlet::detail {

void SocketWatch::opened(int fd) {
    ++opened_count_;
    // A number that comes again was closed without a word.
    closed(fd);
    ids_.reserve(open_.size() + 1);
    open_.push_back(fd);
    ids_.push_back(DescriptorId::of(fd));
}

void SocketWatch::closed(int fd) noexcept {
    const auto at = std::find(open_.begin(), open_.end(), fd);
    if (at == open_.end()) return;
    ids_.erase(ids_.begin() + (at - open_.begin()));
    open_.erase(at);
}

void SocketWatch::reconcile(int active) noexcept {
    if (open_.size() <= 1) return;
    const int kept = active >= 0 ? active : open_.back();
    // Never allocates: both only shrink.
    open_.assign(1, kept);
    ids_.assign(1, DescriptorId::of(kept));
}

void SocketWatch::replaced(int fd) noexcept {
    for (std::size_t i = 0; i < open_.size(); ++i) {
        if (open_[i] == fd) ids_[i] = DescriptorId::of(fd);
    }
}

void SocketWatch::close_inherited() noexcept {
    for (std::size_t i = 0; i < open_.size(); ++i) ids_[i].close(open_[i]);
    forget_all();
}

}  // namespace ringlet::detail
