// LaneKey: what must be equal for two requests to share a connection (behaviour.md, Isolation).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace ringlet::detail {

/// A value: compared by its whole text, the hash only speeds that up. Copies share the text.
class LaneKey {
  public:
    LaneKey() = default;
    /// `origin` is "scheme://host:port" (lower case, port always present); `rest` whatever else must match.
    LaneKey(std::string_view origin, std::string_view rest)
        : data_(std::make_shared<const Data>(origin, rest)) {}

    std::string_view origin() const noexcept { return data_ ? data_->origin : std::string_view{}; }
    std::string_view text() const noexcept {
        return data_ ? std::string_view{data_->text} : std::string_view{};
    }
    std::size_t hash() const noexcept { return data_ ? data_->hash : 0; }
    bool empty() const noexcept { return data_ == nullptr; }

    friend bool operator==(const LaneKey& a, const LaneKey& b) noexcept {
        return a.data_ == b.data_ || (a.hash() == b.hash() && a.text() == b.text());
    }

  private:
    struct Data {
        Data(std::string_view origin_text, std::string_view rest)
            : text(std::string(origin_text) + '\n' + std::string(rest)),
              origin(std::string_view(text).substr(0, origin_text.size())),
              hash(std::hash<std::string_view>{}(text)) {}
        Data(const Data&) = delete;
        Data& operator=(const Data&) = delete;
        std::string text;
        std::string_view origin;  // into text
        std::size_t hash;
    };
    std::shared_ptr<const Data> data_;
};

}  // namespace ringlet::detail

template <>
struct std::hash<ringlet::detail::LaneKey> {
    std::size_t operator()(const ringlet::detail::LaneKey& key) const noexcept { return key.hash(); }
};
