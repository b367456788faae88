// Exchange: sending again what a kept connection took along (behaviour.md, section 6).
#include "transfer/exchange.hpp"

namespace ringlet::detail {

/// libcurl replays by itself where it may (Transfer::replay_refused()), but not over HTTP/2: there it is done
/// here, on a fresh connection. Throws where the rules say no.
Exchange::Turn Exchange::next_turn(Turn last) {
    const bool possible = last != Turn::replay && !call_.given_connection && transfer_.lost_unanswered();
    const bool sent = transfer_.sends() != 0;
    if (!possible || (sent && !replay_allowed()) || !rewind_body()) throw_transfer_error();
    continue_later();
    end_transfer(CloseReason::peer_closed);
    timings_ = {};
    return sent ? Turn::replay : Turn::fresh;
}

bool Exchange::replay_allowed() const {
    if (call_.given_connection) return false;
    const auto& options = *call_.options;
    const auto replay = options.replay.value_or(Replay::idempotent);
    if (replay != Replay::idempotent) return replay == Replay::always;
    return idempotent() || options.headers.contains("Idempotency-Key");
}

}  // namespace ringlet::detail
