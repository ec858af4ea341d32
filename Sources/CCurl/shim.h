#pragma once

#include <curl/curl.h>

/* Swift cannot call C's variadic functions. Each shim sets one option of one argument type and
 * returns libcurl's own result code unchanged. Strings are copied by libcurl before the call
 * returns; pointers passed as `void *` must outlive the handle. */

static inline CURLcode shardwalk_easy_setopt_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode shardwalk_easy_setopt_string(CURL *easy, CURLoption option,
                                                    const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode shardwalk_easy_setopt_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode shardwalk_easy_setopt_off_t(CURL *easy, CURLoption option,
                                                   curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

typedef size_t (*shardwalk_data_callback)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode shardwalk_easy_setopt_callback(CURL *easy, CURLoption option,
                                                      shardwalk_data_callback callback) {
    return curl_easy_setopt(easy, option, callback);
}

static inline CURLcode shardwalk_easy_getinfo_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode shardwalk_easy_getinfo_pointer(CURL *easy, CURLINFO info, void **value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLMcode shardwalk_multi_setopt_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

/* The finished transfer and its result out of a message (the result sits in a C union). */
static inline CURLcode shardwalk_message_result(const CURLMsg *message) {
    return message->data.result;
}
