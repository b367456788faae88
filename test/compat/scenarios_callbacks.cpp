// Callbacks that make, set up, see and close a handle's connections, and what else a connection has of its
// handle.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "compat/scenario.hpp"

namespace ringlet::test {
namespace {

/// The data of a handle's callbacks, which write down that they were called.
struct Callbacks {
    Transcript& transcript;
    std::string name;
    std::vector<curl_socket_t> sockets;  // as they were opened
    const Origin* connected_to = nullptr;
    int failures = 0;      // calls of open() that are to fail
    bool in_order = true;  // false: of several that are closed at once, any may be the first

    std::string number_of(curl_socket_t fd) const {
        for (auto i = sockets.size(); i > 0; --i) {
            if (sockets[i - 1] == fd) return std::to_string(i);
        }
        return "?";
    }
    static curl_socket_t open(void* self, curlsocktype purpose, curl_sockaddr* to) {
        auto& me = *static_cast<Callbacks*>(self);
        me.transcript.line(me.name + " opens: " + std::to_string(purpose) + ' ' + std::to_string(to->family) +
                           ' ' + std::to_string(to->socktype) + ' ' + std::to_string(to->protocol) + ' ' +
                           std::to_string(to->addrlen));
        if (me.failures > 0) {
            --me.failures;
            return CURL_SOCKET_BAD;
        }
        const int fd = me.connected_to != nullptr ? connected(*me.connected_to)
                                                  : ::socket(to->family, to->socktype, to->protocol);
        me.sockets.push_back(fd);
        return fd;
    }
    static int close(void* self, curl_socket_t fd) {
        auto& me = *static_cast<Callbacks*>(self);
        me.transcript.line(me.name + " closes " + (me.in_order ? me.number_of(fd) : "one"));
        return ::close(fd);
    }
    template <int result>
    static int set_up(void* self, curl_socket_t fd, curlsocktype purpose) {
        auto& me = *static_cast<Callbacks*>(self);
        me.transcript.line(me.name + " sets up " + me.number_of(fd) + ": " + std::to_string(purpose));
        return result;
    }
    static CURLcode tls(CURL*, void* context, void* self) {
        auto& me = *static_cast<Callbacks*>(self);
        me.transcript.line(me.name + (context != nullptr ? " has a TLS context" : " has no TLS context"));
        return CURLE_OK;
    }
    static int resolve(void*, void*, void* self) {
        auto& me = *static_cast<Callbacks*>(self);
        me.transcript.line(me.name + " resolves");
        return 0;
    }
    /// A socket that is not of TCP, and connected.
    static int connected(const Origin& origin) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, origin.unix_path().c_str(), sizeof address.sun_path - 1);
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            ::close(fd);
            return CURL_SOCKET_BAD;
        }
        return fd;
    }

    void open_for(Watched& h) { h.set(CURLOPT_OPENSOCKETFUNCTION, &open).set(CURLOPT_OPENSOCKETDATA, this); }
    void close_for(Watched& h) {
        h.set(CURLOPT_CLOSESOCKETFUNCTION, &close).set(CURLOPT_CLOSESOCKETDATA, this);
    }
    template <int result = CURL_SOCKOPT_OK>
    void set_up_for(Watched& h) {
        h.set(CURLOPT_SOCKOPTFUNCTION, &set_up<result>).set(CURLOPT_SOCKOPTDATA, this);
    }
    void tls_for(Watched& h) { h.set(CURLOPT_SSL_CTX_FUNCTION, &tls).set(CURLOPT_SSL_CTX_DATA, this); }
    void resolve_for(Watched& h) {
        h.set(CURLOPT_RESOLVER_START_FUNCTION, &resolve).set(CURLOPT_RESOLVER_START_DATA, this);
    }
    void all_for(Watched& h) {
        open_for(h);
        close_for(h);
        set_up_for(h);
    }
};

/// The certificates that libcurl has recorded, if any.
void certificates(Transcript& t, Watched& h) {
    curl_certinfo* info = nullptr;
    const auto code = t.api.getinfo(h.get(), CURLINFO_CERTINFO, &info);
    t.line("certificates " + std::to_string(code) + ' ' +
           std::to_string(info != nullptr ? info->num_of_certs : -1));
    for (int i = 0; info != nullptr && i < info->num_of_certs; ++i) {
        for (auto* item = info->certinfo[i]; item != nullptr; item = item->next)
            t.line(std::string("certificate ") + item->data);
    }
}

