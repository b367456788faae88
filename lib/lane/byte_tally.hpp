// ByteTally: how much a connection has received, without asking the kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

namespace ringlet::detail {

/// The sum of what the answers on a connection said of their own length, from a count of the kernel's on. It
/// is believed once the kernel has agreed with it, and never again after they differed: behind a TLS proxy,
/// say, other bytes travel than are counted here. Of one connection; of the next one another.
class ByteTally {
  public:
    /// What it is when a request takes the connection, if that is known. Whoever takes the connection takes
    /// it, so that after anybody who does not note() a new one it is unknown.
    std::optional<std::uint64_t> take() noexcept { return std::exchange(received_, std::nullopt); }
    void note(std::uint64_t received) noexcept { received_ = received; }
    /// The kernel's count beside the one taken.
    void compare(std::uint64_t taken, std::uint64_t kernels) noexcept {
        if (belief_ != Belief::refuted) belief_ = taken == kernels ? Belief::proved : Belief::refuted;
    }
    bool proved() const noexcept { return belief_ == Belief::proved; }

  private:
    enum class Belief : std::uint8_t { untried, proved, refuted };

    std::optional<std::uint64_t> received_;
    Belief belief_ = Belief::untried;
};

}  // namespace ringlet::detail
