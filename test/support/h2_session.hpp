#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "support/connection.hpp"
#include "support/h2_frame.hpp"

namespace ringlet::test {

// A request whose HEADERS have come; header blocks are not decoded.
struct H2Request {
    std::uint32_t stream = 0;
    std::string header_block;
    std::string body;       // so far
    bool complete = false;  // END_STREAM has come
};

class H2Session;

// What to do about a request; false ends the session (and closes the connection, unless that has happened).
using H2Action = std::function<bool(H2Session&, std::uint32_t stream)>;

// The server side of one HTTP/2 connection, by hand. Frames are sent exactly as asked; only send_data() and
// queue_data() heed the client's windows. read_frame() keeps the books on the way: it acknowledges SETTINGS
// and PINGs and gives back the window of DATA (each can be switched off). All on the script's thread.
class H2Session {
  public:
    explicit H2Session(Connection& connection) : connection_(connection) {}

    Connection& connection() { return connection_; }

    // Sends our SETTINGS and reads the client's preface; false if it is none.
    bool start(const H2Settings& settings = {});

    // The next frame, whatever it is, after the books were kept; nullopt at the end of the connection.
    std::optional<H2Frame> read_frame();
    // The next frame of that type, others are passed over.
    std::optional<H2Frame> read_frame(H2FrameType type);
    // The next request that is complete (END_STREAM). read_frame() puts those on the server's record as well,
    // with method "h2", the stream as target and the header block as head.
    std::optional<H2Request> read_request();

    bool send(const H2Frame& frame) { return connection_.write(frame.bytes()); }
    bool send_settings(const H2Settings& settings);
    bool send_settings_ack();
    bool send_headers(std::uint32_t stream, int status, const H2Fields& fields = {}, bool end_stream = false);
    bool send_trailers(std::uint32_t stream, const H2Fields& fields);
    // Waits for window if need be, and reads frames meanwhile; false if the stream or the connection ends
    // before.
    bool send_data(std::uint32_t stream, std::string_view bytes, bool end_stream);
    // The same without waiting: the rest goes out as read_frame() sees window updates.
    bool queue_data(std::uint32_t stream, std::string_view bytes, bool end_stream);
    bool send_rst_stream(std::uint32_t stream, H2Error error);
    bool send_goaway(std::uint32_t last_stream, H2Error error, std::string_view debug_data = "");
    bool send_ping(std::string_view eight_bytes = "ringlet!", bool ack = false);
    bool send_window_update(std::uint32_t stream, std::uint32_t increment);

    // Reads requests and answers each by the action until the client ends or an action says so. Requests go
    // to the records of the server, as method "h2" and target "<stream>".
    void serve(const std::function<H2Action(const H2Request&)>& on_request);

    void acknowledge_settings(bool on) { acknowledge_settings_ = on; }
    void answer_pings(bool on) { answer_pings_ = on; }
    void give_window_back(bool on) { give_window_back_ = on; }

    // --- What the client did ---

    std::uint32_t last_stream() const { return last_stream_; }
    std::size_t streams_started() const { return streams_started_; }
    // The error of the client's RST_STREAM, if there was one.
    std::optional<H2Error> reset_by_client(std::uint32_t stream) const;
    bool client_went_away() const { return client_went_away_; }  // GOAWAY
    std::int64_t window(std::uint32_t stream) const;             // what may be sent now

  private:
    struct Stream {
        H2Request request;
        std::int64_t window = 65535;
        std::string queued;
        bool end_queued = false;
        std::optional<H2Error> reset;
    };

    bool keep_books(const H2Frame& frame);
    void on_headers(const H2Frame& frame);
    bool on_data(const H2Frame& frame);
    void on_settings(const H2Frame& frame);
    void on_window_update(const H2Frame& frame);
    void complete(Stream& stream);
    Stream& stream(std::uint32_t id);
    bool flush();
    bool flush(std::uint32_t id, Stream& stream);

    Connection& connection_;
    std::map<std::uint32_t, Stream> streams_;
    std::set<std::uint32_t> sending_;  // streams with something queued
    std::deque<H2Request> complete_;   // not yet returned by read_request()
    std::uint32_t last_stream_ = 0;
    std::size_t streams_started_ = 0;
    std::int64_t window_ = 65535;          // of the connection
    std::int64_t initial_window_ = 65535;  // of new streams
    std::size_t max_frame_size_ = 16384;
    bool client_went_away_ = false;
    bool acknowledge_settings_ = true;
    bool answer_pings_ = true;
    bool give_window_back_ = true;
};

}  // namespace ringlet::test
