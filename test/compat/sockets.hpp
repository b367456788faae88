// Sockets: a program's functions that make, set up and close sockets. Header only.
#pragma once

#include <ringlet/curl.h>

#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "compat/easy_handle.hpp"

namespace ringlet::test {

/// What the functions are given as their data: counts, and the thread of the last call.
struct Sockets {
    int opened = 0, set_up = 0, closed = 0;
    curl_socket_t last = CURL_SOCKET_BAD, last_set_up = CURL_SOCKET_BAD;
    std::vector<curl_socket_t> ends;
    std::thread::id closed_by;
    bool refuses = false;

    static curl_socket_t open(void* self, curlsocktype purpose, curl_sockaddr* address) {
        auto& me = *static_cast<Sockets*>(self);
        if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
        ++me.opened;
        if (me.refuses) return CURL_SOCKET_BAD;
        return me.last = ::socket(address->family, address->socktype, address->protocol);
    }
    static int set_options(void* self, curl_socket_t fd, curlsocktype) {
        auto& me = *static_cast<Sockets*>(self);
        ++me.set_up;
        me.last_set_up = fd;
        return CURL_SOCKOPT_OK;
    }
    static int close(void* self, curl_socket_t fd) {
        auto& me = *static_cast<Sockets*>(self);
        ++me.closed;
        me.ends.push_back(fd);
        me.closed_by = std::this_thread::get_id();
        return ::close(fd);
    }
    void open_for(EasyHandle& easy) {
        easy.set(CURLOPT_OPENSOCKETFUNCTION, &Sockets::open);
        easy.set(CURLOPT_OPENSOCKETDATA, this);
    }
    void set_up_for(EasyHandle& easy) {
        easy.set(CURLOPT_SOCKOPTFUNCTION, &Sockets::set_options);
        easy.set(CURLOPT_SOCKOPTDATA, this);
    }
    void close_for(EasyHandle& easy) {
        easy.set(CURLOPT_CLOSESOCKETFUNCTION, &Sockets::close);
        easy.set(CURLOPT_CLOSESOCKETDATA, this);
    }
};

}  // namespace ringlet::test
