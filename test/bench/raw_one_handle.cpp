// Raw libcurl, one easy handle for each thread. --api same (default): what ringlet does too; minimal: nothing
// beyond.
#include "raw.hpp"

#include <list>
#include <memory>

int main(int argc, char** argv) {
    auto flags = bench::parse(argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (flags.hold != 0) {
        std::list<bench::RawHandle> handles;
        return bench::run_hold(flags, "raw-one-handle", [&] {
            for (std::size_t i = 0; i < flags.hold; ++i) handles.emplace_back(flags).get(flags.url);
        });
    }
    return bench::run(flags, "raw-one-handle", [&]() -> bench::Client {
        return [handle = std::make_shared<bench::RawHandle>(flags)](const std::string& url) {
            return handle->get(url);
        };
    });
}
