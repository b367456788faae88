// Poco: an HTTPClientSession for each thread, kept alive. Plain HTTP only.
#include "workload.hpp"

#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/StreamCopier.h>
#include <Poco/URI.h>

#include <istream>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <vector>

namespace {

using Poco::Net::HTTPClientSession;
using Poco::Net::HTTPMessage;
using Poco::Net::HTTPRequest;

std::shared_ptr<HTTPClientSession> connect(const bench::Flags& flags) {
    const Poco::URI uri(flags.url);
    auto session = std::make_shared<HTTPClientSession>(uri.getHost(), uri.getPort());
    session->setKeepAlive(!flags.new_connection);
    return session;
}

std::size_t count(std::istream& body) {
    std::vector<char> chunk(16384);
    std::size_t size = 0;
    while (body.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || body.gcount() > 0) {
        size += static_cast<std::size_t>(body.gcount());
    }
    return size;
}

std::size_t request(HTTPClientSession& session, const bench::Flags& flags, const std::string& url) {
    const bool upload = flags.upload != 0;
    HTTPRequest request(upload ? HTTPRequest::HTTP_POST : HTTPRequest::HTTP_GET,
                        Poco::URI(url).getPathAndQuery(), HTTPMessage::HTTP_1_1);
    if (upload) request.setContentLength64(static_cast<Poco::Int64>(flags.upload));
    auto& out = session.sendRequest(request);
    if (upload) out << bench::upload_body(flags);
    Poco::Net::HTTPResponse response;
    auto& body = session.receiveResponse(response);
    if (response.getStatus() != 200) throw std::runtime_error("not status 200");
    if (flags.api == "read") return count(body);
    std::string text;
    Poco::StreamCopier::copyToString(body, text);
    return text.size();
}

}  // namespace

int main(int argc, char** argv) {
    const auto flags = bench::parse(argc, argv);
    return bench::run(flags, "Poco", [&]() -> bench::Client {
        return [session = connect(flags), &flags](const std::string& url) mutable {
            if (flags.new_connection) session = connect(flags);
            return request(*session, flags, url);
        };
    });
}
