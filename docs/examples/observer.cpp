// Watching connections: every event as it happens, a snapshot, and the reason why a request would or would
// not reuse one.
//
//     observer https://example.com/
#include <ringlet/format.hpp>
#include <ringlet/ringlet.hpp>

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <string>

using namespace std::chrono_literals;

namespace {

/// Called on whichever thread the event happens, perhaps on several at once, with no lock held.
class Printer : public ringlet::Observer {
  public:
    void on_event(const ringlet::Event& event) override { fmt::print("  {}\n", event); }
};

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 2) return 2;
    const std::string url = argv[1];
    auto cache =
        ringlet::ConnectionCache::builder().idle_timeout(30s).observer(std::make_shared<Printer>()).build();
    ringlet::Session session{cache};
    session.timeout(10s);

    fmt::print("two requests\n");
    session.get(url).consume();
    session.get(url).consume();

    fmt::print("given up on purpose\n");
    session.get(url + "?large").abort();

    fmt::print("another session with other TLS settings would not get the idle connection\n");
    session.get(url).consume();
    const auto explanation = cache.explain(ringlet::Request::get(url).tls_version(ringlet::TlsVersion::v1_3));
    fmt::print("  {}\n", explanation);

    fmt::print("connections\n");
    for (const auto& connection : cache.connections()) fmt::print("  {}\n", connection);
    cache.close_idle();
    fmt::print("{}\n", cache.stats());
} catch (const ringlet::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
}
