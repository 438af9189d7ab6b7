/* One byte stream to a server, TCP or unix socket, from the look-up of its name to its end. TLS would live in here. */
#ifndef MR_PROTO_WIRE_H
#define MR_PROTO_WIRE_H

#include "proto/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct mr_wire;

/* Borrowed until the wire is closed. Either path, or host and port. */
struct mr_wire_target {
    const char *path;
    const char *host, *port;
    uint64_t
        user_timeout_ms; /* TCP_USER_TIMEOUT: unacknowledged bytes end the connection; 0: the system's */
};

/* Each may call mr_wire_close; after that none is called any more. */
struct mr_wire_events {
    void (*on_open)(void *arg);
    void (*on_bytes)(void *arg, const char *bytes, size_t len); /* borrowed */
    void (*on_drained)(void *arg); /* what was written has left: mr_wire_write takes more */
    /* Once, and then nothing else; also from inside mr_wire_open and mr_wire_write. The owner still has to close. why is borrowed. */
    void (*on_lost)(void *arg, const char *why);
    void *arg;
};

struct mr_wire *mr_wire_new(uv_loop_t *loop, const struct mr_wire_target *target,
                            const struct mr_wire_events *events);
/* Resolves (never blocking), then tries one address after the other. */
void mr_wire_open(struct mr_wire *wire);
/*
 * Moves all bytes out of `bytes`, which is left empty, and sends them; errors come as on_lost.
 * False, with nothing moved, while an earlier write is under way: on_drained will follow.
 */
bool mr_wire_write(struct mr_wire *wire, struct mr_buf *bytes);
/* Ends and frees the wire; on_closed runs when the loop has let go of it, perhaps at once. */
void mr_wire_close(struct mr_wire *wire, void (*on_closed)(void *arg), void *arg);

#endif
