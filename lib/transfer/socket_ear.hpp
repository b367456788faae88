// SocketEar: whether anything has come or gone on a kept connection since a request took it.
#pragma once

#include <cstdint>
#include <optional>

namespace ringlet::detail {

/// libcurl counts whole header lines only: a kept connection that dies after "HTTP/1.1 200 O" looks
/// unanswered to it, and it would send the request again. The kernel counts bytes (TCP_INFO). One system call
/// when a request starts on a kept connection, unless it is known what it would say, and one more when that
/// connection is closed under it.
class SocketEar {
  public:
    /// Starts to listen on a connection that is about to carry a request. -1: no connection.
    void start(int fd, bool tls) noexcept;
    /// The same without TLS, where so many bytes have come so far. Then nothing_sent() is never known.
    void start_from(int fd, std::uint64_t received) noexcept;
    /// The request goes out on another connection now.
    void stop() noexcept;
    /// libcurl is about to close a descriptor: remembers what the kernel knows, if it is this one.
    void closing(int fd) noexcept;
    /// Bytes that had come when it started, if the connection is still there and that is known.
    std::optional<std::uint64_t> received_before() const noexcept;
    /// The peer has sent more than a TLS end-of-connection alert.
    bool answered() const noexcept { return answered_; }
    /// Known for sure: not a byte of the request (in TLS: not one whole record) was taken by the kernel.
    bool nothing_sent() const noexcept { return nothing_sent_; }

  private:
    struct Counts {
        bool known = false;
        std::uint8_t state = 0;                // TCP_ESTABLISHED and so on
        std::uint32_t segments = 0;            // that held data
        std::uint64_t received = 0, sent = 0;  // sent: or queued to be
    };
    static Counts counts_of(int fd) noexcept;

    int fd_ = -1;
    bool tls_ = false;
    bool received_only_ = false;  // of before_
    Counts before_;
    bool answered_ = false;
    bool nothing_sent_ = false;
};

}  // namespace ringlet::detail
