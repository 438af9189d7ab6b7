#include "jobs/services/curl_loop.h"

#include "proto/base/mem.h"
#include "worker/handler.h"

#include <stdlib.h>
#include <uv.h>

enum { IDLE_CONNECTIONS = 32 };

/*
 * curl says which sockets to watch and when to call it; libuv watches and calls. See the "multi socket" interface
 * in libcurl-multi(3).
 */
struct mr_curl_loop {
    uv_loop_t *uv;
    CURLM *multi;
    uv_timer_t timer;
    int holders; /* this one, and each handle that is still closing */
    bool closed;
};

/* One socket of curl's. */
struct watch {
    uv_poll_t poll;
    struct mr_curl_loop *loop;
    curl_socket_t socket;
};

struct transfer {
    mr_curl_done_fn *done;
    void *arg;
};

static void let_go(struct mr_curl_loop *loop)
{
    if (--loop->holders == 0)
        free(loop);
}

static struct transfer *transfer_of(CURL *easy)
{
    char *private = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    return (struct transfer *)(void *)private;
}

/* Hands finished transfers back. A done callback may start or cancel others: the queue is asked anew each time. */
static void answer_finished(struct mr_curl_loop *loop)
{
    CURLMsg *message;
    int left;

    while (!loop->closed && (message = curl_multi_info_read(loop->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        struct transfer *transfer = transfer_of(easy);
        struct transfer now = *transfer;

        curl_multi_remove_handle(loop->multi, easy);
        free(transfer);
        now.done(now.arg, easy, result);
    }
}

static void act(struct mr_curl_loop *loop, curl_socket_t socket, int events)
{
    int running;

    curl_multi_socket_action(loop->multi, socket, events, &running);
    answer_finished(loop);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    int flags = 0;

    if (status < 0)
        flags = CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(watch->loop, watch->socket, flags);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct mr_curl_loop *loop = watch->loop;

    free(watch);
    let_go(loop);
}

static struct watch *watch_new(struct mr_curl_loop *loop, curl_socket_t socket)
{
    struct watch *watch = mr_zalloc(sizeof(*watch));

    watch->loop = loop;
    watch->socket = socket;
    if (uv_poll_init_socket(loop->uv, &watch->poll, socket) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    loop->holders++;
    curl_multi_assign(loop->multi, socket, watch);
    return watch;
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *arg, void *assigned)
{
    struct mr_curl_loop *loop = arg;
    struct watch *watch = assigned;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        curl_multi_assign(loop->multi, socket, NULL);
        if (watch) {
            uv_poll_stop(&watch->poll);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        }
        return 0;
    }
    if (!watch)
        watch = watch_new(loop, socket);
    if (!watch)
        return -1;
    int events =
        (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->poll, events, on_poll) == 0 ? 0 : -1;
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_wanted(CURLM *multi, long timeout_ms, void *arg)
{
    struct mr_curl_loop *loop = arg;

    (void)multi;
    if (timeout_ms < 0)
        uv_timer_stop(&loop->timer);
    else
        uv_timer_start(&loop->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static enum mr_code open_loop(struct mr_host *host, void **out, struct mr_err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return mr_fail(err, MR_EIO, "libcurl could not be initialised");
    struct mr_curl_loop *loop = mr_zalloc(sizeof(*loop));

    loop->uv = mr_host_loop(host);
    loop->holders = 1;
    loop->multi = curl_multi_init();
    uv_timer_init(loop->uv, &loop->timer);
    loop->timer.data = loop;
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
    curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
    *out = loop;
    return MR_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

static void close_loop(void *shared)
{
    struct mr_curl_loop *loop = shared;

    loop->closed = true;
    curl_multi_cleanup(
        loop->multi); /* says good-bye on idle connections; on_socket closes their watches */
    uv_close((uv_handle_t *)&loop->timer, on_timer_closed);
}

enum mr_code mr_curl_loop_get(struct mr_host *host, struct mr_curl_loop **out,
                              struct mr_err *err)
{
    void *shared = NULL;
    enum mr_code code = mr_host_share(host, "curl_loop", open_loop, close_loop, &shared, err);

    if (code == MR_OK)
        *out = shared;
    return code;
}

enum mr_code mr_curl_loop_start(struct mr_curl_loop *loop, CURL *easy, mr_curl_done_fn *done,
                                void *arg)
{
    struct transfer *transfer = mr_zalloc(sizeof(*transfer));

    *transfer = (struct transfer){done, arg};
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (curl_multi_add_handle(loop->multi, easy) == CURLM_OK)
        return MR_OK;
    free(transfer);
    return MR_EIO;
}

void mr_curl_loop_cancel(struct mr_curl_loop *loop, CURL *easy)
{
    struct transfer *transfer = transfer_of(easy);

    curl_multi_remove_handle(loop->multi, easy);
    free(transfer);
}
