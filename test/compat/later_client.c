/* A program of plain libcurl whose clock jumps: usage: later_client URL CA_FILE SECONDS [MAXAGE [BODY]]. Two requests with a
 * handle each, that many seconds apart, without the wait. Prints the code of both and how many connections were made. */
#define _GNU_SOURCE
#include <curl/curl.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long ahead; /* set while nothing else runs */

/* Found before the C library's by everything in this process, ringlet's preloaded library too. */
__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *now) {
    const long result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0) now->tv_sec += __atomic_load_n(&ahead, __ATOMIC_RELAXED);
    return (int)result;
}

static size_t ignore(char *data, size_t size, size_t n, void *to) {
    (void)data;
    (void)to;
    return size * n;
}

int main(int argc, char **argv) {
    int i, codes[2];
    long connects = 0;
    if (argc < 4) return 2;
    for (i = 0; i < 2; i++) {
        long connected = 0;
        CURL *curl = curl_easy_init();
        curl_easy_setopt(curl, CURLOPT_URL, argv[1]);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
        curl_easy_setopt(curl, CURLOPT_CAINFO, argv[2]);
        if (argc > 4) curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, atol(argv[4]));
        if (argc > 5) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, argv[5]);
        codes[i] = (int)curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connected);
        connects += connected;
        curl_easy_cleanup(curl);
        __atomic_store_n(&ahead, atol(argv[3]), __ATOMIC_RELAXED);
    }
    printf("codes=%d,%d connects=%ld\n", codes[0], codes[1], connects);
    return 0;
}
