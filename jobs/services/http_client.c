#include "jobs/services/http_client.h"

#include "jobs/services/http_curl.h"
#include "jobs/services/http_own.h"
#include "proto/base/duration.h"
#include "worker/handler.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BACK_MS = 1000, BACK_MAX_MS = 60 * 60 * 1000 };

/* ---- a call ends ---- */

static void on_timer_closed(uv_handle_t *timer)
{
    struct mr_http_call *call = timer->data;

    mr_http_wanted_fini(&call->wanted);
    mr_buf_fini(&call->arriving.headers);
    mr_buf_fini(&call->arriving.body);
    free(call);
}

/* The only place that answers the caller. What the call held of peer and curl has been given back. */
static void finish(struct mr_http_call *call)
{
    assert(!call->peer && !call->handle);
    call->client->n_calls--;
    uv_close((uv_handle_t *)&call->timer, on_timer_closed);
    call->done(call->arg, &call->answer);
}

void mr_http_call_say(struct mr_http_call *call, enum mr_http_end end, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(call->answer.trouble, sizeof(call->answer.trouble), format, args);
    va_end(args);
    call->answer.end = end;
}

enum mr_http_end mr_http_call_end(const struct mr_http_call *call)
{
    return call->sent ? MR_HTTP_UNKNOWN : MR_HTTP_NOT_SENT;
}

enum mr_http_end mr_http_call_refusal(const struct mr_http_call *call)
{
    return call->acted ? MR_HTTP_UNKNOWN : MR_HTTP_REFUSED;
}

void mr_http_call_hold(struct mr_http_call *call, uint64_t back_ms)
{
    call->answer.end = call->sent ? MR_HTTP_UNKNOWN : MR_HTTP_HELD;
    if (!call->sent)
        call->answer.retry_after_ms = (int64_t)(back_ms < BACK_MAX_MS ? back_ms : BACK_MAX_MS);
}

static void on_timer(uv_timer_t *timer);

void mr_http_call_finish_soon(struct mr_http_call *call)
{
    call->over = true;
    uv_timer_start(&call->timer, on_timer, 0, 0);
}

/* ---- why it ends: an answer, a redirect, the deadline ---- */

static bool is_redirect(const struct mr_http_call *call)
{
    static const long statuses[] = {301, 302, 303, 307, 308};

    if (call->answer.end != MR_HTTP_ANSWERED || call->wanted.redirects_max == 0)
        return false;
    for (size_t i = 0; i < MR_COUNT(statuses); i++)
        if (call->answer.status == statuses[i])
            return mr_http_header(&call->answer, "Location").at != NULL;
    return false;
}

static void follow(struct mr_http_call *call)
{
    struct mr_bytes location = mr_http_header(&call->answer, "Location");
    long status = call->answer.status;
    struct mr_err err = {0};

    call->acted |= !mr_http_shape_is_safe(call->wanted.shape);
    call->answer = (struct mr_http_answer){.retry_after_ms = -1};
    if (++call->n_redirects > call->wanted.redirects_max) {
        mr_http_call_say(call, mr_http_call_refusal(call), "%s redirects more than %u times",
                         call->wanted.shape->target.origin, call->wanted.redirects_max);
        finish(call);
    } else if (mr_http_wanted_redirect(&call->wanted, status, location, &err) != MR_OK) {
        mr_http_call_say(call, mr_http_call_refusal(call), "%s", err.text);
        finish(call);
    } else {
        mr_http_queue_enter(call);
    }
}

static void explain_deadline(struct mr_http_call *call)
{
    const char *origin = call->wanted.shape->target.origin;
    const struct mr_http_peer *peer = call->peer;
    enum mr_http_end end = mr_http_call_end(call);
    char span[32];

    mr_duration_print(call->begun ? call->wanted.timeout_ms : call->wanted.wait_ms, span);
    if (call->cancelled)
        mr_http_call_say(call, end, "cancelled before %.200s had answered", origin);
    else if (call->handle && call->n_attempts > 0)
        mr_http_call_say(call, end, "no whole answer of %.200s within %s", origin, span);
    else if (call->handle)
        mr_http_call_say(call, end, "no connection to %.200s within %s", origin, span);
    else if (peer->looking_up)
        mr_http_call_say(call, end, "no address of %.200s within %s: the name server is silent",
                         peer->host, span);
    else {
        mr_http_call_say(call, end,
                         "no turn at %.200s within %s: %u requests are under way there", origin,
                         span, peer->n_active);
        mr_http_call_hold(call, BACK_MS);
    }
}

