#include "tests/support/proxy.h"

#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_PAIRS = 128, READ_BYTES = 65536, TEXT = 64, HEAD = 4096, GHOST_WAIT_MS = 5000 };

enum mode { PASS, HOLD, DROP };
enum what { ONLY, MODE, CUT, CUT_AFTER, DELIVER, REFUSE, TRAP, LOOK };

/* What the test asks for; the answer is always the state. */
struct order {
    enum what what;
    int number; /* a side, a trap, a count */
    enum mode mode;
    size_t bytes;
    char text[TEXT];
};

/* A client and its connection to Redis. */
struct pair {
    int client, server;       /* -1: closed */
    bool ghost;               /* the client is gone, and Redis' side waits for what is held */
    struct mr_buf waiting[2]; /* by side: read, not yet written */
    size_t left[2];           /* by side: bytes until the cut; SIZE_MAX: no cut */
    bool concerned;           /* it has sent the text of mr_proxy_only */
    bool held;                /* a trap holds what goes to Redis */
    bool lose_reply;          /* cut the client when the next reply comes */
    struct mr_buf head;       /* what the client sent first: its name stands there */
};

struct proxy {
    int listener, control;
    char server[108];
    struct pair pairs[MAX_PAIRS];
    enum mode modes[2];
    size_t left[2]; /* for pairs to come */
    bool refuse;
    char only[TEXT];
    char trap_text[TEXT]; /* "": none is set */
    enum mr_proxy_trap trap;
    struct mr_proxy_state state;
};

static bool in_use(const struct pair *pair)
{
    return pair->client >= 0 || pair->server >= 0;
}

