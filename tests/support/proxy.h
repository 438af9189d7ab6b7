/*
 * A bad network between a program and its Redis: a process of its own that forwards bytes between unix sockets and, when
 * told, holds, drops, cuts, and delivers late or twice what it held.
 *
 * Every call returns when its effect is in place. The proxy dies with the test.
 */
#ifndef MR_TESTS_PROXY_H
#define MR_TESTS_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mr_proxy {
    char socket[96];
    char url[128]; /* redis+unix://..., for the product */
    pid_t pid;
    int control;
};

enum mr_proxy_side { MR_TO_SERVER, MR_TO_CLIENT };

enum mr_proxy_trap {
    MR_TRAP_LOSE_REPLY, /* Redis does it; the client is cut before it hears of it */
    MR_TRAP_CUT_BEFORE, /* the client is cut, Redis never sees it */
    MR_TRAP_HOLD        /* this command and all behind it are held, as by mr_proxy_hold */
};

struct mr_proxy_state {
    unsigned connections; /* clients connected now */
    unsigned
        ghosts; /* connections whose client is gone, and whose bytes to Redis are still held */
    unsigned accepted;  /* in all */
    unsigned sprung;    /* traps that caught something */
    size_t held[2];     /* bytes, by side */
    uint64_t passed[2]; /* bytes, by side */
};

/* Listens at <dir>/proxy.sock and forwards to the socket at server. */
void mr_proxy_start(struct mr_proxy *proxy, const char *dir, const char *server);
void mr_proxy_stop(struct mr_proxy *proxy);

/*
 * From now on the faults below touch only connections that sent this text (up to 63 bytes: the name of CLIENT SETNAME,
 * "BLMOVE") among their first 4 KiB or send it from now on; NULL: all again. Set it while nothing is held.
 */
void mr_proxy_only(struct mr_proxy *proxy, const char *text);

/* Keeps what goes to this side; the connections stay open. */
void mr_proxy_hold(struct mr_proxy *proxy, enum mr_proxy_side side);
/* Throws away what goes to this side. */
void mr_proxy_drop(struct mr_proxy *proxy, enum mr_proxy_side side);
/* Ends holding and dropping: what was held goes out first. */
void mr_proxy_pass(struct mr_proxy *proxy, enum mr_proxy_side side);

/*
 * Cuts the clients off now. Bytes held on the way to Redis stay behind as a ghost: Redis still
 * sees that connection, and mr_proxy_deliver sends them when the client has long reconnected.
 */
void mr_proxy_cut(struct mr_proxy *proxy);
/* Cuts the first connection, of those there are and those to come, over which n more bytes went to this side. */
void mr_proxy_cut_after(struct mr_proxy *proxy, enum mr_proxy_side side, size_t n);
/* Sends what ghosts hold, so many times, and returns when Redis has closed them: it has run every command then. */
void mr_proxy_deliver(struct mr_proxy *proxy, unsigned times);
/* True: new clients are hung up on. */
void mr_proxy_refuse(struct mr_proxy *proxy, bool refuse);

/*
 * Waits for the next command to Redis whose bytes hold this text (up to 63 bytes), does what the trap says, and is gone. The text must
 * arrive in one piece: fine for the words of a command, not for the depth of a large payload.
 */
void mr_proxy_trap(struct mr_proxy *proxy, enum mr_proxy_trap trap, const char *text);
void mr_proxy_look(struct mr_proxy *proxy, struct mr_proxy_state *out);
bool mr_proxy_sprung(struct mr_proxy *proxy); /* a trap has caught something */

#endif
