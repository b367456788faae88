// What programs do inside a callback of a transfer. Header only.
#pragma once

#include <ringlet/curl.h>

#include <setjmp.h>

#include <cstddef>

#include "compat/easy_handle.hpp"

namespace ringlet::test {

/// What a C program does that leaves a transfer by siglongjmp(), as PHP does.
struct Jump {
    sigjmp_buf back;

    static std::size_t out(char*, std::size_t, std::size_t, void* self) {
        siglongjmp(static_cast<Jump*>(self)->back, 1);
    }
};

/// False: it came back the usual way.
inline bool perform_and_jump_out(CURL* easy) {
    Jump jump;
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &jump);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Jump::out);
    if (sigsetjmp(jump.back, 0) != 0) return true;
    curl_easy_perform(easy);
    return false;
}

/// A duplicate of the handle, made by the write callback of a transfer.
inline CURL* duplicate_inside(EasyHandle& easy) {
    struct Inside {
        CURL* easy;
        CURL* copy;
    } inside{easy.get(), nullptr};
    easy.set(CURLOPT_WRITEDATA, &inside);
    easy.set(
        CURLOPT_WRITEFUNCTION, +[](char*, std::size_t size, std::size_t n, void* p) {
            auto& i = *static_cast<Inside*>(p);
            if (i.copy == nullptr) i.copy = curl_easy_duphandle(i.easy);
            return size * n;
        });
    CHECK(easy.perform() == CURLE_OK);
    return inside.copy;
}

}  // namespace ringlet::test
