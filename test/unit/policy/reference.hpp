// Reference: what a policy must hold after each step, kept in the plainest way, and a walk of random steps.
#pragma once

#include "bench.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace ringlet::test {

class Walk {
  public:
    Walk(const PolicyLimits& limits, std::uint64_t seed);
    // One random step, then every check. What does not hold, or nothing.
    std::optional<std::string> step();
    // From now on nothing becomes idle.
    void retire();
    // All leases come back and all closings are reported: nobody may be left waiting.
    std::optional<std::string> finish();

  private:
    enum class Held { connecting, leased, replaced };
    struct Waiting {
        Ticket ticket;
        unsigned key;
        UserId user;
        bool fresh;
    };

    static constexpr unsigned origins = 5, keys_per_origin = 2;
    static unsigned origin_of(unsigned key) { return key / 10; }
    // What host_limit() says of it.
    static std::optional<std::uint64_t> own_limit(unsigned origin);
    // Limits that keep waiters out, though all closings be reported.
    struct KeptOut {
        std::set<unsigned> by_origin;
        bool by_all = false;
    };

    std::size_t draw(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
    LaneId draw_held(Held state);
    void acquire();
    void took(const Answer& answer, unsigned key, UserId user, bool fresh,
              const std::vector<Waiting>& before);
    void becomes_idle(LaneId lane);
    void check_choice(const std::vector<LaneId>& idle, LaneId chosen, UserId user);
    void renew();
    void acquire_again();
    void catch_up();
    void enter_in_order(LaneId lane, Instant since);
    void connect();
    void release();
    void give_back(LaneId lane, const detail::Outcome& outcome);
    void fail_to_connect();
    void dead();
    void cancel();
    void hand_on();
    void report_closed();
    void evict();
    void discard_idle();
    void pass_time();
    void collect();
    void check_grant(const Grant& grant);

    void check();
    void check_counts();
    void check_idle_order();
    KeptOut who_is_kept_out() const;
    void check_nobody_waits_in_vain();
    void require(bool holds, const char* what) {
        if (!holds && !broken_) broken_ = what;
    }

    PolicyLimits limits_;
    detail::Policy policy_;
    std::mt19937_64 random_;
    Instant now_{std::chrono::hours(1)};
    std::map<LaneId, Held> held_;                   // by a request
    std::map<LaneId, unsigned> key_;                // of every lane there is
    std::map<LaneId, UserId> user_;                 // who had it last
    std::map<LaneId, Instant> since_;               // when it became idle last
    std::map<unsigned, std::vector<LaneId>> idle_;  // by key, in the order they became idle
    std::vector<LaneId> closing_;
    std::vector<Waiting> waiting_;  // in the order they came
    std::vector<Grant> granted_;    // not yet taken up
    bool retired_ = false;
    std::optional<std::string> broken_;
};

}  // namespace ringlet::test
