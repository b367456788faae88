// CookieJar: a session's cookies, in libcurl's own text form, between its exchanges.
#pragma once

#include "curl/handles.hpp"

#include <string>
#include <vector>

namespace ringlet::detail {

/// libcurl's cookie engine does the work on the easy handle of whichever lane carries a request; the jar
/// brings the cookies there and takes them home. Used by one thread at a time.
class CookieJar {
  public:
    /// Starts libcurl's cookie engine on a handle: once for each.
    static void start(CURL* easy);
    /// Puts the cookies on the handle. Throws std::bad_alloc.
    void load(CURL* easy) const;
    /// Takes what the handle holds now, and leaves it empty.
    void store(CURL* easy);
    void clear() noexcept { lines_.clear(); }

  private:
    std::vector<std::string> lines_;
};

}  // namespace ringlet::detail
