/* curl's multi interface under libuv: curl says which sockets and what time to watch, the loop tells it what came. */
#ifndef MR_JOBS_SERVICES_HTTP_CURL_H
#define MR_JOBS_SERVICES_HTTP_CURL_H

#include "proto/base/err.h"

#include <curl/curl.h>
#include <uv.h>

struct mr_http_curl;

/* A transfer is over. Never inside one of curl's own callbacks, so anything may be done here. */
typedef void mr_http_curl_done_fn(CURL *easy, CURLcode result);

enum mr_code mr_http_curl_new(uv_loop_t *loop, mr_http_curl_done_fn *done,
                              struct mr_http_curl **out, struct mr_err *err);
/* Ends the idle connections. No transfer may be under way. */
void mr_http_curl_close(struct mr_http_curl *curl);

/* Begins a transfer: done comes once, later, unless it is removed before. */
void mr_http_curl_add(struct mr_http_curl *curl, CURL *easy);
/* Must come before the handle is cleaned up, also after done. Not inside one of curl's callbacks. */
void mr_http_curl_remove(struct mr_http_curl *curl, CURL *easy);

#endif
