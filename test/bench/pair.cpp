// Raw libcurl and ringlet in one process, in turns of a few requests: what the machine does besides, it does
// to both, so that their ratio repeats where times of programs run one after the other do not. --block: the
// requests of a thread's turn. --control: raw libcurl in ringlet's turns too, which tells what the ratio is
// worth.
#include "raw.hpp"
#include "session.hpp"

#include <ringlet/ringlet.hpp>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

class Pair {
  public:
    Pair(const ringlet::ConnectionCache& cache, const bench::Flags& flags)
        : flags_(flags),
          urls_(flags),
          raw_(flags),
          control_(flags),
          session_(bench::make_session(cache, flags)) {}

    void raw() { raw_.get(urls_.next()); }
    void ours() {
        if (flags_.control) {
            control_.get(urls_.next());
        } else {
            bench::request(session_, flags_, urls_.next());
        }
    }

  private:
    const bench::Flags& flags_;
    bench::Urls urls_;
    bench::RawHandle raw_, control_;
    ringlet::Session session_;
};

/// How long each turn of all threads together took, raw and ringlet alternating.
class Turns {
  public:
    explicit Turns(std::size_t threads) : barrier_(static_cast<std::ptrdiff_t>(threads), Next{*this}) {}

    void pass() { barrier_.arrive_and_wait(); }
    /// Of ringlet's turns to the raw ones just before.
    std::vector<double> ratios() const {
        std::vector<double> found;
        for (std::size_t i = 1; i < took_.size(); i += 2) found.push_back(took_[i] / took_[i - 1]);
        std::ranges::sort(found);
        return found;
    }

  private:
    struct Next {
        Turns& turns;
        void operator()() noexcept {
            const auto now = Clock::now();
            if (turns.began_ != Clock::time_point{})
                turns.took_.push_back(std::chrono::duration<double>(now - turns.began_).count());
            turns.began_ = now;
        }
    };

    Clock::time_point began_;
    std::vector<double> took_;
    std::barrier<Next> barrier_;
};

void work(const ringlet::ConnectionCache& cache, const bench::Flags& flags, Turns& turns) {
    Pair pair(cache, flags);
    pair.raw();
    pair.ours();
    turns.pass();
    const auto rounds = flags.requests / flags.block / flags.threads;
    for (std::size_t round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < flags.block; ++i) pair.raw();
        turns.pass();
        for (std::size_t i = 0; i < flags.block; ++i) pair.ours();
        turns.pass();
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto flags = bench::parse(argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const auto cache = ringlet::ConnectionCache::builder().build();
    Turns turns(flags.threads);
    const auto serve = [&] {
        try {
            work(cache, flags, turns);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "pair: %s\n", error.what());
            std::_Exit(1);  // the other threads wait for this one
        }
    };
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 1; i < flags.threads; ++i) threads.emplace_back(serve);
        serve();
    }
    const auto ratios = turns.ratios();
    if (ratios.empty()) {
        std::fprintf(stderr, "pair: fewer requests than one turn of all threads\n");
        return 2;
    }
    const auto at = [&](double share) {
        return ratios[static_cast<std::size_t>(share * static_cast<double>(ratios.size() - 1))];
    };
    std::printf("{\"turns\": %zu, \"lower\": %.3f, \"ratio\": %.3f, \"upper\": %.3f}\n", ratios.size(),
                at(0.25), at(0.5), at(0.75));
    return 0;
}
