/* libcurl for handlers that block on a thread: easy handles, each of which keeps its connection for the next transfer. */
#ifndef MR_JOBS_SERVICES_CURL_POOL_H
#define MR_JOBS_SERVICES_CURL_POOL_H

#include "proto/base/err.h"

#include <curl/curl.h>

struct mr_curl_pool;

/* For one server: a handle that met another one would drop its connection. On the loop's thread. */
enum mr_code mr_curl_pool_new(struct mr_curl_pool **out, struct mr_err *err);
/* Ends the idle connections without waiting for anybody. All handles must have been given back. */
void mr_curl_pool_free(struct mr_curl_pool *pool);

/*
 * A handle for one transfer, without options of an earlier one; the last one used comes first, so that few connections
 * stay open. NULL when libcurl has none. Any thread.
 */
CURL *mr_curl_pool_take(struct mr_curl_pool *pool);
void mr_curl_pool_give(struct mr_curl_pool *pool, CURL *easy);

#endif
