// Tests of the test servers themselves, from raw sockets: what all other tests believe has to hold.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/certificates.hpp"
#include "support/h2_origin.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"
#include "support/proxy.hpp"
#include "support/real_server.hpp"
#include "support/temp_dir.hpp"

namespace ringlet::test {
namespace {

std::atomic<int> failures = 0;

#define CHECK(condition)                                                                \
    do {                                                                                \
        if (!(condition)) {                                                             \
            ++failures;                                                                 \
            std::printf("  %s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
        }                                                                               \
    } while (false)

const std::string hello = reply("hello");

// A client that does what it is told and nothing else.
class Client {
  public:
    explicit Client(const Origin& origin) : socket_(connect_tcp(origin.port())) {}
    explicit Client(std::uint16_t port, const std::string& address = "127.0.0.1")
        : socket_(connect_tcp(port, address)) {}
    explicit Client(Fd socket) : socket_(std::move(socket)) {}

    void send(std::string_view bytes) const {
        ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }

    // Waits until `size` bytes have come or the connection ends.
    std::string receive(std::size_t size) const {
        std::string bytes(size, '\0');
        ssize_t n = ::recv(socket_.get(), bytes.data(), size, MSG_WAITALL);
        error_ = n < 0 ? errno : 0;
        bytes.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
        return bytes;
    }
    std::string receive_all() const {
        std::string all;
        for (std::string piece; !(piece = receive(65536)).empty();) all += piece;
        return all;
    }
    std::string get(std::string_view target = "/") const {
        send("GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n");
        return receive(hello.size());
    }
    int last_error() const { return error_; }

    void close() { socket_.reset(); }
    void reset() {
        linger at_once{1, 0};
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close();
    }
    void shutdown_write() const { ::shutdown(socket_.get(), SHUT_WR); }
    int fd() const { return socket_.get(); }

  private:
    Fd socket_;
    mutable int error_ = 0;
};

// A TLS client that verifies the server against one CA and the name "localhost".
class TlsClient {
  public:
    TlsClient(std::uint16_t port, const std::string& ca_pem, std::string_view alpn = "")
        : context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free), socket_(connect_tcp(port)) {
        trust(ca_pem);
        SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
        ssl_.reset(SSL_new(context_.get()));
        // The macro of OpenSSL casts in the old style.
        SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 const_cast<char*>("localhost"));
        SSL_set1_host(ssl_.get(), "localhost");
        if (!alpn.empty())
            SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                                static_cast<unsigned int>(alpn.size()));
        SSL_set_fd(ssl_.get(), socket_.get());
        connected_ = SSL_connect(ssl_.get()) == 1;
        ERR_clear_error();
    }

    bool connected() const { return connected_; }
    void send(std::string_view bytes) { SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())); }
    std::string receive(std::size_t size) {
        std::string bytes;
        char piece[4096];
        while (bytes.size() < size) {
            int n =
                SSL_read(ssl_.get(), piece, static_cast<int>(std::min(sizeof piece, size - bytes.size())));
            last_ = SSL_get_error(ssl_.get(), n);
            if (n <= 0) break;
            bytes.append(piece, static_cast<std::size_t>(n));
        }
        ERR_clear_error();
        return bytes;
    }
    // Of the last receive().
    bool saw_close_notify() const { return last_ == SSL_ERROR_ZERO_RETURN; }
    void close(bool notify) {
        if (notify) SSL_shutdown(ssl_.get());
        socket_.reset();
    }

  private:
    void trust(const std::string& ca_pem) {
        std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(ca_pem.data(), -1), &BIO_free);
        std::unique_ptr<X509, decltype(&X509_free)> ca(
            PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), ca.get());
    }

    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
    Fd socket_;
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, &SSL_free};
    bool connected_ = false;
    int last_ = 0;
};

// --- Counting ---

