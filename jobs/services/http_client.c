#include "jobs/services/http_client.h"

#include "jobs/services/http_curl.h"
#include "jobs/services/http_guard.h"
#include "jobs/services/http_own.h"
#include "proto/base/duration.h"
#include "worker/handler.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    ADDRESSES_MS = 30000, /* a name's addresses are used for so long */
    PEERS_MAX = 256       /* remembered; more only while there is something to do at each */
};

/* One scheme, host and port: who waits for a turn there, and how many have one. */
struct mr_http_peer {
    struct mr_list node;
    struct mr_http_client *client;
    char *origin, *host;
    struct mr_list waiting; /* calls, the first first */
    unsigned n_active;
    bool looking_up;
    uint64_t found_at_ms; /* when these were found; 0: never */
    struct mr_http_addresses found;
    char alias
        [64]; /* what this set of addresses is called towards curl: no other is ever called so */
};

struct mr_http_client {
    uv_loop_t *loop;
    struct mr_http_curl *curl;
    struct mr_http_resolver *resolver;
    struct mr_http_inbox *inbox;
    struct mr_list peers;
    unsigned n_peers, n_calls;
    uint64_t n_aliases;
};

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
    assert(!call->peer && !call->easy);
    call->client->n_calls--;
    uv_close((uv_handle_t *)&call->timer, on_timer_closed);
    call->done(call->arg, &call->answer);
}

static void say(struct mr_http_call *call, enum mr_http_end end, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(struct mr_http_call *call, enum mr_http_end end, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(call->answer.trouble, sizeof(call->answer.trouble), format, args);
    va_end(args);
    call->answer.end = end;
}

static enum mr_http_end end_without_answer(const struct mr_http_call *call)
{
    return call->sent ? MR_HTTP_UNKNOWN : MR_HTTP_NOT_SENT;
}

static void on_timer(uv_timer_t *timer);

/* What has been said is told in the loop's next turn: who calls us may be the caller himself. */
static void finish_soon(struct mr_http_call *call)
{
    call->over = true;
    uv_timer_start(&call->timer, on_timer, 0, 0);
}

/* ---- peers ---- */

static bool is_idle(const struct mr_http_peer *peer)
{
    return peer->n_active == 0 && !peer->looking_up && mr_list_empty(&peer->waiting);
}

static void free_peer(struct mr_http_peer *peer)
{
    peer->client->n_peers--;
    mr_list_remove(&peer->node);
    free(peer->origin);
    free(peer->host);
    free(peer);
}

static void forget_idle_peers(struct mr_http_client *client)
{
    mr_list_each_safe (node, &client->peers) {
        struct mr_http_peer *peer = mr_list_entry(node, struct mr_http_peer, node);

        if (is_idle(peer))
            free_peer(peer);
    }
}

static struct mr_http_peer *find_peer(struct mr_http_client *client,
                                      const struct mr_http_target *target)
{
    mr_list_each (node, &client->peers) {
        struct mr_http_peer *peer = mr_list_entry(node, struct mr_http_peer, node);

        if (strcasecmp(peer->origin, target->origin) == 0)
            return peer;
    }
    if (client->n_peers >= PEERS_MAX)
        forget_idle_peers(client);
    struct mr_http_peer *peer = mr_zalloc(sizeof(*peer));
    peer->client = client;
    peer->origin = mr_strdup(target->origin);
    peer->host = mr_strdup(target->host);
    mr_list_init(&peer->waiting);
    mr_list_push_front(&client->peers, &peer->node);
    client->n_peers++;
    return peer;
}

/* ---- a peer's addresses ---- */

static void pump(struct mr_http_peer *peer);

static void keep_addresses(struct mr_http_peer *peer, const struct mr_http_addresses *found)
{
    struct mr_http_client *client = peer->client;

    if (peer->found_at_ms == 0 || !mr_http_addresses_equal(&peer->found, found)) {
        peer->found = *found;
        snprintf(peer->alias, sizeof(peer->alias), "peer-%llu.millrace",
                 (unsigned long long)++client->n_aliases);
    }
    peer->found_at_ms = uv_now(client->loop);
}

/* The first of those who wait leaves the queue with this answer. */
static void turn_away(struct mr_http_call *call)
{
    mr_list_remove(&call->node);
    call->peer = NULL;
    finish_soon(call);
}

static void on_resolved(void *arg, int status, const struct mr_http_addresses *found)
{
    struct mr_http_peer *peer = arg;

    peer->looking_up = false;
    if (status == 0)
        keep_addresses(peer, found);
    while (status != 0 && !mr_list_empty(&peer->waiting)) {
        struct mr_http_call *call =
            mr_list_entry(peer->waiting.next, struct mr_http_call, node);

        say(call, end_without_answer(call), "no address of %.200s: %s", peer->host,
            gai_strerror(status));
        turn_away(call);
    }
    pump(peer);
}

/* Whether it has some that are not too old; if not, they are on their way. */
static bool has_addresses(struct mr_http_peer *peer)
{
    struct mr_http_client *client = peer->client;
    struct mr_http_addresses found;

    if (peer->found_at_ms > 0 && uv_now(client->loop) - peer->found_at_ms < ADDRESSES_MS)
        return true;
    if (peer->looking_up)
        return false;
    if (mr_http_resolve_numeric(peer->host, &found)) {
        keep_addresses(peer, &found);
        return true;
    }
    peer->looking_up = true;
    mr_http_resolve(client->resolver, peer->host, on_resolved, peer);
    return false;
}

/* ---- a call's turn ---- */

/* Every address of the name must be one that may be called: which of them curl takes is up to it. */
static bool may_call(const struct mr_http_call *call, const struct mr_http_addresses *found)
{
    const struct mr_http_wanted *w = &call->wanted;

    for (unsigned i = 0; w->from_payload && i < found->n; i++)
        if (!mr_http_may_call((const struct sockaddr *)&found->at[i],
                              (const char *const *)w->allow))
            return false;
    return true;
}

static void begin(struct mr_http_call *call)
{
    struct mr_http_peer *peer = call->peer;
    uint64_t left_ms = uv_timer_get_due_in(&call->timer);

    if (!may_call(call, &peer->found)) {
        say(call, MR_HTTP_REFUSED,
            "%.200s is at an address that is neither public nor in http.allow: jobs may not "
            "call it",
            peer->origin);
        turn_away(call);
        return;
    }
    if (!mr_http_transfer_new(call, &peer->found, peer->alias, left_ms ? left_ms : 1)) {
        say(call, end_without_answer(call), "libcurl gives no handle");
        turn_away(call);
        return;
    }
    mr_list_remove(&call->node);
    peer->n_active++;
    mr_http_curl_add(peer->client->curl, call->easy);
}

/* Those who wait begin, in order, while there is room. Answers nobody from inside. */
static void pump(struct mr_http_peer *peer)
{
    while (!mr_list_empty(&peer->waiting)) {
        struct mr_http_call *call =
            mr_list_entry(peer->waiting.next, struct mr_http_call, node);

        if (peer->n_active >= call->wanted.peer_max || !has_addresses(peer))
            return;
        begin(call);
    }
}

static void enter(struct mr_http_call *call)
{
    call->peer = find_peer(call->client, &call->wanted.target);
    mr_list_push_back(&call->peer->waiting, &call->node);
    pump(call->peer);
}

/* Out of the queue or out of curl; the next one may begin. */
static void leave(struct mr_http_call *call)
{
    struct mr_http_peer *peer = call->peer;

    if (call->easy) {
        mr_http_curl_remove(call->client->curl, call->easy);
        mr_http_transfer_free(call);
        peer->n_active--;
    }
    mr_list_remove(&call->node);
    call->peer = NULL;
    pump(peer);
}

/* ---- its end: an answer, a redirect, the deadline ---- */

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

    call->answer = (struct mr_http_answer){.retry_after_ms = -1};
    if (++call->n_redirects > call->wanted.redirects_max) {
        say(call, MR_HTTP_REFUSED, "%s redirects more than %u times",
            call->wanted.target.origin, call->wanted.redirects_max);
        finish(call);
    } else if (mr_http_wanted_redirect(&call->wanted, status, location, &err) != MR_OK) {
        say(call, MR_HTTP_REFUSED, "%s", err.text);
        finish(call);
    } else {
        enter(call);
    }
}

