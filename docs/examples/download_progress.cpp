// Downloads a file with a progress bar. Until it is complete it has a temporary name, so that a broken
// download never looks like a whole one.
//
//     download_progress https://example.com/image.iso image.iso
#include <ringlet/ringlet.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;

namespace {

/// Redraws one line of a terminal. Called on the downloading thread, at most 20 times a second and once at
/// the end.
class Bar {
  public:
    void operator()(const ringlet::Progress& progress) {
        constexpr std::size_t width = 40;
        const double mib = static_cast<double>(progress.downloaded) / (1024 * 1024);
        const double seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
        const double speed = seconds > 0 ? mib / seconds : 0;
        if (progress.download_total == 0) {  // the server does not say how much will come
            fmt::print("\r{:8.1f} MiB  {:6.1f} MiB/s ", mib, speed);
        } else {
            const double part =
                static_cast<double>(progress.downloaded) / static_cast<double>(progress.download_total);
            const auto full = static_cast<std::size_t>(std::clamp(part, 0.0, 1.0) * width);
            fmt::print("\r[{:<{}}] {:3.0f} %  {:6.1f} MiB/s ", std::string(full, '#'), width, part * 100,
                       speed);
        }
        std::fflush(stdout);
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 3) return 2;
    ringlet::Session session;
    // No `timeout`: a large file may take as long as it needs, but not stand still.
    session.connect_timeout(10s).first_byte_timeout(30s).low_speed(1024, 30s);
    // Totals and bytes are of the body as it travels. Asking for no coding makes them those of the file.
    session.accept_encoding(std::nullopt).progress(Bar{});

    auto response = session.get(argv[1]);
    if (!response.ok()) {
        fmt::print(stderr, "{} {}\n", response.status(), response.reason());
        response.abort();  // whatever its body says
        return 1;
    }
    response.save_to(argv[2]);
    fmt::print("\nsaved {}\n", argv[2]);
} catch (const ringlet::Error& error) {
    fmt::print(stderr, "\n{}\n", error.what());
    return 1;
}