void accepts_requests_and_fins_are_counted() {
    Origin origin(respond_with(hello));
    Client one(origin);
    Client two(origin);
    CHECK(one.get("/a") == hello);
    CHECK(one.get("/b") == hello);
    CHECK(two.get("/c") == hello);
    CHECK(origin.accepts() == 2);
    CHECK(origin.open_connections() == 2);
    one.close();
    CHECK(origin.wait_for_fins(1));
    CHECK(origin.wait_for_open(1));
    CHECK(origin.resets() == 0);
    CHECK(origin.peak_open() == 2);
    CHECK(origin.ended().size() == 1 && origin.ended()[0].connection == 0);
    CHECK(origin.ended()[0].how == PeerEnd::fin && origin.ended()[0].at <= Clock::now());
    auto requests = origin.requests();
    CHECK(requests.size() == 3);
    CHECK(requests[1].target == "/b" && requests[1].connection == 0 && requests[1].ordinal == 1);
    CHECK(requests[2].method == "GET" && requests[2].connection == 1);
    CHECK(requests[0].peer_port != requests[2].peer_port);
    CHECK(requests[0].header("HOST") == "x");
}

void a_reset_is_no_fin() {
    Origin origin(respond_with(hello));
    Client client(origin);
    client.get();
    client.reset();
    CHECK(origin.wait_until([](const Snapshot& now) { return now.resets == 1; }));
    CHECK(origin.fins() == 0 && origin.open_connections() == 0);
}

void ends_are_seen_while_the_script_does_something_else() {
    Gate done;
    Origin origin([&](Connection& connection) { connection.wait_for(done); });
    Client fin(origin);
    Client rst(origin);
    CHECK(origin.wait_for_open(2));
    fin.close();
    CHECK(origin.wait_for_fins(1));
    rst.reset();
    CHECK(origin.wait_for_ends(2));
    CHECK(origin.resets() == 1);
    done.open();
}

void ends_are_seen_after_the_script_returned() {
    Origin origin(stay_silent());
    Client fin(origin);
    Client rst(origin);
    fin.send("never read");
    CHECK(origin.wait_for_open(2));
    fin.close();
    rst.reset();
    CHECK(origin.wait_for_ends(2));
    CHECK(origin.fins() == 1 && origin.resets() == 1 && origin.open_connections() == 0);
}

void peak_is_exact_when_clients_close_before_they_connect() {
    Origin origin(respond_with(hello));
    for (int i = 0; i < 200; ++i) {
        Client client(origin);
        client.get();
    }
    CHECK(origin.wait_for_fins(200));
    CHECK(origin.peak_open() == 1);
    CHECK(origin.accepts() == 200);
}

void five_hundred_connections_at_once() {
    Origin origin(respond_with(hello));
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 500; ++i) clients.push_back(std::make_unique<Client>(origin));
    for (auto& client : clients) CHECK(client->get() == hello);
    CHECK(origin.open_connections() == 500 && origin.peak_open() == 500);
    clients.clear();
    CHECK(origin.wait_for_open(0));
    CHECK(origin.fins() == 500);
}

// --- Scripts and connections ---

void bodies_are_read_by_length_and_by_chunks() {
    Origin origin(handler([](const Recorded& request) { return reply(request.body); }));
    Client client(origin);
    client.send("POST /n HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcdeGET /next HTTP/1.1\r\n\r\n");
    CHECK(client.receive(reply("abcde").size()) == reply("abcde"));
    CHECK(client.receive(reply("").size()) == reply(""));
    client.send("POST /c HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n3;x=y\r\nab");
    CHECK(origin.request_count() == 2);
    client.send("c\r\nA\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n");
    CHECK(client.receive(reply("abc0123456789").size()) == reply("abc0123456789"));
    CHECK(origin.requests()[2].chunked && origin.requests()[2].trailers == "X-T: 1\r\n");
    CHECK(origin.requests()[2].body_size == 13);
}

