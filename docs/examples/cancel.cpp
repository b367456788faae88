// Cancelling a request from another thread, and giving it a deadline.
//
//     cancel https://example.com/slow
#include <ringlet/ringlet.hpp>

#include <fmt/format.h>

#include <chrono>
#include <stop_token>
#include <string>
#include <thread>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const std::string url = argv[1];

    // A jthread brings its own stop token. Whatever the request is doing (waiting for a connection,
    // connecting, sending, reading) it ends with Errc::cancelled within 100 ms.
    std::string ended;
    {
        std::jthread worker([&](const std::stop_token& stop) {
            ringlet::Session session;
            session.stop(stop);
            try {
                session.get(url).text();
                ended = "finished";
            } catch (const ringlet::Error& error) {
                ended = error.code() == ringlet::Errc::cancelled ? "cancelled" : error.what();
            }
        });
        std::this_thread::sleep_for(200ms);
    }  // ~jthread: requests the stop, and joins
    fmt::print("the worker's request: {}\n", ended);

    // The same slow answer, with a deadline and without exceptions.
    ringlet::Session session;
    std::error_code ec;
    auto response = session.send(ringlet::Request::get(url).timeout(200ms), ec);
    if (!ec) response.text(ec);
    fmt::print("with a deadline: {}\n", ec ? ec.message() : "finished");
    return ended == "cancelled" && ec == ringlet::Errc::timeout ? 0 : 1;
}
