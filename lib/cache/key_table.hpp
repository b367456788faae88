// KeyTable: small numbers for lane keys and origins, for as long as somebody bears them.
#pragma once

#include "lane/lane_key.hpp"
#include "policy/ids.hpp"
#include "policy/slots.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace ringlet::detail {

/// Each lane and each waiting request holds its key. Numbers nobody holds are given out again, so that the
/// tables stay as small as the cache, however many origins it has seen.
class KeyTable {
  public:
    struct Taken {
        KeyId key;
        OriginId origin;
        bool new_origin;  // its number means another origin than before
    };
    /// Holds the key once more. Throws std::bad_alloc, nothing changed. A key that is held already costs one
    /// look-up.
    Taken take(const LaneKey& key);
    void release(KeyId key) noexcept;

    std::optional<KeyId> find(const LaneKey& key) const noexcept;
    std::optional<OriginId> find_origin(std::string_view origin) const noexcept;
    const LaneKey& key(KeyId key) const noexcept { return keys_[key].key; }
    OriginId origin(KeyId key) const noexcept { return keys_[key].origin; }

  private:
    struct Key {
        LaneKey key;
        OriginId origin = no_id<OriginId>;
        std::size_t holders = 0;
    };
    struct Origin {
        std::string name;
        std::size_t keys = 0;
    };
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>{}(text);
        }
    };
    using Origins = std::unordered_map<std::string, OriginId, TextHash, std::equal_to<>>;

    Taken add(const LaneKey& key);
    OriginId take_origin(std::string_view name, bool& is_new);
    void release_origin(OriginId origin) noexcept;

    std::unordered_map<LaneKey, KeyId> key_ids_;
    Origins origin_ids_;
    Slots<KeyId, Key> keys_;
    Slots<OriginId, Origin> origins_;
};

}  // namespace ringlet::detail
