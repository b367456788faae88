#include "support/h2_origin.hpp"

#include <utility>

namespace ringlet::test {

OriginOptions h2_options(bool tls) {
    OriginOptions options;
    options.tls = tls;
    if (tls) options.alpn = {"h2"};
    return options;
}

Script h2_script(std::function<void(H2Session&)> run, H2Settings settings) {
    return [run = std::move(run), settings = std::move(settings)](Connection& connection) {
        H2Session session(connection);
        if (session.start(settings))
            run(session);
        else
            connection.close();
    };
}

Script h2_handler(std::function<H2Action(const H2Request&)> on_request, H2Settings settings) {
    return h2_script([on_request = std::move(on_request)](H2Session& session) { session.serve(on_request); },
                     std::move(settings));
}

Script h2_respond_with(std::string body, int status, H2Fields fields) {
    return h2_handler([action = h2_respond(std::move(body), status, std::move(fields))](const H2Request&) {
        return action;
    });
}

H2Action h2_respond(std::string body, int status, H2Fields fields) {
    return [=](H2Session& session, std::uint32_t stream) {
        return session.send_headers(stream, status, fields, body.empty()) &&
               (body.empty() || session.queue_data(stream, body, true));
    };
}

H2Action h2_respond_headers_only(int status, H2Fields fields) {
    return [=](H2Session& session, std::uint32_t stream) {
        return session.send_headers(stream, status, fields);
    };
}

H2Action h2_reset(H2Error error) {
    return [=](H2Session& session, std::uint32_t stream) { return session.send_rst_stream(stream, error); };
}

H2Action h2_go_away(std::uint32_t last_stream, H2Error error) {
    return [=](H2Session& session, std::uint32_t) { return session.send_goaway(last_stream, error); };
}

H2Action h2_ignore() {
    return [](H2Session&, std::uint32_t) { return true; };
}

H2Action h2_close() {
    return [](H2Session&, std::uint32_t) { return false; };
}

H2Action h2_all(std::vector<H2Action> actions) {
    return [actions = std::move(actions)](H2Session& session, std::uint32_t stream) {
        for (const auto& action : actions)
            if (!action(session, stream)) return false;
        return true;
    };
}

}  // namespace ringlet::test