void expect_is_answered_and_a_cut_body_is_incomplete() {
    Origin origin(respond_with(hello));
    Client client(origin);
    client.send("PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    CHECK(client.receive(go_on.size()) == go_on);
    client.send("ab");
    client.close();
    CHECK(origin.wait_until([](const Snapshot& now) { return now.incomplete.size() == 1; }));
    CHECK(origin.request_count() == 0);
    CHECK(origin.snapshot().incomplete[0].body == "ab");
}

void the_server_closes_and_resets() {
    Origin origin(scripts_in_turn({[](Connection& c) { c.close(); }, [](Connection& c) { c.reset(); },
                                   [](Connection& c) {
                                       c.shutdown_write();
                                       CHECK(c.wait_for_fin() == PeerEvent::data);
                                       CHECK(c.read_some() == "bye");
                                       CHECK(c.wait_for_fin(20ms) == PeerEvent::timeout);
                                       CHECK(c.wait_for_fin() == PeerEvent::fin);
                                   }}));
    Client closed(origin);
    CHECK(closed.receive(1).empty() && closed.last_error() == 0);
    Client reset(origin);
    CHECK(reset.receive(1).empty() && reset.last_error() == ECONNRESET);
    Client half(origin);
    CHECK(half.receive(1).empty());
    half.send("bye");
    std::this_thread::sleep_for(60ms);  // why: the server must stay open for a while
    half.close();
    CHECK(origin.wait_for_open(0));
    CHECK(origin.fins() == 1 && origin.snapshot().closed_by_us == 2);
}

// Many times: the RST arrives before, between and after the looks at the socket.
void wait_for_fin_tells_resets() {
    Origin origin([](Connection& c) {
        CHECK(c.wait_for_fin() == PeerEvent::rst);
        CHECK(c.peer_end() == PeerEnd::rst);
    });
    constexpr std::size_t times = 500;
    for (std::size_t done = 1; done <= times; ++done) {
        Client client(origin);
        CHECK(origin.wait_for_accepts(done));
        client.reset();
        CHECK(origin.wait_for_ends(done));
    }
    CHECK(origin.resets() == times);
}

void a_shut_down_read_side_does_not_look_like_a_fin() {
    Gate shut;
    Gate seen;
    Origin origin([&](Connection& c) {
        c.shutdown_read();
        shut.open();
        CHECK(c.wait_for_fin() == PeerEvent::fin);
        seen.open();
    });
    Client client(origin);
    CHECK(shut.wait());
    CHECK(!origin.wait_for_ends(1, 30ms));
    client.close();
    CHECK(seen.wait());
    CHECK(origin.fins() == 1);
}

void connections_can_be_killed() {
    Gate never;
    Origin origin([&](Connection& c) {
        if (c.index() < 2) return;
        c.read_request();
        CHECK(!c.write("x"));
    });
    Client idle(origin);
    CHECK(origin.wait_for_accepts(1));
    origin.close_all(KillWith::rst);
    CHECK(idle.receive(1).empty() && idle.last_error() == ECONNRESET);
    Client second(origin);
    CHECK(origin.wait_for_accepts(2));
    origin.close_all();
    CHECK(second.receive(1).empty() && second.last_error() == 0);
    Client busy(origin);
    CHECK(origin.wait_for_accepts(3));
    origin.close_all(KillWith::rst);
    CHECK(busy.receive(1).empty() && busy.last_error() == ECONNRESET);
    CHECK(origin.open_connections() == 0 && origin.snapshot().closed_by_us == 3);
}

void a_server_can_come_back_on_its_port() {
    auto first = std::make_unique<Origin>(respond_with(hello));
    auto port = first->port();
    Client client(*first);
    client.get();
    first->stop_listening();
    bool refused = false;
    try {
        Client late(port);
    } catch (const std::exception&) {
        refused = true;
    }
    CHECK(refused);
    CHECK(client.get() == hello);
    OriginOptions same;
    same.port = port;
    Origin second(respond_with(hello), same);
    first.reset();
    CHECK(client.receive(1).empty());
    CHECK(Client(second).get() == hello);
}

void stopping_does_not_wait_for_scripts() {
    auto start = Clock::now();
    {
        Gate never;
        Origin origin(scripts_in_turn(
            {[](Connection& c) { c.sleep(1h); }, [](Connection& c) { c.wait_for_stop(); },
             [&](Connection& c) { c.wait_for(never, 1h); }, [](Connection& c) { c.read_request(); },
             [](Connection& c) { c.write_slowly("abc", 1, 1h); },
             [](Connection& c) {
                 while (c.write(std::string(1 << 16, 'x'))) {
                 }
             },
             [](Connection& c) { c.wait_for_fin(1h); }}));
        std::vector<std::unique_ptr<Client>> clients;
        for (int i = 0; i < 7; ++i) clients.push_back(std::make_unique<Client>(origin));
        CHECK(origin.wait_for_accepts(7));
        origin.stop();
        CHECK(origin.accepts() == 7);
    }
    CHECK(Clock::now() - start < 2s);
}

void an_origin_listens_on_ipv6_and_unix_sockets() {
    OriginOptions v6;
    v6.address = "::1";
    Origin six(respond_with(hello), v6);
    CHECK(Client(six.port(), "::1").get() == hello);
    CHECK(six.url("/x") == "http://[::1]:" + std::to_string(six.port()) + "/x");

    TempDir directory;
    OriginOptions local;
    local.unix_path = directory / "socket";
    Origin unix_origin(respond_with(hello), local);
    Client client(connect_unix(local.unix_path));
    CHECK(client.get() == hello);
    client.close();
    CHECK(unix_origin.wait_for_fins(1));
    CHECK(unix_origin.open_connections() == 0);
}

void accepting_can_be_held_back() {
    OriginOptions held;
    held.accepting = false;
    Origin origin(respond_with(hello), held);
    Client client(origin);
    CHECK(!origin.wait_for_accepts(1, 30ms));
    origin.start_accepting();
    CHECK(client.get() == hello);
    origin.stop_accepting();
    Client later(origin);
    CHECK(!origin.wait_for_accepts(2, 30ms));
    CHECK(client.get() == hello);
    origin.start_accepting();
    CHECK(later.get() == hello);
}

void exceptions_of_scripts_are_reported() {
    Origin origin([](Connection&) { throw std::runtime_error("oops"); });
    Client client(origin);
    CHECK(client.receive(1).empty());
    CHECK(origin.errors() == std::vector<std::string>{"oops"});
}

// --- TLS ---

void tls_is_verified_by_the_ca() {
    OriginOptions options;
    options.tls = true;
    options.alpn = {"http/1.1"};
    std::string alpn;
    std::string sni;
    Origin origin(
        [&](Connection& c) {
            alpn = c.alpn();
            sni = c.sni();
            respond_with(hello)(c);
        },
        options);
    TlsClient client(origin.port(), TestCa::instance().pem(), "\x02h2\x08http/1.1");
    CHECK(client.connected());
    client.send("GET / HTTP/1.1\r\n\r\n");
    CHECK(client.receive(hello.size()) == hello);
    CHECK(origin.wait_for_requests(1));
    CHECK(alpn == "http/1.1" && sni == "localhost");
    client.close(true);
    CHECK(origin.wait_for_fins(1));
    CHECK(origin.wait_until([](const Snapshot& now) { return now.close_notifies == 1; }));
    CHECK(origin.snapshot().handshakes == 1);

    CHECK(!TlsClient(origin.port(), TestCa("another CA").pem()).connected());
    CHECK(origin.wait_until([](const Snapshot& now) { return now.handshake_failures == 1; }));
    CHECK(origin.wait_for_open(0));
}

void bad_certificates_are_refused() {
    for (const auto& certificate :
         {TestCa::instance().issue({.expired = true}), TestCa::instance().issue({.not_yet_valid = true}),
          TestCa::instance().issue({.names = {"elsewhere.test"}}), self_signed()}) {
        OriginOptions options;
        options.tls = true;
        options.certificate = certificate;
        Origin origin(stay_silent(), options);
        CHECK(!TlsClient(origin.port(), TestCa::instance().pem()).connected());
    }
}

void tls_ends_with_and_without_close_notify() {
    OriginOptions options;
    options.tls = true;
    Origin origin(
        scripts_in_turn({[](Connection& c) { c.close(); }, [](Connection& c) { c.close(CloseNotify::omit); },
                         [](Connection& c) {
                             c.write_raw("no TLS record");
                             CHECK(c.wait_for_fin() != PeerEvent::timeout);
                             CHECK(c.peer_end() != PeerEnd::none);
                         }}),
        options);
    TlsClient polite(origin.port(), TestCa::instance().pem());
    CHECK(polite.receive(1).empty() && polite.saw_close_notify());
    TlsClient rude(origin.port(), TestCa::instance().pem());
    CHECK(rude.receive(1).empty() && !rude.saw_close_notify());
    TlsClient injected(origin.port(), TestCa::instance().pem());
    CHECK(injected.receive(1).empty() && !injected.saw_close_notify());
    injected.close(false);
    CHECK(origin.wait_for_open(0));
}

void a_hashed_directory_is_found_by_openssl() {
    TempDir directory;
    write_hashed_directory(directory / "certs", {TestCa::instance().pem(), TestCa("another CA").pem()});
    std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(), &X509_STORE_free);
    X509_STORE_load_path(store.get(), (directory / "certs").c_str());
    auto leaf_pem = TestCa::instance().issue().cert_pem;
    std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(leaf_pem.data(), -1), &BIO_free);
    std::unique_ptr<X509, decltype(&X509_free)> leaf(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr),
                                                     &X509_free);
    std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> check(X509_STORE_CTX_new(),
                                                                          &X509_STORE_CTX_free);
    X509_STORE_CTX_init(check.get(), store.get(), leaf.get(), nullptr);
    CHECK(X509_verify_cert(check.get()) == 1);
}

