// SPDX-License-Identifier: Apache-2.0
// What Swift cannot import from curl.h: the variadic setopt and getinfo, one typed inline for each shape.
#pragma once
#include <curl/curl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

static inline CURLcode agent_curl_setopt_long(CURL *h, CURLoption o, long v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode agent_curl_setopt_string(CURL *h, CURLoption o, const char *v) {
    return curl_easy_setopt(h, o, v);
}
static inline CURLcode agent_curl_setopt_pointer(CURL *h, CURLoption o, void *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode agent_curl_setopt_offset(CURL *h, CURLoption o, curl_off_t v) {
    return curl_easy_setopt(h, o, v);
}
static inline CURLcode agent_curl_setopt_headers(CURL *h, CURLoption o, struct curl_slist *v) {
    return curl_easy_setopt(h, o, v);
}
static inline CURLcode agent_curl_setopt_write(CURL *h, CURLoption o, curl_write_callback f) {
    return curl_easy_setopt(h, o, f);
}
static inline CURLcode agent_curl_setopt_progress(CURL *h, curl_xferinfo_callback f) {
    return curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, f);
}
static inline CURLcode agent_curl_getinfo_long(CURL *h, CURLINFO i, long *v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode agent_curl_getinfo_offset(CURL *h, CURLINFO i, curl_off_t *v) {
    return curl_easy_getinfo(h, i, v);
}

// Fixed shapes of curl_easy_setopt for one callback each.
static inline CURLcode agent_curl_setopt_prereq(CURL *h, curl_prereq_callback f) {
    return curl_easy_setopt(h, CURLOPT_PREREQFUNCTION, f);
}
static inline CURLcode agent_curl_setopt_sockopt(CURL *h, curl_sockopt_callback f) {
    return curl_easy_setopt(h, CURLOPT_SOCKOPTFUNCTION, f);
}
static inline CURLcode agent_curl_setopt_closesocket(CURL *h, curl_closesocket_callback f) {
    return curl_easy_setopt(h, CURLOPT_CLOSESOCKETFUNCTION, f);
}

// Bytes that were written to a TCP socket and that its peer has not acknowledged; -1 where that cannot be told. (ioctl
// is variadic as well.) https://man7.org/linux/man-pages/man7/tcp.7.html
static inline int agent_socket_unacknowledged(curl_socket_t s) {
    int bytes = 0;
    return ioctl(s, SIOCOUTQ, &bytes) == 0 ? bytes : -1;
}
