// PooledTransfer: one transfer of the program's own handle, on a lane.
#pragma once

#include "base/cancellation.hpp"
#include "cache/cache.hpp"
#include "compat/easy_record.hpp"
#include "compat/private_lanes.hpp"
#include "curl/api.hpp"
#include "lane/lane.hpp"
#include "transfer/socket_ear.hpp"

#include <cstddef>
#include <optional>

namespace ringlet::detail {

/// The handle while it is on the lane.
class PooledTransfer final : public LaneClient {
  public:
    PooledTransfer(CURL* easy, EasyRecord& record, Lease& lease) noexcept
        : easy_(easy),
          record_(record),
          lease_(lease),
          on_private_lane_(record.key_is_private()),
          was_open_(lease->socket() >= 0),
          established_(was_open_),
          opened_before_(lease->sockets().opened_count()),
          kept_socket_(lease->socket()) {}

    /// Nothing: libcurl does not take the handle, which is in a multi of the program's own or inside a
    /// callback.
    std::optional<CURLcode> run(const Cancellation& cancellation);
    Verdict verdict() noexcept;

    std::size_t on_header(const char*, std::size_t size) noexcept override { return size; }
    std::size_t on_body(const char*, std::size_t size) noexcept override { return size; }
    std::size_t on_read(char*, std::size_t) noexcept override { return CURL_READFUNC_ABORT; }
    int on_seek(curl_off_t, int) noexcept override { return CURL_SEEKFUNC_CANTSEEK; }
    int on_send(const char*, int, const char*, int) noexcept override { return CURL_PREREQFUNC_OK; }
    int on_progress(curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept override { return 0; }
    bool on_open_socket() noexcept override;
    void on_close_socket(int fd) noexcept override { ear_.closing(fd); }

  private:
    CURLcode drive();
    void close_unfit_lanes() noexcept;
    void tell_connected() noexcept;
    bool may_be_replayed() noexcept;
    bool leave_name_cache(Clock::time_point now) noexcept;
    void note_name_cache(Clock::time_point started) noexcept;
    CURLcode explain_refusal() noexcept;
    bool left_origin() noexcept;
    bool left_body_unread() noexcept;
    template <class T>
    T info(CURLINFO which) const noexcept {
        T value{};
        curl().easy_getinfo(easy_, which, &value);
        return value;
    }

    CURL* const easy_;
    EasyRecord& record_;
    Lease& lease_;
    const bool on_private_lane_;
    const bool was_open_;
    bool established_;  // the cache knows the connection
    const std::size_t opened_before_;
    const int kept_socket_;
    bool knows_sockets_ = true;
    bool opened_ = false;         // a socket, since the cache was told last
    curl_off_t sent_before_ = 0;  // CURLINFO_PRETRANSFER_TIME_T at that time
    long requested_before_ = 0;   // CURLINFO_REQUEST_SIZE then
    bool mixed_results_ = false;  // of verification, on connections that are kept together
    bool replay_refused_ = false;
    SocketEar ear_;
    CURLcode result_ = CURLE_OK;
};

/// Takes what a lane has set for a transfer from a duplicate that was made meanwhile.
void take_off_lane(CURL* copy, const EasyRecord& record) noexcept;

/// Lets the next transfer read CURLOPT_RESOLVE's list.
void give_names(CURL* easy, const EasyRecord& record) noexcept;

/// The server has offered Negotiate, so libcurl may have sent a ticket, and may begin with one from now on.
bool may_have_negotiated(CURL* easy, const EasyRecord& record) noexcept;

/// Each socket counts.
bool limited(const CacheSettings& settings) noexcept;

}  // namespace ringlet::detail