// --- HTTP/2 ---

// GET / over plain HTTP/2, from static entries of HPACK.
std::string h2_get(std::uint32_t stream) {
    return H2Frame{H2FrameType::headers, h2_flag::end_headers | h2_flag::end_stream, stream,
                   "\x82\x86\x84\x01\x01x"}
        .bytes();
}

// The frames of a server.
class H2Client : public Client {
  public:
    explicit H2Client(std::uint16_t port, const H2Settings& settings = {}) : Client(port) {
        send(std::string(h2_preface) +
             H2Frame{H2FrameType::settings, 0, 0, h2_settings_payload(settings)}.bytes());
    }

    // An empty GOAWAY with stream 2^32-1 stands for the end of the connection.
    H2Frame frame() const {
        auto head = receive(9);
        if (head.size() < 9) return {H2FrameType::goaway, 0, ~0U, ""};
        H2Frame frame;
        frame.type = static_cast<H2FrameType>(head[3]);
        frame.flags = static_cast<std::uint8_t>(head[4]);
        frame.stream = h2_read_uint32(std::string_view(head).substr(5));
        frame.payload = receive(h2_read_uint32(head) >> 8);
        return frame;
    }
    H2Frame frame(H2FrameType type) const {
        for (;;) {
            auto next = frame();
            if (next.type == type || next.stream == ~0U) return next;
        }
    }
};

