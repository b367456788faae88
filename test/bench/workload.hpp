// What every C++ contender shares: flags, the loop over requests and threads, and the line of JSON at the
// end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace bench {

struct Flags {
    std::string url;
    std::size_t requests = 1000;  // of all threads together
    std::size_t threads = 1;
    std::string protocol = "http";  // http, https (HTTP/1.1 over TLS), h2 (over TLS)
    std::string ca;                 // file of the CA to trust
    bool vary_path = false;         // another path and query each time
    bool new_connection = false;    // no reuse
    std::size_t origins = 0;        // host names o0.localhost, o1.localhost... in turn
    std::size_t connections = 0;    // at most that many; 0: no limit
    std::size_t upload = 0;         // bytes of a POST body
    std::size_t hold = 0;           // that many idle connections at once, for their memory
    std::string api = "text";       // which way of reading: ringlet's and raw's own
    std::size_t sessions = 1;       // that many in turn on each thread
    std::size_t busy_poll_us = 0;
    std::size_t block = 200;  // bench_pair: requests of a thread's turn
    bool control = false;     // bench_pair: raw libcurl in ringlet's turns too
    std::string save_to;
    bool copies = false;  // raw, --api read: the body into a buffer of the program's own, as read() does
    bool bare = false;    // no decoding, no headers wanted
};

/// The flags of every contender. Ends the process for one that is unknown.
Flags parse(int argc, char** argv);

/// Makes the URL of each request, in a string that it keeps.
class Urls {
  public:
    explicit Urls(const Flags& flags);
    const std::string& next();

  private:
    const Flags& flags_;
    std::string host_end_, url_;  // host_end_: what follows the host name, where host names change
    std::size_t base_ = 0, count_ = 0;
};

/// One request: the size of its body. Throws for whatever goes wrong.
using Client = std::function<std::size_t(const std::string& url)>;

/// Runs the requests on as many threads, each with a client of its own, and prints the figures. The exit
/// status.
int run(const Flags& flags, std::string_view contender, const std::function<Client()>& make_client);

/// For --hold: what `open` allocated, in bytes for each of flags.hold connections.
int run_hold(const Flags& flags, std::string_view contender, const std::function<void()>& open);

/// A body of flags.upload bytes.
const std::string& upload_body(const Flags& flags);

}  // namespace bench