static enum mode mode_of(const struct proxy *p, const struct pair *pair, int side)
{
    if (side == MR_TO_SERVER && (pair->held || pair->ghost))
        return HOLD;
    return pair->concerned || !p->only[0] ? p->modes[side] : PASS;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void end_pair(struct pair *pair)
{
    close_fd(&pair->client);
    close_fd(&pair->server);
    mr_buf_fini(&pair->waiting[0]);
    mr_buf_fini(&pair->waiting[1]);
    mr_buf_fini(&pair->head);
    pair->ghost = pair->held = pair->lose_reply = false;
}

/* Redis still runs what it was sent; with bytes held back, its side stays open as a ghost. */
static void lose_client(const struct proxy *p, struct pair *pair)
{
    close_fd(&pair->client);
    mr_buf_clear(&pair->waiting[MR_TO_CLIENT]);
    pair->ghost = pair->server >= 0 && mode_of(p, pair, MR_TO_SERVER) == HOLD &&
                  pair->waiting[MR_TO_SERVER].len;
    if (pair->server >= 0 && !pair->ghost)
        shutdown(pair->server, SHUT_WR);
}

static void set_cut_after(struct proxy *p, int side, size_t n)
{
    p->left[side] = n;
    for (struct pair *pair = p->pairs; pair < p->pairs + MAX_PAIRS; pair++)
        pair->left[side] = n;
}

/* Writes what may go; the rest waits for the socket. */
static void push(struct proxy *p, struct pair *pair, int side)
{
    struct mr_buf *waiting = &pair->waiting[side];
    int to = side == MR_TO_SERVER ? pair->server : pair->client;
    size_t may = waiting->len < pair->left[side] ? waiting->len : pair->left[side];

    if (to < 0 || mode_of(p, pair, side) == HOLD)
        return;
    if (mode_of(p, pair, side) == DROP) {
        mr_buf_clear(waiting);
        return;
    }
    ssize_t n = may ? send(to, waiting->at, may, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    if (n > 0) {
        memmove(waiting->at, waiting->at + n, waiting->len - (size_t)n);
        waiting->len -= (size_t)n;
        p->state.passed[side] += (uint64_t)n;
        if (pair->left[side] != SIZE_MAX)
            pair->left[side] -= (size_t)n;
    }
    if (pair->left[side] == 0) {
        set_cut_after(p, side, SIZE_MAX);
        mr_buf_clear(waiting);
        lose_client(p, pair);
    }
}

/* Where the command begins in which at points. */
static size_t command_start(const struct mr_buf *bytes, size_t at)
{
    while (at > 0 && !(bytes->at[at] == '*' && bytes->at[at - 1] == '\n'))
        at--;
    return at;
}

static void spring(struct proxy *p, struct pair *pair)
{
    struct mr_buf *waiting = &pair->waiting[MR_TO_SERVER];
    const char *at = memmem(waiting->at, waiting->len, p->trap_text, strlen(p->trap_text));
    size_t start = command_start(waiting, (size_t)(at - waiting->at));

    p->trap_text[0] = '\0';
    p->state.sprung++;
    if (p->trap == MR_TRAP_LOSE_REPLY) {
        pair->lose_reply = true;
        return;
    }

    /* What stands before the command goes its way. */
    ssize_t n = start ? send(pair->server, waiting->at, start, MSG_NOSIGNAL) : 0;
    if (n > 0) {
        memmove(waiting->at, waiting->at + n, waiting->len - (size_t)n);
        waiting->len -= (size_t)n;
    }
    if (p->trap == MR_TRAP_HOLD) {
        pair->held = true;
        return;
    }
    mr_buf_clear(waiting);
    lose_client(p, pair);
}

static bool holds(const char *bytes, size_t n, const char *text)
{
    return n && text[0] && memmem(bytes, n, text, strlen(text));
}

static void took_from_client(struct proxy *p, struct pair *pair, const char *bytes, size_t n)
{
    struct mr_buf *waiting = &pair->waiting[MR_TO_SERVER];

    if (pair->head.len < HEAD)
        mr_buf_add(&pair->head, bytes, n < HEAD ? n : HEAD);
    mr_buf_add(waiting, bytes, n);
    if (holds(bytes, n, p->only))
        pair->concerned = true;
    if ((pair->concerned || !p->only[0]) && holds(waiting->at, waiting->len, p->trap_text))
        spring(p, pair);
    push(p, pair, MR_TO_SERVER);
}

static void took_from_server(struct proxy *p, struct pair *pair, const char *bytes, size_t n)
{
    if (pair->lose_reply) {
        pair->lose_reply = false;
        lose_client(p, pair);
    }
    if (pair->client < 0)
        return;
    mr_buf_add(&pair->waiting[MR_TO_CLIENT], bytes, n);
    push(p, pair, MR_TO_CLIENT);
}

static void read_some(struct proxy *p, struct pair *pair, int side)
{
    char bytes[READ_BYTES];
    int from = side == MR_TO_SERVER ? pair->client : pair->server;
    ssize_t n = read(from, bytes, sizeof(bytes));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0 && side == MR_TO_SERVER)
        took_from_client(p, pair, bytes, (size_t)n);
    else if (n > 0)
        took_from_server(p, pair, bytes, (size_t)n);
    else if (side == MR_TO_SERVER)
        lose_client(p, pair);
    else
        end_pair(pair);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close_fd(&fd);
    return -1;
}

static void take_client(struct proxy *p)
{
    int client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
    int server = p->refuse ? -1 : connect_to(p->server);
    struct pair *pair = p->pairs;

    while (pair < p->pairs + MAX_PAIRS && in_use(pair))
        pair++;
    if (client < 0 || server < 0 || pair == p->pairs + MAX_PAIRS) {
        close_fd(&client);
        close_fd(&server);
        return;
    }
    *pair = (struct pair){.client = client, .server = server};
    memcpy(pair->left, p->left, sizeof(pair->left));
    p->state.accepted++;
}

/* Sends a ghost's bytes, and waits until Redis has run them and hung up. */
static void deliver(struct pair *pair, int times)
{
    struct mr_buf *waiting = &pair->waiting[MR_TO_SERVER];
    char bytes[READ_BYTES];

    for (int i = 0; i < times; i++)
        for (size_t done = 0; done < waiting->len;) {
            ssize_t n =
                send(pair->server, waiting->at + done, waiting->len - done, MSG_NOSIGNAL);

            if (n <= 0)
                break;
            done += (size_t)n;
        }
    shutdown(pair->server, SHUT_WR);
    struct pollfd end = {.fd = pair->server, .events = POLLIN};
    while (poll(&end, 1, GHOST_WAIT_MS) > 0 && read(pair->server, bytes, sizeof(bytes)) > 0)
        ;
    end_pair(pair);
}

static void cut(struct proxy *p)
{
    for (struct pair *pair = p->pairs; pair < p->pairs + MAX_PAIRS; pair++)
        if (pair->client >= 0 && (pair->concerned || !p->only[0]))
            lose_client(p, pair);
}

static void set_mode(struct proxy *p, int side, enum mode mode)
{
    p->modes[side] = mode;
    for (struct pair *pair = p->pairs; pair < p->pairs + MAX_PAIRS; pair++) {
        if (!in_use(pair) || pair->ghost)
            continue;
        if (side == MR_TO_SERVER && mode == PASS)
            pair->held = false;
        push(p, pair, side);
    }
}

static void choose(struct proxy *p, const char *text)
{
    snprintf(p->only, sizeof(p->only), "%s", text);
    for (struct pair *pair = p->pairs; pair < p->pairs + MAX_PAIRS; pair++)
        pair->concerned = in_use(pair) && holds(pair->head.at, pair->head.len, text);
}

static void obey(struct proxy *p, const struct order *order)
{
    switch (order->what) {
    case ONLY:
        choose(p, order->text);
        break;
    case MODE:
        set_mode(p, order->number, order->mode);
        break;
    case CUT:
        cut(p);
        break;
    case CUT_AFTER:
        set_cut_after(p, order->number, order->bytes);
        break;
    case DELIVER:
        for (struct pair *pair = p->pairs; pair < p->pairs + MAX_PAIRS; pair++)
            if (pair->ghost)
                deliver(pair, order->number);
        break;
    case REFUSE:
        p->refuse = order->number != 0;
        break;
    case TRAP:
        p->trap = (enum mr_proxy_trap)order->number;
        memcpy(p->trap_text, order->text, sizeof(p->trap_text));
        break;
    case LOOK:
        break;
    }
}

static void answer(struct proxy *p)
{
    struct mr_proxy_state *state = &p->state;

    state->connections = state->ghosts = 0;
    state->held[0] = state->held[1] = 0;
    for (struct pair *pair = p->pairs; pair < p->pairs + MAX_PAIRS; pair++) {
        if (!in_use(pair))
            continue;
        state->connections += pair->client >= 0;
        state->ghosts += pair->ghost;
        state->held[0] += pair->waiting[0].len;
        state->held[1] += pair->waiting[1].len;
    }
    if (send(p->control, state, sizeof(*state), MSG_NOSIGNAL) < 0)
        _exit(0);
}

static void turn(struct proxy *p)
{
    struct pollfd fds[2 + 2 * MAX_PAIRS];
    struct order order;

    fds[0] = (struct pollfd){.fd = p->control, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = p->listener, .events = POLLIN};
    for (int i = 0; i < MAX_PAIRS; i++) {
        struct pair *pair = &p->pairs[i];
        bool to_client =
            pair->waiting[MR_TO_CLIENT].len && mode_of(p, pair, MR_TO_CLIENT) == PASS;
        bool to_server =
            pair->waiting[MR_TO_SERVER].len && mode_of(p, pair, MR_TO_SERVER) == PASS;

        fds[2 + 2 * i] = (struct pollfd){.fd = pair->client,
                                         .events = (short)(POLLIN | (to_client ? POLLOUT : 0))};
        fds[3 + 2 * i] = (struct pollfd){.fd = pair->server,
                                         .events = (short)(POLLIN | (to_server ? POLLOUT : 0))};
    }
    if (poll(fds, MR_COUNT(fds), -1) <= 0)
        return;

    for (int i = 0; i < MAX_PAIRS; i++) {
        struct pair *pair = &p->pairs[i];
        short client = fds[2 + 2 * i].revents, server = fds[3 + 2 * i].revents;

        if (client & POLLOUT)
            push(p, pair, MR_TO_CLIENT);
        if (server & POLLOUT)
            push(p, pair, MR_TO_SERVER);
        if (pair->client >= 0 && (client & (POLLIN | POLLHUP | POLLERR)))
            read_some(p, pair, MR_TO_SERVER);
        if (pair->server >= 0 && (server & (POLLIN | POLLHUP | POLLERR)))
            read_some(p, pair, MR_TO_CLIENT);
    }
    if (fds[1].revents)
        take_client(p);
    if (fds[0].revents) {
        if (recv(p->control, &order, sizeof(order), 0) != sizeof(order))
            _exit(0); /* the test is over */
        obey(p, &order);
        answer(p);
    }
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    unlink(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 128), 0);
    return fd;
}