void http2_is_served_by_hand() {
    Origin origin(h2_handler([](const H2Request& request) {
                      if (request.stream == 1)
                          return h2_respond("one", 200, {{"x-long", std::string(300, 'y')}});
                      if (request.stream == 3) return h2_reset(H2Error::refused_stream);
                      if (request.stream == 5) return h2_respond(request.body);
                      return h2_all({h2_go_away(5), h2_close()});
                  }),
                  h2_options(false));
    H2Client client(origin.port());
    client.send(h2_get(1));
    CHECK(client.frame().type == H2FrameType::settings);
    CHECK(client.frame().has(h2_flag::ack));
    auto headers = client.frame();
    CHECK(headers.type == H2FrameType::headers && headers.payload.starts_with("\x08\x03"
                                                                              "200"));
    CHECK(headers.payload.find(std::string("\x06x-long\x7f\xad\x01yyy", 13)) != std::string::npos);
    auto data = client.frame();
    CHECK(data.payload == "one" && data.has(h2_flag::end_stream) && data.stream == 1);
    client.send(h2_get(3));
    auto reset = client.frame();
    CHECK(reset.type == H2FrameType::rst_stream && reset.payload == h2_uint32(7));
    client.send(H2Frame{H2FrameType::headers, h2_flag::end_headers, 5, "\x83\x86\x84"}.bytes());
    client.send(
        H2Frame{H2FrameType::data, h2_flag::end_stream | h2_flag::padded, 5, std::string("\2body\0\0", 7)}
            .bytes());
    CHECK(client.frame(H2FrameType::data).payload == "body");
    client.send(H2Frame{H2FrameType::ping, 0, 0, "12345678"}.bytes());
    auto pong = client.frame(H2FrameType::ping);
    CHECK(pong.has(h2_flag::ack) && pong.payload == "12345678");
    client.send(h2_get(7));
    CHECK(client.frame(H2FrameType::goaway).stream == 0);
    CHECK(client.receive(1).empty());
    CHECK(origin.request_count() == 4 && origin.requests()[2].body == "body");
}

