#include "proto/wire.h"

#include "proto/base/mem.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    READ_BYTES = 64 * 1024,
    KEEP_BYTES = 1024 * 1024, /* a write buffer that grew beyond this is given back */
    KEEPALIVE_S = 15
};

struct mr_wire {
    struct mr_wire_target target;
    struct mr_wire_events events;
    uv_loop_t *loop;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } io;
    bool io_there; /* from its init to its close callback */
    bool closed;   /* by the owner: no event from here on */
    bool resolving, writing;
    int holders; /* the owner, the look-up, io; the last to let go frees */
    uv_getaddrinfo_t lookup;
    uv_connect_t connecting;
    uv_write_t sending;
    struct addrinfo *addresses, *next; /* what the look-up gave; the one to try next */
    struct mr_buf outgoing;            /* what sending points at */
    void (*on_closed)(void *arg);
    void *closed_arg;
    char in[READ_BYTES];
};

static void let_go(struct mr_wire *wire)
{
    if (--wire->holders > 0)
        return;
    void (*on_closed)(void *arg) = wire->on_closed;
    void *arg = wire->closed_arg;

    if (wire->addresses)
        uv_freeaddrinfo(wire->addresses);
    mr_buf_fini(&wire->outgoing);
    free(wire);
    if (on_closed)
        on_closed(arg);
}

/* The owner may close, and so free, the wire inside: nothing may be touched afterwards unless a holder is left. */
static void lost(struct mr_wire *wire, const char *what, int uv_code)
{
    char why[512];

    if (wire->closed)
        return;
    snprintf(why, sizeof(why), "%s%s%s", what, uv_code ? ": " : "",
             uv_code ? uv_strerror(uv_code) : "");
    wire->events.on_lost(wire->events.arg, why);
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    struct mr_wire *wire = handle->data;

    (void)wanted;
    out->base = wire->in;
    out->len = sizeof(wire->in);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct mr_wire *wire = stream->data;

    if (wire->closed || n == 0)
        return;
    if (n > 0)
        wire->events.on_bytes(wire->events.arg, bytes->base, (size_t)n);
    else if (n == UV_EOF)
        lost(wire, "the server closed the connection", 0);
    else
        lost(wire, "reading failed", (int)n);
}

static void tune_tcp(struct mr_wire *wire)
{
    unsigned user_timeout_ms = (unsigned)wire->target.user_timeout_ms;
    uv_os_fd_t fd = -1;

    /* Each is a wish: a connection that cannot have it still works. */
    uv_tcp_nodelay(&wire->io.tcp, 1);
    uv_tcp_keepalive(&wire->io.tcp, 1, KEEPALIVE_S);
    if (user_timeout_ms && uv_fileno(&wire->io.handle, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms,
                         sizeof(user_timeout_ms));
}

static void try_next_address(struct mr_wire *wire);

/* A socket that failed to connect is gone: the next address gets a fresh one. */
static void on_io_closed(uv_handle_t *handle)
{
    struct mr_wire *wire = handle->data;

    wire->io_there = false;
    if (!wire->closed && wire->next)
        try_next_address(wire);
    let_go(wire);
}

static void connect_failed(struct mr_wire *wire, int uv_code)
{
    if (wire->next)
        uv_close(&wire->io.handle, on_io_closed);
    else
        lost(wire, "cannot connect", uv_code);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct mr_wire *wire = request->data;

    if (wire->closed)
        return;
    if (status == 0)
        status = uv_read_start(&wire->io.stream, on_alloc, on_read);
    if (status != 0) {
        connect_failed(wire, status);
        return;
    }
    if (!wire->target.path)
        tune_tcp(wire);
    wire->events.on_open(wire->events.arg);
}

static void take_io(struct mr_wire *wire)
{
    wire->io.handle.data = wire;
    wire->connecting.data = wire;
    wire->io_there = true;
    wire->holders++;
}

static void try_next_address(struct mr_wire *wire)
{
    const struct addrinfo *address = wire->next;

    wire->next = address->ai_next;
    uv_tcp_init(wire->loop, &wire->io.tcp);
    take_io(wire);
    int failed =
        uv_tcp_connect(&wire->connecting, &wire->io.tcp, address->ai_addr, on_connected);
    if (failed)
        connect_failed(wire, failed);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct mr_wire *wire = request->data;
    char what[300];

    wire->resolving = false;
    wire->addresses = wire->next = addresses;
    if (!wire->closed) {
        if (status == 0 && addresses) {
            try_next_address(wire);
        } else {
            snprintf(what, sizeof(what), "cannot resolve %s", wire->target.host);
            lost(wire, what, status);
        }
    }
    let_go(wire);
}

static void resolve(struct mr_wire *wire)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    wire->lookup.data = wire;
    wire->resolving = true;
    wire->holders++;
    int failed = uv_getaddrinfo(wire->loop, &wire->lookup, on_resolved, wire->target.host,
                                wire->target.port, &hints);
    if (failed)
        on_resolved(&wire->lookup, failed, NULL);
}