static _Noreturn void run(int listener, int control, const char *server)
{
    struct proxy *p = mr_zalloc(sizeof(*p));

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    p->listener = listener;
    p->control = control;
    p->left[0] = p->left[1] = SIZE_MAX;
    snprintf(p->server, sizeof(p->server), "%s", server);
    for (int i = 0; i < MAX_PAIRS; i++)
        p->pairs[i].client = p->pairs[i].server = -1;
    for (;;)
        turn(p);
}

void mr_proxy_start(struct mr_proxy *proxy, const char *dir, const char *server)
{
    int control[2];

    memset(proxy, 0, sizeof(*proxy));
    ck_assert_int_lt(snprintf(proxy->socket, sizeof(proxy->socket), "%s/proxy.sock", dir),
                     (int)sizeof(proxy->socket));
    snprintf(proxy->url, sizeof(proxy->url), "redis+unix://%s", proxy->socket);
    int listener = listen_at(proxy->socket);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
    proxy->pid = fork();
    ck_assert_int_ge(proxy->pid, 0);
    if (proxy->pid == 0) {
        close(control[0]);
        run(listener, control[1], server);
    }
    close(listener);
    close(control[1]);
    proxy->control = control[0];
}

void mr_proxy_stop(struct mr_proxy *proxy)
{
    close(proxy->control);
    kill(proxy->pid, SIGKILL);
    while (waitpid(proxy->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    unlink(proxy->socket);
}

static struct mr_proxy_state tell(struct mr_proxy *proxy, struct order order, const char *text)
{
    struct mr_proxy_state state;

    ck_assert_uint_lt(strlen(text), sizeof(order.text));
    snprintf(order.text, sizeof(order.text), "%s", text);
    ck_assert_int_eq(send(proxy->control, &order, sizeof(order), MSG_NOSIGNAL), sizeof(order));
    ck_assert_int_eq(recv(proxy->control, &state, sizeof(state), 0), sizeof(state));
    return state;
}

void mr_proxy_only(struct mr_proxy *proxy, const char *text)
{
    tell(proxy, (struct order){.what = ONLY}, text ? text : "");
}

void mr_proxy_hold(struct mr_proxy *proxy, enum mr_proxy_side side)
{
    tell(proxy, (struct order){.what = MODE, .number = (int)side, .mode = HOLD}, "");
}

void mr_proxy_drop(struct mr_proxy *proxy, enum mr_proxy_side side)
{
    tell(proxy, (struct order){.what = MODE, .number = (int)side, .mode = DROP}, "");
}

void mr_proxy_pass(struct mr_proxy *proxy, enum mr_proxy_side side)
{
    tell(proxy, (struct order){.what = MODE, .number = (int)side, .mode = PASS}, "");
}

void mr_proxy_cut(struct mr_proxy *proxy)
{
    tell(proxy, (struct order){.what = CUT}, "");
}

void mr_proxy_cut_after(struct mr_proxy *proxy, enum mr_proxy_side side, size_t n)
{
    tell(proxy, (struct order){.what = CUT_AFTER, .number = (int)side, .bytes = n}, "");
}

void mr_proxy_deliver(struct mr_proxy *proxy, unsigned times)
{
    tell(proxy, (struct order){.what = DELIVER, .number = (int)times}, "");
}

void mr_proxy_refuse(struct mr_proxy *proxy, bool refuse)
{
    tell(proxy, (struct order){.what = REFUSE, .number = refuse}, "");
}

void mr_proxy_trap(struct mr_proxy *proxy, enum mr_proxy_trap trap, const char *text)
{
    tell(proxy, (struct order){.what = TRAP, .number = (int)trap}, text);
}

void mr_proxy_look(struct mr_proxy *proxy, struct mr_proxy_state *out)
{
    *out = tell(proxy, (struct order){.what = LOOK}, "");
}

bool mr_proxy_sprung(struct mr_proxy *proxy)
{
    return tell(proxy, (struct order){.what = LOOK}, "").sprung > 0;
}
