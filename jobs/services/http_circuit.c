/* The circuits of the peers: what an answer says of its peer, and who is told when one opens or closes. */
#include "jobs/services/http_own.h"
#include "proto/base/duration.h"
#include "worker/handler.h"

#include <stdio.h>

enum { WARN = 1, INFO = 2 };

/* A 5xx is said by a peer that is broken, or by what stands before one that is away. */
static enum mr_circuit_result result_of(const struct mr_http_call *call)
{
    const struct mr_http_answer *answer = &call->answer;

    if (answer->end == MR_HTTP_ANSWERED)
        return answer->status >= 500 ? MR_CIRCUIT_BAD : MR_CIRCUIT_GOOD;
    return call->cancelled ? MR_CIRCUIT_NOTHING : MR_CIRCUIT_BAD;
}

/* Adds to the counter "<section>_circuit_<what>". */
static void count(const struct mr_http_call *call, const char *what)
{
    char name[64];

    snprintf(name, sizeof(name), "%.30s_circuit_%s", call->wanted.limits.name, what);
    mr_host_counter(call->client->host, name, 1);
}

/* The gauge "<section>_circuits_open": of the section that has opened it, whoever closes it. */
static void gauge(const struct mr_http_peer *peer, int64_t n)
{
    char name[64];

    snprintf(name, sizeof(name), "%.30s_circuits_open", peer->opened_by);
    mr_host_gauge(peer->client->host, name, n);
}

static void tell_open(const struct mr_http_call *call, const struct mr_http_peer *peer)
{
    const struct mr_http_limits *limits = &call->wanted.limits;
    bool by_share = peer->circuit.by_share;
    char span[32];

    mr_duration_print(limits->circuit.open_ms, span);
    mr_host_log(call->client->host, WARN, "http.circuit_opened",
                "section=%s peer=%s why=%s open_for=%s last=%s", limits->name, peer->origin,
                by_share ? "share" : "failures", span,
                call->answer.end == MR_HTTP_ANSWERED ? "5xx" : call->answer.trouble);
}

static void tell(const struct mr_http_call *call, struct mr_http_peer *peer)
{
    if (!call->client->host || !call->wanted.limits.name)
        return;
    if (peer->circuit.state == MR_CIRCUIT_OPEN) {
        peer->opened_by = call->wanted.limits.name;
        gauge(peer, 1);
        count(call, "opened");
        tell_open(call, peer);
    } else {
        mr_http_circuit_forget(peer);
        count(call, "closed");
        mr_host_log(call->client->host, INFO, "http.circuit_closed", "section=%s peer=%s",
                    call->wanted.limits.name, peer->origin);
    }
}

void mr_http_circuit_forget(struct mr_http_peer *peer)
{
    if (peer->opened_by)
        gauge(peer, -1);
    peer->opened_by = NULL;
}

void mr_http_circuit_begin(struct mr_http_call *call)
{
    call->probe = mr_circuit_begin(&call->peer->circuit, &call->wanted.limits.circuit);
}

void mr_http_circuit_end(struct mr_http_call *call)
{
    struct mr_http_peer *peer = call->peer;

    if (mr_circuit_end(&peer->circuit, &call->wanted.limits.circuit, call->probe,
                       result_of(call), uv_now(call->client->loop)))
        tell(call, peer);
    call->probe = false;
}

void mr_http_circuit_hold(struct mr_http_call *call, const struct mr_http_peer *peer)
{
    uint64_t now_ms = uv_now(call->client->loop), until_ms = peer->circuit.until_at_ms;
    uint64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    char span[32];

    mr_duration_print((left_ms + 999) / 1000 * 1000, span);
    mr_http_call_say(call, MR_HTTP_HELD,
                     "%.200s has failed again and again, and is left alone for another %s",
                     peer->origin, span);
    mr_http_call_hold(call, left_ms);
}
