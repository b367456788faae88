/* A program as they are: C, libcurl's easy interface, a handle for each request. Only its include differs. */
#include <ringlet/curl.h>

#include "compat/c_program.h"

#include <string.h>

static size_t count(char *data, size_t size, size_t n, void *to) {
    (void)data;
    *(size_t *)to += size * n;
    return size * n;
}

int request_with_new_handles(const char *url, const char *ca_file, int requests, long *connects, size_t *bytes) {
    int i, failures = 0;
    *connects = 0;
    *bytes = 0;
    for (i = 0; i < requests; i++) {
        long connected = 0;
        CURLcode code;
        CURL *curl = curl_easy_init();
        if (!curl) return requests;
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, count);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, bytes);
        if (ca_file) curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
        code = curl_easy_perform(curl);
        if (code != CURLE_OK) failures++;
        curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connected);
        *connects += connected;
        curl_easy_cleanup(curl);
    }
    return failures;
}
