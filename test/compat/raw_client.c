/* A program of plain libcurl, linked with nothing else: usage: raw_client URL REQUESTS [CA_FILE]. A handle for each request;
 * prints how many failed and how many connections were made. */
#include <curl/curl.h>

#include <stdio.h>
#include <stdlib.h>

static size_t ignore(char *data, size_t size, size_t n, void *to) {
    (void)data;
    (void)to;
    return size * n;
}

int main(int argc, char **argv) {
    int i, failures = 0;
    long connects = 0;
    if (argc < 3) return 2;
    curl_global_init(CURL_GLOBAL_DEFAULT);
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
    curl_global_cleanup();
    printf("failures=%d connects=%ld\n", failures, connects);
    return failures != 0;
}
