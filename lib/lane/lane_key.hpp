// LaneKey: what must be equal for two requests to share a connection (behaviour.md, Isolation).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace ringlet::detail {

/// A value: compared by its whole text, the hash only speeds that up. Copies share the text.
class LaneKey {
  public:
    LaneKey() = default;
    /// Where the lanes' knowledge of names and TLS sessions comes from and goes to.
    enum class Memory : std::uint8_t {
        shared,  ///< with all of the cache
        own,     ///< theirs alone: their requests may resolve names, or speak TLS, in a way that is not
                 ///< everybody's
    };
    /// `origin` is "scheme://host:port" (lower case, port always present); `rest` whatever else must match,
    /// and what `memory` follows from.
    LaneKey(std::string_view origin, std::string_view rest, Memory memory = Memory::shared)
        : data_(std::make_shared<const Data>(origin, rest, memory)) {}

    std::string_view origin() const noexcept { return data_ ? data_->origin : std::string_view{}; }
    std::string_view text() const noexcept {
        return data_ ? std::string_view{data_->text} : std::string_view{};
    }
    std::size_t hash() const noexcept { return data_ ? data_->hash : 0; }
    bool empty() const noexcept { return data_ == nullptr; }
    Memory memory() const noexcept { return data_ ? data_->memory : Memory::shared; }

    friend bool operator==(const LaneKey& a, const LaneKey& b) noexcept {
        return a.data_ == b.data_ || (a.hash() == b.hash() && a.text() == b.text());
    }

  private:
    struct Data {
        Data(std::string_view origin_text, std::string_view rest, Memory kind)
            : text(std::string(origin_text) + '\n' + std::string(rest)),
              origin(std::string_view(text).substr(0, origin_text.size())),
              hash(std::hash<std::string_view>{}(text)),
              memory(kind) {}
        Data(const Data&) = delete;
        Data& operator=(const Data&) = delete;
        std::string text;
        std::string_view origin;  // into text
        std::size_t hash;
        Memory memory;
    };
    std::shared_ptr<const Data> data_;
};

}  // namespace ringlet::detail

template <>
struct std::hash<ringlet::detail::LaneKey> {
    std::size_t operator()(const ringlet::detail::LaneKey& key) const noexcept { return key.hash(); }
};
