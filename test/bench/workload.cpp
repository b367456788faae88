#include "workload.hpp"

#include <malloc.h>

#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

namespace bench {
namespace {

[[noreturn]] void usage(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::exit(2);
}

/// The most memory this process has had, in KiB: of this program alone, which getrusage() does not say after
/// an exec.
long peak_kib() {
    std::ifstream status("/proc/self/status");
    std::string word;
    long kib = 0;
    while (status >> word) {
        if (word == "VmHWM:" && status >> kib) break;
    }
    return kib;
}

struct Part {
    std::size_t bytes = 0;
    std::exception_ptr error;
};

void work(const Flags& flags, std::size_t share, const Client& client, Part& part) try {
    Urls urls(flags);
    for (std::size_t i = 0; i < share; ++i) part.bytes += client(urls.next());
} catch (...) {
    part.error = std::current_exception();
}

/// The first request of each thread opens its connection and is not measured.
void warm_up(const Flags& flags, const Client& client, Part& part) try {
    if (flags.origins == 0) client(Urls(flags).next());
} catch (...) {
    part.error = std::current_exception();
}

int report(const Flags& flags, std::string_view contender, double seconds, const std::vector<Part>& parts) {
    std::size_t bytes = 0;
    for (const auto& part : parts) {
        bytes += part.bytes;
        try {
            if (part.error) std::rethrow_exception(part.error);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(contender.size()), contender.data(),
                         error.what());
            return 1;
        }
    }
    std::printf(
        "{\"contender\": \"%.*s\", \"requests\": %zu, \"seconds\": %.6f, \"bytes\": %zu, \"peak_kib\": "
        "%ld}\n",
        static_cast<int>(contender.size()), contender.data(), flags.requests, seconds, bytes, peak_kib());
    return 0;
}

}  // namespace

Flags parse(int argc, char** argv) {
    Flags flags;
    const std::map<std::string_view, std::string*> strings{{"--url", &flags.url},
                                                           {"--protocol", &flags.protocol},
                                                           {"--ca", &flags.ca},
                                                           {"--api", &flags.api},
                                                           {"--save-to", &flags.save_to}};
    const std::map<std::string_view, std::size_t*> numbers{
        {"--requests", &flags.requests}, {"--threads", &flags.threads},
        {"--origins", &flags.origins},   {"--connections", &flags.connections},
        {"--upload", &flags.upload},     {"--hold", &flags.hold},
        {"--sessions", &flags.sessions}, {"--busy-poll", &flags.busy_poll_us},
        {"--block", &flags.block}};
    const std::map<std::string_view, bool*> switches{{"--vary-path", &flags.vary_path},
                                                     {"--new-connection", &flags.new_connection},
                                                     {"--copies", &flags.copies},
                                                     {"--control", &flags.control},
                                                     {"--bare", &flags.bare}};
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (const auto found = switches.find(name); found != switches.end()) {
            *found->second = true;
            continue;
        }
        if (i + 1 == argc) usage("no value: " + std::string(name));
        const char* value = argv[++i];
        if (const auto text = strings.find(name); text != strings.end()) {
            *text->second = value;
        } else if (const auto number = numbers.find(name); number != numbers.end()) {
            *number->second = std::strtoull(value, nullptr, 10);
        } else {
            usage("unknown flag: " + std::string(name));
        }
    }
    if (flags.url.empty()) usage("--url is missing");
    if (flags.block == 0) usage("--block 0");
    return flags;
}

Urls::Urls(const Flags& flags) : flags_(flags), url_(flags.url), base_(flags.url.size()) {
    if (flags.origins == 0) return;
    const auto host = url_.find("://") + 3;
    host_end_ = url_.substr(url_.find(':', host));
    base_ = host;
}

const std::string& Urls::next() {
    const auto n = std::to_string(count_++ % (flags_.origins != 0 ? flags_.origins : 1'000'000));
    if (flags_.origins != 0) {
        url_.resize(base_);
        url_.append("o").append(n).append(".localhost").append(host_end_);
    } else if (flags_.vary_path) {
        url_.resize(base_);
        url_.append("/items/").append(n).append("?page=").append(n);
    }
    return url_;
}

int run(const Flags& flags, std::string_view contender, const std::function<Client()>& make_client) {
    std::vector<Part> parts(flags.threads);
    std::chrono::steady_clock::time_point begin;
    std::barrier ready(static_cast<std::ptrdiff_t>(flags.threads),
                       [&]() noexcept { begin = std::chrono::steady_clock::now(); });
    {
        std::vector<std::jthread> threads;
        const auto serve = [&](std::size_t index) {
            Client client;
            try {
                client = make_client();
            } catch (...) {
                parts[index].error = std::current_exception();
            }
            if (!parts[index].error) warm_up(flags, client, parts[index]);
            ready.arrive_and_wait();
            const auto share = flags.requests / flags.threads;
            if (!parts[index].error) work(flags, share, client, parts[index]);
        };
        if (flags.threads == 1) serve(0);
        for (std::size_t i = 0; flags.threads > 1 && i < flags.threads; ++i) threads.emplace_back(serve, i);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    return report(flags, contender, took.count(), parts);
}

int run_hold(const Flags& flags, std::string_view contender, const std::function<void()>& open) {
    const auto before = mallinfo2();
    open();
    const auto after = mallinfo2();
    const auto bytes = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
    std::printf("{\"contender\": \"%.*s\", \"connections\": %zu, \"heap_per_connection\": %zu}\n",
                static_cast<int>(contender.size()), contender.data(), flags.hold, bytes / flags.hold);
    return 0;
}

const std::string& upload_body(const Flags& flags) {
    static const std::string body(flags.upload, 'u');
    return body;
}

}  // namespace bench
