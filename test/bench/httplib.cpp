// cpp-httplib: a client object for each thread, kept alive.
#include "workload.hpp"

#define CPPHTTPLIB_OPENSSL_SUPPORT
#include <httplib.h>

#include <memory>
#include <stdexcept>

namespace {

/// "scheme://host:port" and what follows.
std::pair<std::string, std::string> split(const std::string& url) {
    const auto slash = url.find('/', url.find("://") + 3);
    return {url.substr(0, slash), slash == std::string::npos ? "/" : url.substr(slash)};
}

std::unique_ptr<httplib::Client> connect(const bench::Flags& flags) {
    auto client = std::make_unique<httplib::Client>(split(flags.url).first);
    client->set_keep_alive(!flags.new_connection);
    client->set_tcp_nodelay(true);
    if (!flags.ca.empty()) client->set_ca_cert_path(flags.ca.c_str());
    return client;
}

std::size_t request(httplib::Client& client, const bench::Flags& flags, const std::string& url) {
    const auto path = split(url).second;
    std::size_t size = 0;
    const auto count = [&size](const char*, std::size_t n) {
        size += n;
        return true;
    };
    const auto result = flags.upload != 0
                            ? client.Post(path, bench::upload_body(flags), "application/octet-stream")
                        : flags.api == "read" ? client.Get(path, count)
                                              : client.Get(path);
    if (!result) throw std::runtime_error(httplib::to_string(result.error()));
    if (result->status != 200) throw std::runtime_error("status " + std::to_string(result->status));
    return size + result->body.size();
}

}  // namespace

int main(int argc, char** argv) {
    const auto flags = bench::parse(argc, argv);
    return bench::run(flags, "cpp-httplib", [&]() -> bench::Client {
        std::shared_ptr<httplib::Client> client = connect(flags);
        return [client, &flags](const std::string& url) mutable {
            if (flags.new_connection) client = connect(flags);
            return request(*client, flags, url);
        };
    });
}
