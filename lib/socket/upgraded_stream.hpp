// UpgradedStream: a TLS connection after 101 Switching Protocols, driven inside the transfer that got it.
#pragma once

#include "lane/lane.hpp"
#include "socket/stream.hpp"
#include "transfer/body_buffer.hpp"
#include "transfer/exchange.hpp"
#include "value/url.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace ringlet::detail {

/// TLS state cannot leave libcurl, and libcurl lends the connection to nobody else while its transfer runs;
/// but after a 101 that transfer's body is whatever the peer sends, and its upload whatever we send, with no
/// framing (libcurl.md, Q5).
class UpgradedStream final : public Stream, private LaneClient {
  public:
    /// `outer`: what a given connection is counted by besides; may be null.
    UpgradedStream(Upgraded upgraded, std::shared_ptr<Account> outer);
    ~UpgradedStream() override;

    std::size_t read(std::span<std::byte> to, const StreamLimits& limits) override;
    void write(std::span<const std::byte> bytes, const StreamLimits& limits) override;
    Waiting waiting() noexcept override;
    bool inherited() const noexcept override { return lane_.forked(); }
    bool plain() const noexcept override { return false; }
    Descriptor release() override;
    std::string local_address() const override { return lane_.local_address(); }
    std::string remote_address() const override { return lane_.remote_address(); }

  private:
    void step();
    void step_and_notice_end();
    void wait(const StreamLimits& limits, bool for_bytes);
    void resume_if_paused() noexcept;
    void require_no_failure() const;
    std::uint64_t uploaded() noexcept;

    // LaneClient
    std::size_t on_header(const char* data, std::size_t size) noexcept override;
    std::size_t on_body(const char* data, std::size_t size) noexcept override;
    std::size_t on_read(char* buffer, std::size_t size) noexcept override;
    int on_seek(curl_off_t offset, int origin) noexcept override;
    int on_send(const char* remote_ip, int remote_port, const char* local_ip,
                int local_port) noexcept override;
    bool on_open_socket() noexcept override;
    void on_close_socket(int) noexcept override {}
    int on_progress(curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept override { return 0; }

    std::shared_ptr<const Url> url_;  // the easy handle points at it
    std::shared_ptr<Account> outer_;
    std::shared_ptr<Account> account_;
    Lane& lane_;
    BodyBuffer in_;
    std::span<const std::byte> out_;  // of the write in progress
    std::uint64_t written_ = 0;       // handed to libcurl
    bool read_paused_ = false;        // what comes in
    bool resuming_ = false;
    bool done_ = false;        // the transfer is over
    bool peer_ended_ = false;  // nothing more comes in
    unsigned ignored_ = 0;     // how often bytes were there that libcurl did not read
    CURLcode result_ = CURLE_OK;
};

}  // namespace ringlet::detail
