// FileSink: a body on its way into a file, which appears under its name only when it is whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace ringlet::detail {

/// Writes to a temporary file in the same directory; commit() renames it. Without commit() the temporary is
/// removed. A symbolic link is followed, so that its target is what is replaced; an existing file's
/// permissions are kept; a device or a pipe is written to directly. Throws std::filesystem::filesystem_error.
class FileSink {
  public:
    explicit FileSink(const std::filesystem::path& path);
    ~FileSink();
    FileSink(const FileSink&) = delete;
    FileSink& operator=(const FileSink&) = delete;

    /// For a Sink.
    static void put(void* self, const char* data, std::size_t size);
    void commit();

  private:
    void write(const char* data, std::size_t size);
    void flush();
    [[noreturn]] void fail(const char* what) const;

    std::filesystem::path target_;
    std::string temporary_;  // empty: written directly
    int fd_ = -1;
    std::vector<char> pending_;
};

}  // namespace ringlet::detail
