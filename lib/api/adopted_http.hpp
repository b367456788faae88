// AdoptedHttp: what an HttpOverSocket is made of.
#pragma once

#include "api/session_state.hpp"
#include "base/fork.hpp"
#include "lane/adopted_socket.hpp"
#include "lane/lane.hpp"
#include "ringlet/socket.hpp"
#include "socket/stream.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ringlet::detail {

/// A session over a cache of its own whose one connection is given. The session's rules hold; here are those
/// that come on top: one origin, one set of connection settings, never another connection.
class AdoptedHttp {
  public:
    explicit AdoptedHttp(Descriptor descriptor);

    SessionState& session() noexcept { return session_; }
    void single_use() noexcept { requests_left_ = 1; }
    std::shared_ptr<Exchange> send(std::string_view method, std::string_view url, const Body& body,
                                   const Options* over);
    /// The connection, between two requests.
    Descriptor release();

  private:
    AdoptedHttp(Descriptor descriptor, const std::shared_ptr<AdoptedSocket>& adopted);
    void admit(Call& call);
    void require_connection() const;
    bool inherited() const noexcept;

    std::shared_ptr<AdoptedSocket> adopted_;
    std::shared_ptr<Cache> cache_;
    SessionState session_;
    std::string origin_;     // of the first request
    std::string isolation_;  // its connection settings
    bool http1_ = true;
    std::uint64_t generation_ = fork_generation();
    std::size_t requests_left_ = SIZE_MAX;
};

}  // namespace ringlet::detail
