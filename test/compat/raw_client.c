/* A program of plain libcurl, linked with nothing else: usage: raw_client URL REQUESTS [CA_FILE [timed]]. A handle for each
 * request; prints how many failed and how many connections were made, or how many seconds they took if none failed. */
#define _POSIX_C_SOURCE 200809L
#include <curl/curl.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static size_t ignore(char *data, size_t size, size_t n, void *to) {
    (void)data;
    (void)to;
    return size * n;
}

int main(int argc, char **argv) {
    int i, failures = 0;
    long connects = 0;
    struct timespec start, end;
    if (argc < 3) return 2;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (i = 0; i < atoi(argv[2]); i++) {
        long connected = 0;
        CURL *curl = curl_easy_init();
        curl_easy_setopt(curl, CURLOPT_URL, argv[1]);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
        if (argc > 3) curl_easy_setopt(curl, CURLOPT_CAINFO, argv[3]);
        if (curl_easy_perform(curl) != CURLE_OK) failures++;
        curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connected);
        connects += connected;
        curl_easy_cleanup(curl);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    curl_global_cleanup();
    if (argc > 4 && !failures)
        printf("%f\n", (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    else
        printf("failures=%d connects=%ld\n", failures, connects);
    return failures != 0;
}
