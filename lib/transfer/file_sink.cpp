#include "transfer/file_sink.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <system_error>

namespace ringlet::detail {
namespace {

constexpr std::size_t buffer_size = 256 * 1024;

/// Links followed to what they name, also where that does not exist yet.
std::filesystem::path followed(std::filesystem::path path) {
    std::error_code ec;
    for (int hops = 0; hops < 40 && std::filesystem::is_symlink(std::filesystem::symlink_status(path, ec));
         ++hops) {
        const auto to = std::filesystem::read_symlink(path);
        path = to.is_absolute() ? to : path.parent_path() / to;
    }
    return path;
}

mode_t ordinary_mode() {
    // The process's mask can only be read by setting it, which races with other threads: let the kernel apply
    // it.
    return 0666;
}

/// Beside the target. Where its name or path is as long as may be, the temporary one has less of the name.
std::string temporary_name(const std::filesystem::path& target, unsigned number) {
    const auto suffix = ".part-" + std::to_string(::getpid()) + '-' + std::to_string(number);
    const auto parent = target.parent_path().string().size() + 1;
    const auto room =
        std::min<std::size_t>(NAME_MAX, PATH_MAX - 1 - std::min<std::size_t>(parent, PATH_MAX - 1));
    const auto name = target.filename().string().substr(0, room > suffix.size() ? room - suffix.size() : 0);
    return (target.parent_path() / name).string() + suffix;
}

int open_temporary(const std::filesystem::path& target, std::string& name) {
    static std::atomic<unsigned> counter{0};
    for (int tries = 0; tries < 100; ++tries) {
        name = temporary_name(target, counter.fetch_add(1));
        const int fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, ordinary_mode());
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

}  // namespace

FileSink::FileSink(const std::filesystem::path& path) : target_(followed(path)) {
    pending_.reserve(buffer_size);  // first: nothing here may fail once the file is open
    if (target_.empty()) {
        errno = ENOENT;
        fail("cannot be created");
    }
    struct stat existing {};
    const bool exists = ::stat(target_.c_str(), &existing) == 0;
    if (!exists && errno != ENOENT) fail("cannot be created");  // so not after all has been read
    if (exists && !S_ISREG(existing.st_mode)) {
        fd_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
        if (fd_ < 0) fail("cannot be written");
    } else {
        fd_ = open_temporary(target_, temporary_);
        if (fd_ < 0) {
            temporary_.clear();
            fail("cannot be created");
        }
        if (exists && ::fchmod(fd_, existing.st_mode & 07777U) != 0) {
            // Not ours to keep: the new file has ordinary permissions.
        }
    }
}

FileSink::~FileSink() {
    if (fd_ >= 0) ::close(fd_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void FileSink::put(void* self, const char* data, std::size_t size) {
    static_cast<FileSink*>(self)->write(data, size);
}

void FileSink::write(const char* data, std::size_t size) {
    if (pending_.size() + size > buffer_size) flush();
    pending_.insert(pending_.end(), data, data + size);
}

void FileSink::flush() {
    std::size_t done = 0;
    while (done < pending_.size()) {
        const auto n = ::write(fd_, pending_.data() + done, pending_.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(done));
            fail("cannot be written");
        }
        done += static_cast<std::size_t>(n);
    }
    pending_.clear();
}

void FileSink::commit() {
    flush();
    const int fd = fd_;
    fd_ = -1;
    if (::close(fd) != 0) fail("cannot be written");
    if (temporary_.empty()) return;
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot be renamed");
    temporary_.clear();
}

void FileSink::fail(const char* what) const {
    throw std::filesystem::filesystem_error(what, target_, std::error_code(errno, std::system_category()));
}

}  // namespace ringlet::detail
