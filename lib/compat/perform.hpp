// curl_easy_perform of the program's own handle, on a lane.
#pragma once

#include "compat/easy_record.hpp"
#include "curl/api.hpp"

namespace ringlet::detail {

/// As curl_easy_perform, on a lane where the handle allows it. A callback of the program's may leave it by
/// longjmp(), by an exception, or with its thread: then give_up_transfer() is due.
CURLcode perform_pooled(CURL* easy, EasyRecord& record);

/// It is inside a transfer on a lane, or has left one in its middle.
bool is_on_lane(const EasyRecord& record) noexcept;

/// A callback of that transfer has set socket functions: the lane's take their place again, and call them.
/// False: there is no memory for it.
bool hook_again(CURL* easy, EasyRecord& record) noexcept;

/// Closes the lane of a transfer that was left in its middle, where libcurl allows it: not where it was
/// inside a callback. Before its handle is destroyed, since the program's functions may be called.
void rescue_transfer(CURL* easy, EasyRecord& record) noexcept;

/// What such a transfer holds still, once its handle is destroyed.
void give_up_transfer(EasyRecord& record) noexcept;

/// Ends the loan of a parked lane, if there is one: its handle refers to the connection no longer. park_lock
/// is held.
void give_back(EasyRecord& record) noexcept;

/// Closes the lanes that are the handle's alone: no connection of theirs outlives it. The program's functions
/// may be called for that: no lock is held.
void close_private_lanes(EasyRecord& record) noexcept;

/// From libcurl 8.21 on a handle shares objects, without locks, with the connection that it used last, until
/// it starts another transfer or is destroyed. So long its lane is *parked*: lent to it, and to nobody else.
bool lanes_are_parked() noexcept;
/// For tests: as if this libcurl did, or did not.
void set_lanes_are_parked(bool on) noexcept;

}  // namespace ringlet::detail
