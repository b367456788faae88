#include <ringlet/curl.h>

#include "compat/handle_traffic.h"

#include <pthread.h>
#include <stdlib.h>

enum { threads = 4, exchanged = 6 };

/* What one thread has put down for any other to pick up. */
static struct {
    pthread_mutex_t mutex;
    CURL *handles[exchanged];
} exchange = {PTHREAD_MUTEX_INITIALIZER, {0}};

struct task {
    const char *url;
    int rounds;
    int failures;
    unsigned seed;
};

static size_t ignore(char *data, size_t size, size_t n, void *to) {
    (void)data;
    (void)to;
    return size * n;
}

static CURL *set_up(CURL *curl, const char *url) {
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    return curl;
}

static CURL *new_handle(const char *url) { return set_up(curl_easy_init(), url); }

static CURL *swap(unsigned place, CURL *mine) {
    CURL *theirs;
    pthread_mutex_lock(&exchange.mutex);
    theirs = exchange.handles[place % exchanged];
    exchange.handles[place % exchanged] = mine;
    pthread_mutex_unlock(&exchange.mutex);
    return theirs;
}

static void *work(void *argument) {
    struct task *task = argument;
    CURL *kept = new_handle(task->url);
    int i;
    for (i = 0; i < task->rounds; i++) {
        CURL *brief = new_handle(task->url), *other;
        const unsigned chance = (unsigned)rand_r(&task->seed);
        if (curl_easy_perform(brief) != CURLE_OK) task->failures++;
        if (curl_easy_perform(kept) != CURLE_OK) task->failures++;
        if (chance % 5 == 0) {
            CURL *copy = curl_easy_duphandle(kept);
            if (curl_easy_perform(copy) != CURLE_OK) task->failures++;
            curl_easy_cleanup(copy);
        }
        other = swap(chance, brief);
        if (!other) continue;
        if (chance % 3 == 0) {
            curl_easy_reset(other);
            set_up(other, task->url);
        }
        if (chance % 2 == 0 && curl_easy_perform(other) != CURLE_OK) task->failures++;
        curl_easy_cleanup(other);
    }
    curl_easy_cleanup(kept);
    return NULL;
}

int run_handle_traffic(const char *url, int rounds) {
    pthread_t ids[threads];
    struct task tasks[threads];
    int i, failures = 0;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    for (i = 0; i < threads; i++) {
        tasks[i].url = url;
        tasks[i].rounds = rounds;
        tasks[i].failures = 0;
        tasks[i].seed = (unsigned)i;
        if (pthread_create(&ids[i], NULL, work, &tasks[i]) != 0) abort();
    }
    for (i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        failures += tasks[i].failures;
    }
    for (i = 0; i < exchanged; i++) {
        CURL *left = swap((unsigned)i, NULL);
        if (left) curl_easy_cleanup(left);
    }
    curl_global_cleanup();
    return failures;
}
