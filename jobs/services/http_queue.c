#include "jobs/services/http_curl.h"
#include "jobs/services/http_guard.h"
#include "jobs/services/http_own.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    ADDRESSES_MS = 30000, /* a name's addresses are used for so long */
    PEERS_MAX = 256       /* remembered; more only while there is something to do at each */
};

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

/* The first of those who wait leaves the queue with this answer. */
static void turn_away(struct mr_http_call *call)
{
    mr_list_remove(&call->node);
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
        mr_http_call_say(
            call, MR_HTTP_REFUSED,
            "%.200s is at an address that is neither public nor in http.allow: jobs may not "
            "call it",
            peer->origin);
        turn_away(call);
        return;
    }
    if (!mr_http_transfer_new(call, &peer->found, peer->alias, left_ms ? left_ms : 1)) {
        mr_http_call_say(call, mr_http_call_end(call), "libcurl gives no handle");
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

void mr_http_queue_enter(struct mr_http_call *call)
{
    call->peer = find_peer(call->client, &call->wanted.target);
    mr_list_push_back(&call->peer->waiting, &call->node);
    pump(call->peer);
}

void mr_http_queue_leave(struct mr_http_call *call)
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

void mr_http_queue_close(struct mr_http_client *client)
{
    mr_list_each_safe (node, &client->peers)
        free_peer(mr_list_entry(node, struct mr_http_peer, node));
}