static void on_transfer_done(CURL *easy, CURLcode result)
{
    char *own = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &own);
    struct mr_http_call *call = (struct mr_http_call *)(void *)own;
    if (result == CURLE_OPERATION_TIMEDOUT)
        explain_deadline(call);
    else
        mr_http_transfer_judge(call, result);
    mr_http_queue_leave(call);
    if (is_redirect(call))
        follow(call);
    else
        finish(call);
}

static void on_timer(uv_timer_t *timer)
{
    struct mr_http_call *call = timer->data;

    if (!call->over) {
        explain_deadline(call);
        mr_http_queue_leave(call);
    }
    finish(call);
}

/* ---- the public side ---- */

struct mr_http_call *mr_http_send(struct mr_http_client *client,
                                  const struct mr_http_request *request, mr_http_done_fn *done,
                                  void *arg)
{
    struct mr_http_call *call = mr_zalloc(sizeof(*call));
    struct mr_err err = {0};

    mr_list_init(&call->node);
    call->client = client;
    call->done = done;
    call->arg = arg;
    call->answer.retry_after_ms = -1;
    client->n_calls++;
    uv_update_time(client->loop); /* a busy turn must not cost this one its time */
    uv_timer_init(client->loop, &call->timer);
    call->timer.data = call;
    if (mr_http_wanted_init(&call->wanted, client, request, &err) == MR_OK) {
        uv_timer_start(&call->timer, on_timer, call->wanted.wait_ms, 0);
        mr_http_queue_enter(call);
    } else {
        mr_http_call_say(call, MR_HTTP_REFUSED, "%s", err.text);
        mr_http_call_finish_soon(call);
    }
    return call;
}

void mr_http_call_begin(struct mr_http_call *call)
{
    if (call->begun)
        return;
    call->begun = true;
    uv_update_time(call->client->loop);
    uv_timer_start(&call->timer, on_timer, call->wanted.timeout_ms, 0);
}

/* Who has no turn yet must not get one any more. */
void mr_http_cancel(struct mr_http_call *call)
{
    call->cancelled = true;
    if (call->peer && !call->handle) {
        explain_deadline(call);
        mr_http_queue_leave(call);
        call->over = true;
    }
    uv_timer_start(&call->timer, on_timer, 0, 0);
}

enum mr_code mr_http_client_new(uv_loop_t *loop, mr_http_getaddrinfo_fn *find,
                                struct mr_http_client **out, struct mr_err *err)
{
    struct mr_http_curl *curl;
    enum mr_code code = mr_http_curl_new(loop, on_transfer_done, &curl, err);

    if (code != MR_OK)
        return code;
    struct mr_http_client *client = mr_zalloc(sizeof(*client));
    client->loop = loop;
    client->curl = curl;
    client->resolver = mr_http_resolver_new(loop, find ? find : getaddrinfo);
    client->inbox = mr_http_inbox_new(loop, client);
    mr_http_queue_open(client);
    *out = client;
    return MR_OK;
}

void mr_http_client_close(struct mr_http_client *client)
{
    assert(client->n_calls == 0);
    mr_http_inbox_close(client->inbox);
    mr_http_resolver_close(client->resolver);
    mr_http_shapes_close(client);
    mr_http_curl_close(client->curl);
    mr_http_queue_close(client);
}

static enum mr_code open_shared(struct mr_host *host, void **out, struct mr_err *err)
{
    struct mr_http_client *client;
    enum mr_code code = mr_http_client_new(mr_host_loop(host), NULL, &client, err);

    if (code != MR_OK)
        return code;
    client->host = host;
    *out = client;
    return MR_OK;
}

static void close_shared(void *shared)
{
    mr_http_client_close(shared);
}

enum mr_code mr_http_client_get(struct mr_host *host, struct mr_http_client **out,
                                struct mr_err *err)
{
    void *shared;
    enum mr_code code =
        mr_host_share(host, "http_client", open_shared, close_shared, &shared, err);

    if (code == MR_OK)
        *out = shared;
    return code;
}
