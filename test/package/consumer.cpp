// A program outside of the tree: knows ringlet only by its installed headers and `pkg-config ringlet`.
#include <ringlet/ringlet.hpp>

#include <cstdio>
#include <string>

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const ringlet::ConnectionCache cache;
    ringlet::Session session{cache};
    for (int i = 0; i < 2; ++i) {
        ringlet::Response response = session.get(argv[1]);
        const std::string text = response.text();
        std::printf("%d %s\n", response.status(), text.c_str());
    }
    std::printf("opened %llu\n", static_cast<unsigned long long>(cache.stats().opened));
}