static void explain_deadline(struct mr_http_call *call)
{
    const char *origin = call->wanted.target.origin;
    const struct mr_http_peer *peer = call->peer;
    enum mr_http_end end = end_without_answer(call);
    char span[32];

    mr_duration_print(call->wanted.timeout_ms, span);
    if (call->cancelled)
        say(call, end, "cancelled before %.200s had answered", origin);
    else if (call->easy && call->n_attempts > 0)
        say(call, end, "no whole answer of %.200s within %s", origin, span);
    else if (call->easy)
        say(call, end, "no connection to %.200s within %s", origin, span);
    else if (peer->looking_up)
        say(call, end, "no address of %.200s within %s: the name server is silent", peer->host,
            span);
    else
        say(call, end, "no turn at %.200s within %s: %u requests are under way there", origin,
            span, peer->n_active);
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
    leave(call);
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
        leave(call);
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
    uv_timer_start(&call->timer, on_timer, request->timeout_ms, 0);
    if (mr_http_wanted_init(&call->wanted, request, &err) == MR_OK) {
        enter(call);
    } else {
        say(call, MR_HTTP_REFUSED, "%s", err.text);
        finish_soon(call);
    }
    return call;
}

void mr_http_cancel(struct mr_http_call *call)
{
    call->cancelled = true;
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
    mr_list_init(&client->peers);
    *out = client;
    return MR_OK;
}

void mr_http_client_close(struct mr_http_client *client)
{
    assert(client->n_calls == 0);
    mr_http_inbox_close(client->inbox);
    mr_http_resolver_close(client->resolver);
    mr_http_curl_close(client->curl);
    mr_list_each_safe (node, &client->peers)
        free_peer(mr_list_entry(node, struct mr_http_peer, node));
    free(client);
}

struct mr_http_inbox *mr_http_client_inbox(struct mr_http_client *client)
{
    return client->inbox;
}

static enum mr_code open_shared(struct mr_host *host, void **out, struct mr_err *err)
{
    struct mr_http_client *client;
    enum mr_code code = mr_http_client_new(mr_host_loop(host), NULL, &client, err);

    if (code == MR_OK)
        *out = client;
    return code;
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