/// Three requests of one handle, on the plain server or the one that speaks TLS.
template <class Setup>
Scenario three(const char* name, bool tls, Setup setup) {
    return {name,
            [=](Transcript& t, World& w) {
                Callbacks callbacks{t, "program", {}};
                const auto h = t.handle(tls ? w.tls.url("/x") : w.plain.url("/x"));
                h->set(CURLOPT_CAINFO, w.ca.c_str());
                setup(callbacks, *h);
                for (const char* path : {"/x", "/chunked", "/echo"}) {
                    h->url(tls ? w.tls.url(path) : w.plain.url(path));
                    h->perform();
                    certificates(t, *h);
                }
            },
            0, 1};
}

}  // namespace

std::vector<Scenario> callbacks_of_connections() {
    return {
        three("sockets of the program's own", false, [](Callbacks& c, Watched& h) { c.all_for(h); }),
        three("sockets of the program's own, under TLS", true,
              [](Callbacks& c, Watched& h) {
                  c.all_for(h);
                  c.tls_for(h);
              }),
        three("only closed by the program", false, [](Callbacks& c, Watched& h) { c.close_for(h); }),
        three("only set up by the program", true, [](Callbacks& c, Watched& h) { c.set_up_for(h); }),
        three("a TLS context that the program sees", true, [](Callbacks& c, Watched& h) { c.tls_for(h); }),
        three("a resolver's start", false, [](Callbacks& c, Watched& h) { c.resolve_for(h); }),
        three("certificate information", true, [](Callbacks&, Watched& h) { h.set(CURLOPT_CERTINFO, 1L); }),
        connects_again({"a socket that is refused, and one that is not",
                        [](Transcript& t, World& w) {
                            Callbacks callbacks{t, "program", {}};
                            callbacks.failures = 1;
                            const auto h = t.handle(w.plain.url("/x"));
                            callbacks.all_for(*h);
                            h->perform();
                            h->perform();
                        }},
                       2),
        connects_again({"a socket that is refused while it is set up",
                        [](Transcript& t, World& w) {
                            Callbacks callbacks{t, "program", {}};
                            const auto h = t.handle(w.plain.url("/x"));
                            callbacks.open_for(*h);
                            callbacks.close_for(*h);
                            callbacks.set_up_for<CURL_SOCKOPT_ERROR>(*h);
                            h->perform();
                        }}),
        connects_again({"nobody listens to a socket of the program's own",
                        [](Transcript& t, World& w) {
                            Callbacks callbacks{t, "program", {}};
                            const auto h = t.handle(w.nobody_listens);
                            callbacks.all_for(*h);
                            h->perform();
                        }}),
        // libcurl 7.88.1 connects all the same, and fails.
        connects_again({"a socket that is connected, and not of TCP",
                        [](Transcript& t, World& w) {
                            Callbacks callbacks{t, "program", {}};
                            callbacks.connected_to = &w.unix_socket;
                            const auto h = t.handle(w.plain.url("/x"));
                            callbacks.open_for(*h);
                            callbacks.close_for(*h);
                            callbacks.set_up_for<CURL_SOCKOPT_ALREADY_CONNECTED>(*h);
                            h->perform();
                        }}),
        connects_again({"other functions for the next connection",
                        [](Transcript& t, World& w) {
                            Callbacks one{t, "one", {}}, two{t, "two", {}};
                            const auto h = t.handle(w.plain.url("/x"));
                            one.all_for(*h);
                            h->perform();
                            two.all_for(*h);
                            h->perform();
                            h->url(w.plain.url("/close"));
                            h->perform();
                            h->url(w.plain.url("/x"));
                            h->perform();
                        }},
                       2),
        connects_again({"two origins in turn",
                        [](Transcript& t, World& w) {
                            Callbacks callbacks{t, "program", {}};
                            callbacks.in_order = false;
                            const auto h = t.handle(w.plain.url("/to-echo"));
                            h->set(CURLOPT_FOLLOWLOCATION, 1L);
                            callbacks.all_for(*h);
                            h->perform();
                            h->url(w.other.url("/to-echo"));
                            h->perform();
                            h->url(w.plain.url("/x"));
                            h->perform();
                        }},
                       2),
        connects_again({"a handle with functions, its duplicate and its reset",
                        [](Transcript& t, World& w) {
                            Callbacks callbacks{t, "program", {}};
                            const auto h = t.handle(w.plain.url("/x"));
                            callbacks.all_for(*h);
                            h->perform();
                            {
                                const auto copy = h->duplicate();
                                copy->perform();
                                copy->perform();
                            }
                            h->reset();
                            h->url(w.plain.url("/x"));
                            callbacks.close_for(*h);
                            h->perform();
                        }},
                       2),
    };
}

}  // namespace ringlet::test
