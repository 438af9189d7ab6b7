/* libcurl's multi interface on the worker's loop: transfers begin, go on without blocking, end in a callback. */
#ifndef MR_JOBS_SERVICES_CURL_LOOP_H
#define MR_JOBS_SERVICES_CURL_LOOP_H

#include "proto/base/err.h"

#include <curl/curl.h>

struct mr_curl_loop;
struct mr_host;

/* result is CURLE_OK or what went wrong; the easy handle is out of the loop and the caller's again. */
typedef void mr_curl_done_fn(void *arg, CURL *easy, CURLcode result);

/* One per process, shared by all modules that send something: connections are reused across jobs. Borrowed. */
enum mr_code mr_curl_loop_get(struct mr_host *host, struct mr_curl_loop **out,
                              struct mr_err *err);

/*
 * Starts the transfer that easy describes. done runs exactly once, later, from the loop. easy is borrowed until then; its
 * CURLOPT_PRIVATE is ours. MR_EIO: libcurl refused it, done never runs.
 */
enum mr_code mr_curl_loop_start(struct mr_curl_loop *loop, CURL *easy, mr_curl_done_fn *done,
                                void *arg);
/* Ends it now; done does not run any more. Not from inside one of curl's own callbacks. */
void mr_curl_loop_cancel(struct mr_curl_loop *loop, CURL *easy);

#endif