void http2_heeds_windows_and_serves_others_meanwhile() {
    Origin origin(h2_handler([](const H2Request& request) {
                      return h2_respond(request.stream == 1 ? std::string(1 << 20, 'x') : "other");
                  }),
                  h2_options(false));
    H2Client client(origin.port(), {{H2Setting::initial_window_size, 30000}});
    client.send(h2_get(1) + h2_get(3));
    std::size_t received = 0;
    bool other = false;
    for (bool last = false; !last;) {
        auto frame = client.frame();
        if (frame.stream == ~0U) break;
        if (frame.type != H2FrameType::data) continue;
        if (frame.stream == 3) {
            other = frame.payload == "other";
            client.send(H2Frame{H2FrameType::window_update, 0, 0, h2_uint32(2 << 20)}.bytes());
            client.send(H2Frame{H2FrameType::window_update, 0, 1, h2_uint32(2 << 20)}.bytes());
            continue;
        }
        received += frame.payload.size();
        CHECK(other || received <= 30000);
        last = frame.has(h2_flag::end_stream);
    }
    CHECK(other);
    CHECK(received == 1 << 20);
}

// --- Proxies ---

void an_http_proxy_forwards_and_tunnels() {
    Origin origin(handler([](const Recorded& request) { return reply(request.target + request.body); }));
    auto authority = "127.0.0.1:" + std::to_string(origin.port());
    HttpProxy proxy;
    Client client(proxy.port());
    client.send("GET http://" + authority + "/a HTTP/1.1\r\nHost: x\r\nProxy-Connection: keep-alive\r\n\r\n");
    CHECK(client.receive(reply("/a").size()) == reply("/a"));
    client.send("POST http://" + authority + " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("bc") +
                chunk(""));
    CHECK(client.receive(reply("/bc").size()) == reply("/bc"));
    CHECK(origin.accepts() == 1 && !origin.requests()[0].header("proxy-connection"));
    CHECK(origin.requests()[1].chunked);
    CHECK(proxy.absolute_requests().size() == 2 && proxy.connects() == 0);
    client.send("CONNECT " + authority + " HTTP/1.1\r\n\r\nGET /t HTTP/1.1\r\n\r\n");
    std::string granted = "HTTP/1.1 200 Connection established\r\n\r\n";
    CHECK(client.receive(granted.size()) == granted);
    CHECK(client.receive(reply("/t").size()) == reply("/t"));
    CHECK(proxy.connects() == 1 && proxy.tunnels()[0].host == "127.0.0.1");
    client.close();
    CHECK(origin.wait_for_fins(2));
    CHECK(proxy.origin().wait_for_open(0));

    Client resetting(proxy.port());
    resetting.send("CONNECT " + authority + " HTTP/1.1\r\n\r\n");
    CHECK(resetting.receive(granted.size()) == granted);
    CHECK(origin.wait_for_open(1));
    resetting.reset();
    CHECK(origin.wait_until([](const Snapshot& now) { return now.resets == 1; }));

    Client reset(proxy.port());
    reset.send("CONNECT " + authority + " HTTP/1.1\r\n\r\n");
    CHECK(reset.receive(granted.size()) == granted);
    CHECK(origin.wait_for_open(1));
    origin.close_all(KillWith::rst);
    CHECK(reset.receive(1).empty() && reset.last_error() == ECONNRESET);

    Client left_open(proxy.port());
    left_open.send("CONNECT " + authority + " HTTP/1.1\r\n\r\n");
    CHECK(left_open.receive(granted.size()) == granted);
}

