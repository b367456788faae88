// Boost.Beast, blocking calls: one stream for each thread, as in its synchronous client example. Plain HTTP
// only.
#include "workload.hpp"

#include <utility>  // Boost 1.74 leaves it out

#include <boost/asio.hpp>
#include <boost/beast.hpp>

#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

namespace {

namespace beast = boost::beast;
namespace http = beast::http;

class Client {
  public:
    explicit Client(const bench::Flags& flags) : flags_(flags) {
        const auto& url = flags.url;
        const auto host = url.find("://") + 3;
        const auto colon = url.find(':', host);
        const auto slash = url.find('/', colon);
        host_ = url.substr(host, colon - host);
        port_ = url.substr(colon + 1, slash - colon - 1);
        path_at_ = slash;
    }

    std::size_t request(const std::string& url) {
        if (!stream_ || flags_.new_connection) connect();
        http::request<http::string_body> request{flags_.upload != 0 ? http::verb::post : http::verb::get,
                                                 path_at_ == std::string::npos ? "/" : url.substr(path_at_),
                                                 11};
        request.set(http::field::host, host_ + ':' + port_);
        request.set(http::field::user_agent, "beast");
        if (flags_.upload != 0) {
            request.body() = bench::upload_body(flags_);
            request.prepare_payload();
        }
        http::write(*stream_, request);
        return flags_.api == "read" ? count() : whole();
    }

  private:
    void connect() {
        boost::asio::ip::tcp::resolver resolver(context_);
        stream_.emplace(context_);
        stream_->connect(resolver.resolve(host_, port_));
        stream_->socket().set_option(boost::asio::ip::tcp::no_delay(true));
    }

    std::size_t whole() {
        http::response_parser<http::string_body> parser;
        parser.body_limit(std::numeric_limits<std::uint64_t>::max());
        http::read(*stream_, buffer_, parser);
        if (parser.get().result_int() != 200) throw std::runtime_error("not status 200");
        return parser.get().body().size();
    }

    std::size_t count() {
        http::response_parser<http::buffer_body> parser;
        parser.body_limit(std::numeric_limits<std::uint64_t>::max());
        http::read_header(*stream_, buffer_, parser);
        std::vector<char> chunk(16384);
        std::size_t size = 0;
        while (!parser.is_done()) {
            parser.get().body().data = chunk.data();
            parser.get().body().size = chunk.size();
            beast::error_code error;
            http::read(*stream_, buffer_, parser, error);
            if (error && error != http::error::need_buffer) throw beast::system_error(error);
            size += chunk.size() - parser.get().body().size;
        }
        return size;
    }

    const bench::Flags& flags_;
    boost::asio::io_context context_;
    std::optional<beast::tcp_stream> stream_;
    beast::flat_buffer buffer_;
    std::string host_, port_;
    std::size_t path_at_;
};

}  // namespace

int main(int argc, char** argv) {
    const auto flags = bench::parse(argc, argv);
    return bench::run(flags, "Boost.Beast", [&]() -> bench::Client {
        return [client = std::make_shared<Client>(flags)](const std::string& url) {
            return client->request(url);
        };
    });
}
