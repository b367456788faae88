// Raw libcurl, an easy handle made and cleaned up for each request.
#include "raw.hpp"

int main(int argc, char** argv) {
    const auto flags = bench::parse(argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return bench::run(flags, "raw-new-handle", [&]() -> bench::Client {
        return [&flags](const std::string& url) { return bench::RawHandle(flags).get(url); };
    });
}
