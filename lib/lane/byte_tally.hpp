// ByteTally: how much a connection has received, without asking the kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

namespace ringlet::detail {

/// The sum of what the answers on a connection said of their own length, from a count of the kernel's on. It
/// is believed for some requests after the kernel has agreed with it, and never again after they differed:
/// behind a TLS proxy, say, other bytes travel than are counted here, and newer libcurl hands over a folded
/// header line as a shorter one. Of one connection; of the next one another.
class ByteTally {
  public:
    /// What it is when a request takes the connection, if that is known. Whoever takes the connection takes
    /// it, so that after anybody who does not note() a new one it is unknown.
    std::optional<std::uint64_t> take() noexcept { return std::exchange(received_, std::nullopt); }
    void note(std::uint64_t received) noexcept { received_ = received; }
    /// The kernel's count beside the one taken.
    void compare(std::uint64_t taken, std::uint64_t kernels) noexcept {
        constexpr unsigned requests = 15;
        refuted_ = refuted_ || taken != kernels;
        credit_ = refuted_ ? 0 : requests;
    }
    /// This request may go by what it has taken.
    bool believed() noexcept { return credit_ != 0 && credit_-- != 0; }

  private:
    std::optional<std::uint64_t> received_;
    bool refuted_ = false;
    unsigned credit_ = 0;  // requests until the kernel is asked again
};

}  // namespace ringlet::detail
