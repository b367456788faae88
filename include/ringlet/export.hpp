// RINGLET_API marks what the shared library exports; everything else is hidden.
#pragma once

#if defined(RINGLET_STATIC)
#define RINGLET_API
#elif defined(_WIN32)
#error "ringlet supports POSIX systems only"
#else
#define RINGLET_API __attribute__((visibility("default")))
#endif
