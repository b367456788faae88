// Headers: an ordered list of header fields.
#pragma once

#include <ringlet/export.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringlet::inline v1 {

/// One field. The views stay valid until the Headers object changes or dies.
struct HeaderField {
    std::string_view name;
    std::string_view value;
};

/// Header fields in the order received or set. Names compare without regard to case (RFC 9110 section 5.1).
class RINGLET_API Headers {
  public:
    class Iterator;
    using value_type = HeaderField;
    using const_iterator = Iterator;

    bool contains(std::string_view name) const noexcept;
    /// The first field's value, nullopt when there is none.
    std::optional<std::string_view> get(std::string_view name) const noexcept;
    /// Every value under that name, in order.
    std::vector<std::string_view> get_all(std::string_view name) const;

    std::size_t size() const noexcept { return entries_.size(); }
    bool empty() const noexcept { return entries_.empty(); }
    HeaderField operator[](std::size_t index) const noexcept;
    Iterator begin() const noexcept;
    Iterator end() const noexcept;

    /// Replaces every field of that name. Errc::invalid_argument for an invalid name, or CR, LF or NUL in
    /// either.
    void set(std::string_view name, std::string_view value);
    /// Appends a field. Throws as set() does.
    void add(std::string_view name, std::string_view value);
    /// Removes every field of that name; how many there were.
    std::size_t remove(std::string_view name);
    void clear() noexcept;

    /// Appends without checking: for fields that came from the network.
    void append_unchecked(std::string_view name, std::string_view value);

  private:
    struct Entry {
        std::uint32_t name_at, name_size, value_at, value_size;
    };
    void compact();

    std::string text_;
    std::vector<Entry> entries_;
};

class Headers::Iterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = HeaderField;
    using difference_type = std::ptrdiff_t;
    using pointer = const HeaderField*;
    using reference = HeaderField;

    Iterator() = default;
    Iterator(const Headers* headers, std::size_t index) : headers_(headers), index_(index) {}
    HeaderField operator*() const noexcept { return (*headers_)[index_]; }
    Iterator& operator++() noexcept {
        ++index_;
        return *this;
    }
    Iterator operator++(int) noexcept {
        auto old = *this;
        ++index_;
        return old;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

  private:
    const Headers* headers_ = nullptr;
    std::size_t index_ = 0;
};

inline Headers::Iterator Headers::begin() const noexcept {
    return {this, 0};
}
inline Headers::Iterator Headers::end() const noexcept {
    return {this, entries_.size()};
}

}  // namespace ringlet::inline v1
