#include "jobs/services/curl_pool.h"

#include "proto/base/mem.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <uv.h>

struct mr_curl_pool {
    uv_mutex_t lock;
    CURL **idle; /* under lock: a stack */
    size_t n_idle, room;
};

enum mr_code mr_curl_pool_new(struct mr_curl_pool **out, struct mr_err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return mr_fail(err, MR_EIO, "libcurl could not be initialised");
    struct mr_curl_pool *pool = mr_zalloc(sizeof(*pool));

    uv_mutex_init(&pool->lock);
    *out = pool;
    return MR_OK;
}

/*
 * curl says good-bye on an idle connection and waits, blocking, for the answer; a server that hangs would hold us for
 * minutes. It may say it, but hears the end of the stream at once.
 */
static void hang_up(CURL *easy)
{
    curl_socket_t socket = CURL_SOCKET_BAD;

    curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &socket);
    if (socket != CURL_SOCKET_BAD)
        shutdown(socket, SHUT_RD);
    curl_easy_cleanup(easy);
}

void mr_curl_pool_free(struct mr_curl_pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; i < pool->n_idle; i++)
        hang_up(pool->idle[i]);
    uv_mutex_destroy(&pool->lock);
    free(pool->idle);
    free(pool);
    curl_global_cleanup();
}

static void write_options(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name server that does not answer must not hold a job that was told to stop. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
}

CURL *mr_curl_pool_take(struct mr_curl_pool *pool)
{
    CURL *easy = NULL;

    uv_mutex_lock(&pool->lock);
    if (pool->n_idle > 0)
        easy = pool->idle[--pool->n_idle];
    uv_mutex_unlock(&pool->lock);
    if (!easy)
        easy = curl_easy_init();
    if (easy)
        write_options(easy);
    return easy;
}

void mr_curl_pool_give(struct mr_curl_pool *pool, CURL *easy)
{
    curl_easy_reset(easy); /* all but its connection */
    uv_mutex_lock(&pool->lock);
    if (pool->n_idle == pool->room) {
        pool->room = pool->room ? 2 * pool->room : 8;
        pool->idle = mr_realloc(pool->idle, pool->room * sizeof(CURL *));
    }
    pool->idle[pool->n_idle++] = easy;
    uv_mutex_unlock(&pool->lock);
}
