#include "jobs/services/http_curl.h"

#include "proto/base/mem.h"

#include <stdlib.h>

enum { IDLE_CONNECTIONS_MAX = 64 };

struct mr_http_curl {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    mr_http_curl_done_fn *done;
};

/* A socket of curl's, watched for it. */
struct watch {
    uv_poll_t poll;
    struct mr_http_curl *curl;
    curl_socket_t fd;
};

/* What is over. done may begin and end other transfers: each message is fetched anew. */
static void report(struct mr_http_curl *curl)
{
    int left;

    for (CURLMsg *message; (message = curl_multi_info_read(curl->multi, &left));)
        if (message->msg == CURLMSG_DONE)
            curl->done(message->easy_handle, message->data.result);
}

static void on_timer(uv_timer_t *timer)
{
    struct mr_http_curl *curl = timer->data;
    int running;

    curl_multi_socket_action(curl->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    report(curl);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct mr_http_curl *curl = watch->curl; /* curl may be done with the socket in here */
    int running, seen = status < 0 ? CURL_CSELECT_ERR : 0;

    if (events & UV_READABLE)
        seen |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        seen |= CURL_CSELECT_OUT;
    curl_multi_socket_action(curl->multi, watch->fd, seen, &running);
    report(curl);
}

/* ---- what curl asks for ---- */

static int on_time_wanted(CURLM *multi, long ms, void *arg)
{
    struct mr_http_curl *curl = arg;

    (void)multi;
    if (ms < 0)
        uv_timer_stop(&curl->timer);
    else
        uv_timer_start(&curl->timer, on_timer, (uint64_t)ms, 0);
    return 0;
}

static void on_watch_closed(uv_handle_t *poll)
{
    free(poll->data);
}

static struct watch *add_watch(struct mr_http_curl *curl, curl_socket_t fd)
{
    struct watch *watch = mr_zalloc(sizeof(*watch));

    if (uv_poll_init_socket(curl->loop, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->curl = curl;
    watch->fd = fd;
    curl_multi_assign(curl->multi, fd, watch);
    return watch;
}

/* A socket that cannot be watched hangs until its exchange's deadline. */
static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *own)
{
    struct watch *watch = own;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        return 0;
    }
    if (!watch)
        watch = add_watch(arg, fd);
    if (what != CURL_POLL_IN)
        events |= UV_WRITABLE;
    if (what != CURL_POLL_OUT)
        events |= UV_READABLE;
    if (watch)
        uv_poll_start(&watch->poll, events, on_poll);
    return 0;
}

/* ---- life ---- */

enum mr_code mr_http_curl_new(uv_loop_t *loop, mr_http_curl_done_fn *done,
                              struct mr_http_curl **out, struct mr_err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return mr_fail(err, MR_EIO, "libcurl could not be initialised");
    CURLM *multi = curl_multi_init();
    if (!multi) {
        curl_global_cleanup();
        return mr_fail(err, MR_EIO, "libcurl gives no multi handle");
    }
    struct mr_http_curl *curl = mr_zalloc(sizeof(*curl));
    curl->loop = loop;
    curl->multi = multi;
    curl->done = done;
    uv_timer_init(loop, &curl->timer);
    curl->timer.data = curl;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, curl);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_time_wanted);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, curl);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS_MAX);
    *out = curl;
    return MR_OK;
}

static void on_timer_closed(uv_handle_t *timer)
{
    free(timer->data);
}

void mr_http_curl_close(struct mr_http_curl *curl)
{
    curl_multi_cleanup(curl->multi);
    curl_global_cleanup();
    uv_close((uv_handle_t *)&curl->timer, on_timer_closed);
}

void mr_http_curl_add(struct mr_http_curl *curl, CURL *easy)
{
    curl_multi_add_handle(curl->multi, easy);
}

void mr_http_curl_remove(struct mr_http_curl *curl, CURL *easy)
{
    curl_multi_remove_handle(curl->multi, easy);
}
