// SocketEar: whether anything has come or gone on a kept connection since a request took it.
#pragma once

#include <cstdint>

namespace ringlet::detail {

/// libcurl counts whole header lines only: a kept connection that dies after "HTTP/1.1 200 O" looks
/// unanswered to it, and it would send the request again. The kernel counts bytes (TCP_INFO). One system call
/// when a request starts on a kept connection, one more when that connection is closed under it.
class SocketEar {
  public:
    /// Starts to listen on a connection that is about to carry a request. -1: no connection.
    void start(int fd, bool tls) noexcept;
    /// The request goes out on another connection now.
    void stop() noexcept {
        fd_ = -1;
        before_ = {};
        answered_ = nothing_sent_ = false;
    }
    /// libcurl is about to close a descriptor: remembers what the kernel knows, if it is this one.
    void closing(int fd) noexcept;
    /// The peer has sent more than a TLS end-of-connection alert.
    bool answered() const noexcept { return answered_; }
    /// Known for sure: not a byte of the request (in TLS: not one whole record) was taken by the kernel.
    bool nothing_sent() const noexcept { return nothing_sent_; }

  private:
    struct Counts {
        bool known = false;
        std::uint32_t segments = 0;            // that held data
        std::uint64_t received = 0, sent = 0;  // sent: or queued to be
    };
    static Counts counts_of(int fd) noexcept;

    int fd_ = -1;
    bool tls_ = false;
    Counts before_;
    bool answered_ = false;
    bool nothing_sent_ = false;
};

}  // namespace ringlet::detail