void an_http_proxy_asks_for_a_password() {
    Origin origin(respond_with(hello));
    HttpProxy proxy({.user = "user", .password = "secret", .target_port = origin.port()});
    CHECK(proxy.url_with_password() == "http://user:secret@127.0.0.1:" + std::to_string(proxy.port()));
    Client client(proxy.port());
    client.send("CONNECT a.test:443 HTTP/1.1\r\n\r\n");
    auto denied = reply("", 407, "Proxy-Authenticate: Basic realm=\"test\"\r\n");
    CHECK(client.receive(denied.size()) == denied);
    client.send("CONNECT [::1]:443 HTTP/1.1\r\nProxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n");
    CHECK(client.receive(12) == "HTTP/1.1 200");
    CHECK(proxy.connects() == 2 && proxy.tunnels().size() == 1);
    CHECK(proxy.tunnels()[0].host == "::1" && proxy.tunnels()[0].port == 443);
}

void a_socks_proxy_tunnels() {
    Origin origin(respond_with(hello));
    SocksProxy open({.target_port = origin.port()});
    Client client(open.port());
    client.send(std::string("\5\1\0", 3));
    CHECK(client.receive(2) == std::string("\5\0", 2));
    client.send(std::string("\5\1\0\3\6a.test\1\xbb", 13));
    CHECK(client.receive(10).starts_with(std::string("\5\0", 2)));
    CHECK(client.get() == hello);
    CHECK(open.connects() == 1 && open.tunnels()[0].host == "a.test" && open.tunnels()[0].port == 443);

    SocksProxy closed({.user = "u", .password = "p"});
    Client wrong(closed.port());
    wrong.send(std::string("\5\2\0\2\1\1u\1q", 9));
    CHECK(wrong.receive(4) == "\5\2\1\1");
    CHECK(wrong.receive(1).empty());
    CHECK(closed.refusals() == 1 && closed.connects() == 0);
    Client right(closed.port());
    right.send(std::string("\5\2\0\2\1\1u\1p\5\1\0\1\x7f\0\0\1", 17));
    auto port = origin.port();
    right.send(std::string{static_cast<char>(port >> 8), static_cast<char>(port)});
    CHECK(right.receive(4) == std::string("\5\2\1\0", 4));
    CHECK(right.receive(10).starts_with(std::string("\5\0", 2)));
    CHECK(right.get() == hello);
}

// --- Real servers ---

std::string body_of(std::string_view response) {
    auto end = response.find("\r\n\r\n");
    return std::string(end == std::string_view::npos ? "" : response.substr(end + 4));
}

