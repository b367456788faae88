// AdoptedSocket: a descriptor that is connected already, for a lane to use instead of dialling.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <utility>

namespace ringlet::detail {

/// Owns the descriptor until libcurl has it, which then closes it like one of its own. Handed out once: a
/// lane that has only this never dials. One thread at a time.
///
/// libcurl 7.88.0 and 7.88.1 ignore CURL_SOCKOPT_ALREADY_CONNECTED and call connect() all the same. There a
/// datagram socket stands in while libcurl connects (which sends nothing), and the descriptor is moved into
/// its number before the first byte is written: swap_in().
class AdoptedSocket {
  public:
    enum class From {
        anywhere,  // accepted, a socketpair, connected by the program
        libcurl,   // of a non-blocking connect() by libcurl: one more connect() succeeds, on every version
    };
    AdoptedSocket(int fd, From from) noexcept;
    ~AdoptedSocket();
    AdoptedSocket(const AdoptedSocket&) = delete;
    AdoptedSocket& operator=(const AdoptedSocket&) = delete;

    /// What libcurl's open-socket callback returns; -1: there is nothing to hand out (any more).
    int hand_out() noexcept;
    /// Before the first byte is written. Does nothing where it is not needed, or the second time.
    void swap_in() noexcept;
    /// libcurl is about to close that descriptor.
    void closed(int fd) noexcept;

    bool pending() const noexcept { return fd_ >= 0; }
    bool is_handed(int fd) const noexcept { return fd >= 0 && fd == handed_; }
    /// The connection's descriptor, wherever it is; -1: closed.
    int current() const noexcept { return fd_ >= 0 ? fd_ : handed_; }
    /// Whether it leads to that address: then it can stand for a connection to it.
    bool leads_to(const sockaddr& address, socklen_t size) const noexcept;
    /// What counts the connection in some cache: kept here, for whoever has the connection.
    void keep(std::shared_ptr<void> account) noexcept { account_ = std::move(account); }
    bool counted() const noexcept { return account_ != nullptr; }
    /// The connection leaves HTTP: what counts it is the caller's from now on, and no request may follow.
    std::shared_ptr<void> give_away() noexcept {
        given_away_ = true;
        return std::move(account_);
    }
    bool given_away() const noexcept { return given_away_; }
    /// Gives it up unused.
    void discard() noexcept;
    /// Whether it is to be closed is another's to say.
    void forget() noexcept { fd_ = -1; }
    /// The descriptor, the caller's again. If libcurl has it, libcurl is left with a socket that leads
    /// nowhere: no transfer may be running. Throws Error{connect} when there are no descriptors left.
    int take_back();

  private:
    int fd_ = -1;      // ours
    int handed_ = -1;  // libcurl's
    bool swap_;
    bool blocking_;  // as it was given
    bool given_away_ = false;
    std::shared_ptr<void> account_;
};

/// Takes a connection from under a descriptor that libcurl has, which then leads nowhere: the new descriptor.
/// Throws Error{connect}.
int detach_descriptor(int inside);

/// This libcurl cannot take over a connected socket as it is.
bool adoption_needs_swap() noexcept;

}  // namespace ringlet::detail
