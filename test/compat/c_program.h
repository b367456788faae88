/* What c_program.c offers to the tests. */
#ifndef RINGLET_TEST_COMPAT_C_PROGRAM_H
#define RINGLET_TEST_COMPAT_C_PROGRAM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How many of the requests failed; how many connections libcurl says it made, and the bytes of all bodies. */
int request_with_new_handles(const char* url, const char* ca_file, int requests, long* connects,
                             size_t* bytes);

#ifdef __cplusplus
}
#endif

#endif
