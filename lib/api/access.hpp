// Access: the inside of public classes, for lib/api.
#pragma once

#include "ringlet/body.hpp"
#include "ringlet/connection_cache.hpp"
#include "ringlet/error.hpp"
#include "ringlet/request.hpp"
#include "ringlet/response.hpp"
#include "ringlet/session.hpp"
#include "ringlet/socket.hpp"
#include "transfer/body_data.hpp"
#include "value/options.hpp"

#include <memory>
#include <string>
#include <utility>

namespace ringlet::detail {

struct RequestData {
    std::string method;
    std::string url;
    Body body;
    Options options;
};

struct Access {
    static RequestData& data(Request& request) { return alive(request.data_); }
    static const RequestData& data(const Request& request) { return alive(request.data_); }
    static const std::shared_ptr<BodyData>& data(const Body& body) { return body.data_; }
    static std::shared_ptr<Cache> cache(const ConnectionCache& cache);
    static ConnectionCache handle(std::shared_ptr<Cache> cache) { return ConnectionCache(std::move(cache)); }
    static Socket socket(std::shared_ptr<SocketCore> core) { return Socket(std::move(core)); }
    static Response response(std::shared_ptr<Exchange> exchange) { return Response(std::move(exchange)); }

  private:
    static RequestData& alive(const std::unique_ptr<RequestData>& data) {
        if (!data) throw Error(Errc::invalid_argument, "the Request has been moved from");
        return *data;
    }
};

}  // namespace ringlet::detail
