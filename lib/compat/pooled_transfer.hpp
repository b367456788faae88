// PooledTransfer: one curl_easy_perform of the program's own handle, on a lane.
#pragma once

#include "compat/easy_record.hpp"
#include "curl/api.hpp"

namespace ringlet::detail {

/// As curl_easy_perform, on a lane where the handle allows it.
CURLcode perform_pooled(CURL* easy, EasyRecord& record) noexcept;

/// Takes what a lane has set for a transfer from a duplicate that was made meanwhile.
void take_off_lane(CURL* copy, const EasyRecord& record) noexcept;

/// Ends the loan of a parked lane, if there is one: its handle refers to the connection no longer. park_mutex
/// is held.
void give_back(EasyRecord& record) noexcept;

/// From libcurl 8.21 on a handle shares objects, without locks, with the connection that it used last, until
/// it starts another transfer or is destroyed. So long its lane is *parked*: lent to it, and to nobody else.
bool lanes_are_parked() noexcept;
/// For tests: as if this libcurl did, or did not.
void set_lanes_are_parked(bool on) noexcept;

}  // namespace ringlet::detail
