/* Handles on many threads over shared lanes. */
#ifndef RINGLET_TEST_COMPAT_HANDLE_TRAFFIC_H
#define RINGLET_TEST_COMPAT_HANDLE_TRAFFIC_H

#ifdef __cplusplus
extern "C" {
#endif

/* Four threads that make, use and destroy handles, keep some, and hand others to each other. How many
 * transfers failed. */
int run_handle_traffic(const char* url, int rounds);

#ifdef __cplusplus
}
#endif

#endif
