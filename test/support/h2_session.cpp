#include "support/h2_session.hpp"

#include <algorithm>
#include <utility>

namespace ringlet::test {

namespace {

// Without padding and, in HEADERS, priority.
std::string_view content(const H2Frame& frame) {
    std::string_view payload = frame.payload;
    std::size_t padding = 0;
    if (frame.has(h2_flag::padded) && !payload.empty()) {
        padding = static_cast<unsigned char>(payload[0]);
        payload.remove_prefix(1);
    }
    if (frame.type == H2FrameType::headers && frame.has(h2_flag::priority))
        payload.remove_prefix(std::min<std::size_t>(5, payload.size()));
    payload.remove_suffix(std::min(padding, payload.size()));
    return payload;
}

}  // namespace

// --- Reading ---

bool H2Session::start(const H2Settings& settings) {
    if (!send_settings(settings)) return false;
    return connection_.read_exactly(h2_preface.size()) == h2_preface;
}

std::optional<H2Frame> H2Session::read_frame() {
    auto head = connection_.read_exactly(9);
    if (!head) return std::nullopt;
    auto size = h2_read_uint32(*head) >> 8;
    H2Frame frame;
    frame.type = static_cast<H2FrameType>((*head)[3]);
    frame.flags = static_cast<std::uint8_t>((*head)[4]);
    frame.stream = h2_read_uint32(std::string_view(*head).substr(5)) & 0x7fffffff;
    auto payload = connection_.read_exactly(size);
    if (!payload) return std::nullopt;
    frame.payload = std::move(*payload);
    if (!keep_books(frame) || !flush()) return std::nullopt;
    return frame;
}

std::optional<H2Frame> H2Session::read_frame(H2FrameType type) {
    for (;;) {
        auto frame = read_frame();
        if (!frame || frame->type == type) return frame;
    }
}

std::optional<H2Request> H2Session::read_request() {
    while (complete_.empty())
        if (!read_frame()) return std::nullopt;
    auto request = std::move(complete_.front());
    complete_.pop_front();
    return request;
}

bool H2Session::keep_books(const H2Frame& frame) {
    switch (frame.type) {
        case H2FrameType::headers:
        case H2FrameType::continuation:
            on_headers(frame);
            break;
        case H2FrameType::data:
            return on_data(frame);
        case H2FrameType::settings:
            if (frame.has(h2_flag::ack)) break;
            on_settings(frame);
            return !acknowledge_settings_ || send_settings_ack();
        case H2FrameType::ping:
            return frame.has(h2_flag::ack) || !answer_pings_ || send_ping(frame.payload, true);
        case H2FrameType::window_update:
            on_window_update(frame);
            break;
        case H2FrameType::rst_stream: {
            auto& reset = stream(frame.stream);
            reset.reset = static_cast<H2Error>(h2_read_uint32(frame.payload));
            reset.queued.clear();
            reset.end_queued = false;
            sending_.erase(frame.stream);
            break;
        }
        case H2FrameType::goaway:
            client_went_away_ = true;
            break;
        case H2FrameType::priority:
        case H2FrameType::push_promise:
            break;
    }
    return true;
}

void H2Session::on_headers(const H2Frame& frame) {
    auto& request = stream(frame.stream).request;
    if (frame.type == H2FrameType::headers && frame.stream > last_stream_) {
        last_stream_ = frame.stream;
        ++streams_started_;
    }
    request.header_block += content(frame);
    if (frame.type == H2FrameType::headers && frame.has(h2_flag::end_stream)) request.complete = true;
    if (frame.has(h2_flag::end_headers) && request.complete) complete(stream(frame.stream));
}

bool H2Session::on_data(const H2Frame& frame) {
    auto& sender = stream(frame.stream);
    sender.request.body += content(frame);
    bool last = frame.has(h2_flag::end_stream);
    if (last) {
        sender.request.complete = true;
        complete(sender);
    }
    auto used = static_cast<std::uint32_t>(frame.payload.size());
    if (!give_window_back_ || used == 0) return true;
    return send_window_update(0, used) && (last || send_window_update(frame.stream, used));
}

void H2Session::complete(Stream& stream) {
    Recorded record;
    record.connection = connection_.index();
    record.ordinal = streams_started_ - 1;
    record.peer_port = connection_.peer_port();
    record.method = "h2";
    record.target = std::to_string(stream.request.stream);
    record.head = stream.request.header_block;
    record.body = stream.request.body;
    record.body_size = record.body.size();
    record.head_read_at = record.read_at = Clock::now();
    connection_.record(record);
    auto id = stream.request.stream;
    complete_.push_back(std::exchange(stream.request, {}));
    stream.request.stream = id;
}

void H2Session::on_settings(const H2Frame& frame) {
    for (std::string_view rest = frame.payload; rest.size() >= 6; rest.remove_prefix(6)) {
        auto name = static_cast<H2Setting>(h2_read_uint32(rest) >> 16);
        auto value = h2_read_uint32(rest.substr(2));
        if (name == H2Setting::max_frame_size) max_frame_size_ = value;
        if (name != H2Setting::initial_window_size) continue;
        // Streams that exist change by the difference, RFC 9113 section 6.9.2.
        for (auto& [id, stream] : streams_) stream.window += value - initial_window_;
        initial_window_ = value;
    }
}

void H2Session::on_window_update(const H2Frame& frame) {
    auto increment = h2_read_uint32(frame.payload) & 0x7fffffff;
    (frame.stream == 0 ? window_ : stream(frame.stream).window) += increment;
}

H2Session::Stream& H2Session::stream(std::uint32_t id) {
    auto [found, is_new] = streams_.try_emplace(id);
    if (is_new) {
        found->second.request.stream = id;
        found->second.window = initial_window_;
    }
    return found->second;
}

std::optional<H2Error> H2Session::reset_by_client(std::uint32_t stream) const {
    auto found = streams_.find(stream);
    return found == streams_.end() ? std::nullopt : found->second.reset;
}

std::int64_t H2Session::window(std::uint32_t stream) const {
    auto found = streams_.find(stream);
    return std::min(window_, found == streams_.end() ? initial_window_ : found->second.window);
}

// --- Sending ---

bool H2Session::send_settings(const H2Settings& settings) {
    return send({H2FrameType::settings, 0, 0, h2_settings_payload(settings)});
}

bool H2Session::send_settings_ack() {
    return send({H2FrameType::settings, h2_flag::ack, 0, ""});
}

bool H2Session::send_headers(std::uint32_t stream, int status, const H2Fields& fields, bool end_stream) {
    auto flags = static_cast<std::uint8_t>(h2_flag::end_headers | (end_stream ? h2_flag::end_stream : 0));
    return send({H2FrameType::headers, flags, stream, hpack_block(status, fields)});
}

bool H2Session::send_trailers(std::uint32_t stream, const H2Fields& fields) {
    return send(
        {H2FrameType::headers, h2_flag::end_headers | h2_flag::end_stream, stream, hpack_fields(fields)});
}

bool H2Session::send_rst_stream(std::uint32_t stream, H2Error error) {
    return send({H2FrameType::rst_stream, 0, stream, h2_uint32(static_cast<std::uint32_t>(error))});
}

bool H2Session::send_goaway(std::uint32_t last_stream, H2Error error, std::string_view debug_data) {
    auto payload = h2_uint32(last_stream) + h2_uint32(static_cast<std::uint32_t>(error));
    return send({H2FrameType::goaway, 0, 0, payload.append(debug_data)});
}

bool H2Session::send_ping(std::string_view eight_bytes, bool ack) {
    return send({H2FrameType::ping, ack ? h2_flag::ack : std::uint8_t{0}, 0, std::string(eight_bytes)});
}

bool H2Session::send_window_update(std::uint32_t stream, std::uint32_t increment) {
    return send({H2FrameType::window_update, 0, stream, h2_uint32(increment)});
}

bool H2Session::queue_data(std::uint32_t id, std::string_view bytes, bool end_stream) {
    auto& to = stream(id);
    if (to.reset) return true;
    to.queued += bytes;
    to.end_queued = end_stream;
    return flush(id, to);
}

bool H2Session::send_data(std::uint32_t id, std::string_view bytes, bool end_stream) {
    if (!queue_data(id, bytes, end_stream)) return false;
    auto& to = stream(id);
    while (!to.reset && (!to.queued.empty() || to.end_queued))
        if (!read_frame()) return false;
    return !to.reset;
}

bool H2Session::flush() {
    // A copy, since those that are done leave the set.
    for (auto id : std::vector(sending_.begin(), sending_.end()))
        if (!flush(id, stream(id))) return false;
    return true;
}

bool H2Session::flush(std::uint32_t id, Stream& stream) {
    std::size_t sent = 0;
    while (sent < stream.queued.size() || stream.end_queued) {
        auto open = static_cast<std::size_t>(std::max<std::int64_t>(0, std::min(window_, stream.window)));
        auto size = std::min({stream.queued.size() - sent, open, max_frame_size_});
        bool last = stream.end_queued && sent + size == stream.queued.size();
        if (size == 0 && !last) break;
        auto flags = last ? h2_flag::end_stream : std::uint8_t{0};
        if (!send({H2FrameType::data, flags, id, stream.queued.substr(sent, size)})) return false;
        sent += size;
        stream.window -= static_cast<std::int64_t>(size);
        window_ -= static_cast<std::int64_t>(size);
        if (last) stream.end_queued = false;
    }
    stream.queued.erase(0, sent);
    if (stream.queued.empty() && !stream.end_queued)
        sending_.erase(id);
    else
        sending_.insert(id);
    return true;
}

// --- Serving ---

void H2Session::serve(const std::function<H2Action(const H2Request&)>& on_request) {
    while (auto request = read_request())
        if (!on_request(*request)(*this, request->stream)) return connection_.close();
}

}  // namespace ringlet::test
