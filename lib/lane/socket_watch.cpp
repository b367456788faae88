#include "lane/socket_watch.hpp"

#include <algorithm>
#include <new>

namespace ringlet::detail {

void SocketWatch::opened(int fd) {
    ++opened_count_;
    // A number that comes again was closed without a word.
    closed(fd);
    open_.push_back({fd, DescriptorId::of(fd)});
}

bool SocketWatch::make_room() noexcept {
    try {
        open_.reserve(open_.size() + 1);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void SocketWatch::closed(int fd) noexcept {
    std::erase_if(open_, [fd](const Entry& entry) { return entry.fd == fd; });
}

void SocketWatch::reconcile(int active) noexcept {
    if (open_.size() <= 1) return;
    const auto named =
        std::find_if(open_.begin(), open_.end(), [&](const Entry& e) { return e.fd == active; });
    Entry kept = open_.back();
    if (active >= 0) kept = named != open_.end() ? *named : Entry{active, DescriptorId::of(active)};
    open_.assign(1, kept);  // never allocates: it only shrinks
}

void SocketWatch::replaced(int fd) noexcept {
    for (auto& entry : open_) {
        if (entry.fd == fd) entry.id = DescriptorId::of(fd);
    }
}

void SocketWatch::close_inherited() noexcept {
    for (const auto& entry : open_) entry.id.close(entry.fd);
    forget_all();
}

}  // namespace ringlet::detail
