/* Drop-in for programs that use libcurl's easy interface: include this instead of <curl/curl.h>, or compile
 * with -include ringlet/curl.h, and link with ringlet. For C and C++.
 *
 * The functions below keep their names and meaning, but http and https transfers run on connections of
 * ringlet's process-wide cache, which outlive the handles. Handles stay real CURL pointers, for every
 * function of libcurl. See docs/guide/drop-in.md for what changes and what does not.
 *
 * RINGLET_CURL_OFF, defined before: nothing is redirected. RINGLET_DISABLE=1 in the environment: each call
 * goes to libcurl.
 */
#ifndef RINGLET_CURL_H
#define RINGLET_CURL_H

#include <curl/curl.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The same functions by their own names, for programs that want both. A handle goes to one family only. */
CURL* ringlet_easy_init(void);
CURLcode ringlet_easy_setopt(CURL* handle, CURLoption option, ...);
CURLcode ringlet_easy_perform(CURL* handle);
CURLcode ringlet_easy_getinfo(CURL* handle, CURLINFO info, ...);
void ringlet_easy_reset(CURL* handle);
CURL* ringlet_easy_duphandle(CURL* handle);
void ringlet_easy_cleanup(CURL* handle);
CURLSH* ringlet_share_init(void);
CURLSHcode ringlet_share_setopt(CURLSH* share, CURLSHoption option, ...);
CURLSHcode ringlet_share_cleanup(CURLSH* share);

/* Whether the handle's transfers may use shared connections (on != 0, what a new handle starts with). Off:
 * they are libcurl's alone, as are their connections. Kept by a reset, copied to duplicates. */
void ringlet_easy_pool(CURL* handle, int on);

#ifndef RINGLET_CURL_OFF

/* Another name for the linker, not a macro: function pointers, member functions of the same name and
 * libcurl's own type-checking macros work as they did. Include this before code that calls libcurl. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wredundant-decls"
CURL*(curl_easy_init)(void)__asm__("ringlet_easy_init");
CURLcode(curl_easy_setopt)(CURL*, CURLoption, ...) __asm__("ringlet_easy_setopt");
CURLcode(curl_easy_perform)(CURL*) __asm__("ringlet_easy_perform");
CURLcode(curl_easy_getinfo)(CURL*, CURLINFO, ...) __asm__("ringlet_easy_getinfo");
void(curl_easy_reset)(CURL*) __asm__("ringlet_easy_reset");
CURL*(curl_easy_duphandle)(CURL*)__asm__("ringlet_easy_duphandle");
void(curl_easy_cleanup)(CURL*) __asm__("ringlet_easy_cleanup");
/* To know which share objects hold connections of their own. */
CURLSH*(curl_share_init)(void)__asm__("ringlet_share_init");
CURLSHcode(curl_share_setopt)(CURLSH*, CURLSHoption, ...) __asm__("ringlet_share_setopt");
CURLSHcode(curl_share_cleanup)(CURLSH*) __asm__("ringlet_share_cleanup");
#pragma GCC diagnostic pop

#endif /* RINGLET_CURL_OFF */

#ifdef __cplusplus
}
#endif

#endif /* RINGLET_CURL_H */