std::string get_and_close(std::uint16_t port, std::string_view target) {
    Client client(port);
    client.send("GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return client.receive_all();
}

void nginx_serves_and_counts() {
    if (!Nginx::available()) return;
    Nginx nginx;
    auto port = nginx.port(Protocol::http);
    CHECK(body_of(get_and_close(port, "/small")) == small_body());
    CHECK(body_of(get_and_close(port, "/close")) == small_body());
    CHECK(body_of(get_and_close(port, "/size/1m")).size() == 1 << 20);
    CHECK(get_and_close(port, "/redirect").find("Location: /small\r\n") != std::string::npos);
    CHECK(get_and_close(port, "/status/503").starts_with("HTTP/1.1 503"));
    CHECK(get_and_close(port, "/basic").starts_with("HTTP/1.1 401"));
    Client client(port);
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde");
    std::string answer;
    while (!answer.ends_with("\r\n\r\nabcde") && client.last_error() == 0) answer += client.receive(1);
    client.send("POST /discard HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nabcde");
    CHECK(client.receive_all().starts_with("HTTP/1.1 200"));
    client.close();
    CHECK(nginx.wait_for_requests(8));
    CHECK(nginx.requests_served() == 8);
    CHECK(nginx.connections_served() == 7);

    TlsClient h1(nginx.port(Protocol::https), TestCa::instance().pem());
    CHECK(h1.connected());
    h1.send("GET /small HTTP/1.0\r\n\r\n");
    CHECK(body_of(h1.receive(100000)) == small_body());
    nginx.restart();
    CHECK(body_of(get_and_close(port, "/small")) == small_body());
    nginx.stop();
    CHECK(!nginx.running());
}

void check_server(ServerProcess& server) {
    if (server.offers(Protocol::http))
        CHECK(body_of(get_and_close(server.port(Protocol::http), "/small")) == small_body());
    if (server.offers(Protocol::https)) {
        TlsClient client(server.port(Protocol::https), TestCa::instance().pem(), "\x08http/1.1");
        CHECK(client.connected());
        client.send("GET /small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        CHECK(body_of(client.receive(100000)) == small_body());
    }
    if (server.offers(Protocol::h2))
        CHECK(TlsClient(server.port(Protocol::h2), TestCa::instance().pem(), "\x02h2").connected());
    if (server.offers(Protocol::h2c)) {
        H2Client client(server.port(Protocol::h2c));
        client.send(h2_get(1));
        CHECK(client.frame(H2FrameType::headers).stream == 1);
    }
}

void other_real_servers_serve() {
    Origin upstream(respond_with(reply(small_body())));
    if (Apache::available()) {
        Apache apache;
        check_server(apache);
        CHECK(apache.wait_for_requests(3));
    }
    if (Haproxy::available()) {
        Haproxy haproxy(upstream.port());
        check_server(haproxy);
        CHECK(haproxy.wait_for_requests(3));
    }
    if (Nghttpx::available()) {
        Nghttpx nghttpx(upstream.port());
        check_server(nghttpx);
    }
    if (Nghttpd::available()) {
        Nghttpd tls;
        check_server(tls);
        Nghttpd plain({.tls = false});
        check_server(plain);
    }
    if (H2o::available()) {
        H2o h2o;
        check_server(h2o);
    }
}

void a_server_that_cannot_start_says_why() {
    if (!Nginx::available()) return;
    std::string what;
    try {
        Nginx nginx({.http_directives = "nonsense;"});
    } catch (const std::exception& error) {
        what = error.what();
    }
    CHECK(what.find("unknown directive") != std::string::npos);
}

// --- Running ---

struct Test {
    const char* name;
    void (*run)();
};

#define TEST(name) \
    { #name, name }

const Test tests[] = {
    TEST(accepts_requests_and_fins_are_counted),
    TEST(a_reset_is_no_fin),
    TEST(ends_are_seen_while_the_script_does_something_else),
    TEST(ends_are_seen_after_the_script_returned),
    TEST(peak_is_exact_when_clients_close_before_they_connect),
    TEST(five_hundred_connections_at_once),
    TEST(bodies_are_read_by_length_and_by_chunks),
    TEST(expect_is_answered_and_a_cut_body_is_incomplete),
    TEST(the_server_closes_and_resets),
    TEST(wait_for_fin_tells_resets),
    TEST(a_shut_down_read_side_does_not_look_like_a_fin),
    TEST(connections_can_be_killed),
    TEST(a_server_can_come_back_on_its_port),
    TEST(stopping_does_not_wait_for_scripts),
    TEST(an_origin_listens_on_ipv6_and_unix_sockets),
    TEST(accepting_can_be_held_back),
    TEST(exceptions_of_scripts_are_reported),
    TEST(tls_is_verified_by_the_ca),
    TEST(bad_certificates_are_refused),
    TEST(tls_ends_with_and_without_close_notify),
    TEST(a_hashed_directory_is_found_by_openssl),
    TEST(http2_is_served_by_hand),
    TEST(http2_heeds_windows_and_serves_others_meanwhile),
    TEST(an_http_proxy_forwards_and_tunnels),
    TEST(an_http_proxy_asks_for_a_password),
    TEST(a_socks_proxy_tunnels),
    TEST(nginx_serves_and_counts),
    TEST(other_real_servers_serve),
    TEST(a_server_that_cannot_start_says_why),
};

int run_tests(std::string_view filter) {
    for (const auto& test : tests) {
        if (std::string_view(test.name).find(filter) == std::string_view::npos) continue;
        int before = failures.load();
        auto start = Clock::now();
        try {
            test.run();
        } catch (const std::exception& error) {
            ++failures;
            std::printf("  exception: %s\n", error.what());
        }
        auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
        std::printf("%-6s %5lld ms  %s\n", failures.load() == before ? "ok" : "FAILED",
                    static_cast<long long>(took.count()), test.name);
        std::fflush(stdout);
    }
    return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ringlet::test

int main(int argc, char** argv) {
    // OpenSSL writes without MSG_NOSIGNAL.
    ::signal(SIGPIPE, SIG_IGN);
    return ringlet::test::run_tests(argc > 1 ? argv[1] : "");
}