struct mr_wire *mr_wire_new(uv_loop_t *loop, const struct mr_wire_target *target,
                            const struct mr_wire_events *events)
{
    struct mr_wire *wire = mr_zalloc(sizeof(*wire));

    wire->target = *target;
    wire->events = *events;
    wire->loop = loop;
    wire->holders = 1;
    return wire;
}

void mr_wire_open(struct mr_wire *wire)
{
    if (!wire->target.path) {
        resolve(wire);
        return;
    }
    uv_pipe_init(wire->loop, &wire->io.pipe, 0);
    take_io(wire);
    uv_pipe_connect(&wire->connecting, &wire->io.pipe, wire->target.path, on_connected);
}

static void on_written(uv_write_t *request, int status)
{
    struct mr_wire *wire = request->data;

    /* A server that hung up may have said why: that is still to be read, and then the end. */
    if (wire->closed || status == UV_EPIPE)
        return;
    wire->writing = false;
    if (status != 0) {
        lost(wire, "writing failed", status);
        return;
    }
    mr_buf_clear(&wire->outgoing);
    if (wire->outgoing.room > KEEP_BYTES)
        mr_buf_fini(&wire->outgoing);
    wire->events.on_drained(wire->events.arg);
}

bool mr_wire_write(struct mr_wire *wire, struct mr_buf *bytes)
{
    if (wire->writing)
        return false;
    uv_buf_t part = {.base = bytes->at, .len = bytes->len};
    int sent = uv_try_write(&wire->io.stream, &part, 1);

    if (sent >= 0 && (size_t)sent == bytes->len) {
        mr_buf_clear(bytes);
        if (bytes->room > KEEP_BYTES)
            mr_buf_fini(bytes);
        return true;
    }

    /* The rest waits for the peer. An error is met again by uv_write, which reports it from the loop. */
    size_t done = sent > 0 ? (size_t)sent : 0;
    struct mr_buf spare = wire->outgoing;

    wire->outgoing = *bytes;
    *bytes = spare;
    part.base = wire->outgoing.at + done;
    part.len = wire->outgoing.len - done;
    wire->sending.data = wire;
    wire->writing = true;
    int failed = uv_write(&wire->sending, &wire->io.stream, &part, 1, on_written);
    if (failed)
        lost(wire, "writing failed", failed);
    return true;
}

void mr_wire_close(struct mr_wire *wire, void (*on_closed)(void *arg), void *arg)
{
    wire->closed = true;
    wire->on_closed = on_closed;
    wire->closed_arg = arg;
    if (wire->resolving)
        uv_cancel((uv_req_t *)&wire->lookup);
    if (wire->io_there && !uv_is_closing(&wire->io.handle))
        uv_close(&wire->io.handle, on_io_closed);
    let_go(wire);
}
