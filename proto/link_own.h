/* What link.c (the life of a connection) and link_shake.c (its handshake) share; nobody else looks in here. */
#ifndef MR_PROTO_LINK_OWN_H
#define MR_PROTO_LINK_OWN_H

#include "proto/base/random.h"
#include "proto/base/str.h"
#include "proto/link.h"
#include "proto/owed.h"
#include "proto/redis_url.h"
#include "proto/wire.h"

enum link_state {
    LINK_IDLE,    /* not started yet */
    LINK_OPENING, /* resolving, connecting */
    LINK_SHAKING, /* AUTH and its like are not all answered */
    LINK_UP,      /* commands may go */
    LINK_LOST,    /* the wire is closed; owed replies are answered at the turn's end */
    LINK_WAITING, /* until the next attempt */
    LINK_STOPPING /* owed replies, then the handles, then the end */
};

struct mr_link {
    uv_loop_t *loop;
    struct mr_redis_url url; /* user and password of the options merged in */
    char *name;
    uint64_t connect_timeout_ms, reply_timeout_ms;
    bool want_client_id;
    struct mr_link_events events;

    enum link_state state;
    struct mr_wire *wire; /* in OPENING, SHAKING and UP only */
    redisReader *reader;
    bool reader_swollen; /* it held more than KEEP_BYTES */
    struct mr_owed_ring owed;
    struct mr_buf out; /* commands of this turn */
    struct mr_err why; /* of the last loss */
    long long client_id;
    uint64_t up_at_ms;    /* when the last handshake was answered */
    uint64_t quiet_at_ms; /* since then not a byte came while a reply is owed */
    bool last_look;       /* the watchdog has barked once */
    unsigned failures;    /* in a row; sets the wait */
    uint64_t losses;
    struct mr_random random;

    uv_timer_t timer; /* deadline of the attempt, wait for the next, watchdog: one at a time */
    /*
     * Active while something is to do at the turn's end. An idle handle and not a prepare one:
     * what is sent from somebody's prepare callback would else sleep through a poll.
     */
    uv_idle_t turn;
    int handles; /* timer, turn and wires not yet closed */
    void (*on_stopped)(void *arg);
    void *stopped_arg;
};

/* Sends the handshake; ends in mr_link_came_up, or in mr_link_lose with the reason. */
void mr_link_shake(struct mr_link *link);
void mr_link_came_up(struct mr_link *link);

/*
 * Every loss ends here. Nobody is told before the turn's end: the caller may stand inside a
 * reply's callback or in the middle of sending.
 */
void mr_link_lose(struct mr_link *link, enum mr_code code, const char *why);

#endif
