#include "jobs/services/http_curl.h"
#include "jobs/services/http_guard.h"
#include "jobs/services/http_own.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    NS_PER_MS = 1000000,
    ADDRESSES_MS = 30000, /* a name's addresses are used for so long */
    PEERS_MAX = 256       /* remembered; more only while there is something to do at each */
};

/* ---- peers ---- */

/* What it has done lately is worth nothing any more once its bucket is full and its circuit would let one in. */
static bool is_idle(const struct mr_http_peer *peer)
{
    return peer->n_active == 0 && !peer->looking_up && mr_list_empty(&peer->waiting) &&
           peer->bucket.full_at_ns <= uv_hrtime() &&
           (peer->circuit.state == MR_CIRCUIT_CLOSED ||
            peer->circuit.until_at_ms <= uv_now(peer->client->loop));
}

static void free_peer(struct mr_http_peer *peer)
{
    mr_http_circuit_forget(peer);
    peer->client->n_peers--;
    mr_list_remove(&peer->node);
    free(peer->origin);
    free(peer->host);
    free(peer);
}

static void forget_idle(struct mr_http_client *client)
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
        forget_idle(client);
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

static void step_out(struct mr_http_call *call)
{
    mr_list_remove(&call->node);
    call->peer->n_waiting--;
}

/* The first of those who wait leaves the queue with this answer. */
static void turn_away(struct mr_http_call *call)
{
    step_out(call);
    call->peer = NULL;
    mr_http_call_finish_soon(call);
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

        mr_http_call_say(call, mr_http_call_end(call), "no address of %.200s: %s", peer->host,
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

static void on_turns(uv_timer_t *timer)
{
    struct mr_http_client *client = timer->data;

    mr_list_each_safe (node, &client->peers)
        pump(mr_list_entry(node, struct mr_http_peer, node));
}

/* One timer for all peers: the earliest token wakes it, and it looks at each. */
static void wake_in(struct mr_http_client *client, uint64_t wait_ns)
{
    uint64_t wait_ms = (wait_ns + NS_PER_MS - 1) / NS_PER_MS;

    if (!uv_is_active((uv_handle_t *)&client->turns) ||
        uv_timer_get_due_in(&client->turns) > wait_ms)
        uv_timer_start(&client->turns, on_turns, wait_ms, 0);
}

/*
 * Behind all those who wait already its token would come after more than it can wait. The moment it is told is the first that
 * nobody was told before: those who are sent away come back as far apart as they may be served.
 */
static bool would_wait_too_long(struct mr_http_call *call, struct mr_http_peer *peer)
{
    const struct mr_rate *rate = &call->wanted.limits.rate;
    uint64_t now_ns = uv_hrtime(), step_ns = mr_rate_step_ns(rate);
    uint64_t wait_ns = mr_bucket_wait_ns(&peer->bucket, rate, peer->n_waiting, now_ns);
    char text[48];

    if (wait_ns <= uv_timer_get_due_in(&call->timer) * NS_PER_MS)
        return false;
    if (peer->promised_ns < now_ns + wait_ns)
        peer->promised_ns = now_ns + wait_ns;
    mr_rate_print(rate, text);
    mr_http_call_say(call, MR_HTTP_HELD, "%.200s is asked %s and no more: its turn comes later",
                     peer->origin, text);
    mr_http_call_hold(call, (peer->promised_ns - now_ns) / NS_PER_MS);
    peer->promised_ns += step_ns;
    return true;
}

/* Every address of the name must be one that may be called: which of them curl takes is up to it. */
static bool may_call(const struct mr_http_call *call, const struct mr_http_addresses *found)
{
    const struct mr_http_shape *s = call->wanted.shape;

    for (unsigned i = 0; s->from_payload && i < found->n; i++)
        if (!mr_http_may_call((const struct sockaddr *)&found->at[i],
                              (const char *const *)s->allow))
            return false;
    return true;
}

static void begin(struct mr_http_call *call)
{
    struct mr_http_peer *peer = call->peer;

    if (!may_call(call, &peer->found)) {
        mr_http_call_say(
            call, mr_http_call_refusal(call),
            "%.200s is at an address that is neither public nor in http.allow: jobs may not "
            "call it",
            peer->origin);
        turn_away(call);
        return;
    }
    mr_http_call_begin(call);
    uint64_t left_ms = uv_timer_get_due_in(&call->timer);
    if (!mr_http_transfer_open(call, &peer->found, peer->alias, left_ms ? left_ms : 1)) {
        mr_http_call_say(call, mr_http_call_end(call), "libcurl gives no handle");
        turn_away(call);
        return;
    }
    mr_http_circuit_begin(call);
    mr_bucket_take(&peer->bucket, &call->wanted.limits.rate, uv_hrtime());
    step_out(call);
    peer->n_active++;
    mr_http_curl_add(peer->client->curl, call->handle->easy);
}

/* Whether the first of those who wait is done with waiting: it has begun, or was turned away. */
static bool serve_first(struct mr_http_peer *peer)
{
    struct mr_http_call *call = mr_list_entry(peer->waiting.next, struct mr_http_call, node);
    const struct mr_http_limits *limits = &call->wanted.limits;
    enum mr_circuit_gate gate =
        mr_circuit_gate(&peer->circuit, &limits->circuit, uv_now(peer->client->loop));

    if (gate == MR_CIRCUIT_SHUT) {
        mr_http_circuit_hold(call, peer);
        turn_away(call);
        return true;
    }
    if (gate == MR_CIRCUIT_WAIT || peer->n_active >= call->wanted.peer_max ||
        !has_addresses(peer))
        return false;
    uint64_t wait_ns = mr_bucket_wait_ns(&peer->bucket, &limits->rate, 0, uv_hrtime());
    if (wait_ns > 0) {
        wake_in(peer->client, wait_ns);
        return false;
    }
    begin(call);
    return true;
}

/* Those who wait begin, in order, while there is room. Answers nobody from inside. */
static void pump(struct mr_http_peer *peer)
{
    while (!mr_list_empty(&peer->waiting) && serve_first(peer))
        ;
}

void mr_http_queue_enter(struct mr_http_call *call)
{
    struct mr_http_peer *peer = find_peer(call->client, &call->wanted.shape->target);

    if (would_wait_too_long(call, peer)) {
        mr_http_call_finish_soon(call);
        return;
    }
    call->peer = peer;
    mr_list_push_back(&peer->waiting, &call->node);
    peer->n_waiting++;
    pump(peer);
}

void mr_http_queue_leave(struct mr_http_call *call)
{
    struct mr_http_peer *peer = call->peer;

    if (call->handle) {
        mr_http_circuit_end(call);
        mr_http_curl_remove(call->client->curl, call->handle->easy);
        mr_http_transfer_close(call);
        peer->n_active--;
    } else {
        step_out(call);
    }
    call->peer = NULL;
    pump(peer);
}

/* ---- life ---- */

void mr_http_queue_open(struct mr_http_client *client)
{
    mr_list_init(&client->peers);
    mr_list_init(&client->shapes);
    uv_timer_init(client->loop, &client->turns);
    client->turns.data = client;
}

static void on_turns_closed(uv_handle_t *timer)
{
    free(timer->data);
}

void mr_http_queue_close(struct mr_http_client *client)
{
    mr_list_each_safe (node, &client->peers)
        free_peer(mr_list_entry(node, struct mr_http_peer, node));
    uv_close((uv_handle_t *)&client->turns, on_turns_closed);
}
