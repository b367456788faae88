// EasyTable: the records of the program's easy handles, and which of its CURLSH may be left to it.
#pragma once

#include "base/mutex.hpp"
#include "cache/fork_guard.hpp"
#include "compat/easy_record.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <unordered_map>

namespace ringlet::detail {

/// Handles that were not made through the drop-in are in no table: their transfers are libcurl's.
/// Thread-safe; never destroyed, since handles may be used in destructors of static objects.
class EasyTable {
  public:
    static EasyTable& instance();

    /// Null: not one of ours. Valid until remove(): by libcurl's rules no other thread uses the handle.
    EasyRecord* find(CURL* easy) noexcept;
    /// Null where there is no memory for it.
    EasyRecord* add(CURL* easy) noexcept;
    EasyRecord* add(CURL* easy, const EasyRecord& like) noexcept;
    std::shared_ptr<EasyRecord> remove(CURL* easy) noexcept;
    /// Closes the connection of a parked lease whose place somebody waits for, whichever thread left it.
    void close_one_that_is_wanted() noexcept;

    void add_share(CURLSH* share) noexcept;
    void remove_share(CURLSH* share) noexcept;
    /// From now on connections are shared through it.
    void set_shares_connections(CURLSH* share, bool on) noexcept;
    EasyShare share(CURLSH* share) noexcept;

  private:
    EasyTable() = default;
    EasyRecord* insert(CURL* easy, std::shared_ptr<EasyRecord> record);
    struct Shard {
        Mutex mutex;
        ForkGuard fork_guard{mutex, ForkGuard::Level::outer};  // a parked lease's cache is asked under it
        std::unordered_map<CURL*, std::shared_ptr<EasyRecord>> records RINGLET_GUARDED_BY(mutex);
    };
    static constexpr std::size_t shard_count = 16;
    Shard& shard_of(CURL* easy) noexcept;
    std::array<Shard, shard_count> shards_;

    struct Shared {
        std::uint64_t id;
        bool connections;
    };
    Mutex share_mutex_;
    ForkGuard share_fork_guard_{share_mutex_};
    std::unordered_map<CURLSH*, Shared> shares_ RINGLET_GUARDED_BY(share_mutex_);
    std::uint64_t last_share_id_ RINGLET_GUARDED_BY(share_mutex_) = 0;
};

}  // namespace ringlet::detail
