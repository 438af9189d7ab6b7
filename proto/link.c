#include "proto/link.h"

#include "proto/backoff.h"
#include "proto/base/mem.h"
#include "proto/link_own.h"
#include "proto/resp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    STABLE_MS = 1000, /* up for so long, a connection starts the waits anew when it is lost */
    LAST_LOOK_MS = 5, /* before a silent server is given up */
    KEEP_BYTES = 1 << 20 /* a parser that had to hold more is replaced by a fresh one */
};

/* Full jitter: a fleet that lost its Redis at one instant comes back spread out. */
static const struct mr_backoff between_attempts = {
    .base_ms = 50, .cap_ms = 2000, .jitter_pct = 100};

/* ---- the end of a turn ---- */

static void on_turn(uv_idle_t *turn);

static void at_turns_end(struct mr_link *link)
{
    uv_idle_start(&link->turn, on_turn);
}

static void write_out(struct mr_link *link)
{
    if (link->out.len && (link->state == LINK_UP || link->state == LINK_SHAKING))
        mr_wire_write(link->wire, &link->out);
}

/* ---- losing a connection ---- */

static void free_when_closed(struct mr_link *link)
{
    if (--link->handles > 0)
        return;
    void (*on_stopped)(void *arg) = link->on_stopped;
    void *arg = link->stopped_arg;

    if (link->reader)
        redisReaderFree(link->reader);
    mr_redis_url_fini(&link->url);
    mr_buf_fini(&link->out);
    mr_owed_fini(&link->owed);
    free(link->name);
    free(link);
    if (on_stopped)
        on_stopped(arg);
}

static void on_wire_closed(void *arg)
{
    free_when_closed(arg);
}

static void on_handle_closed(uv_handle_t *handle)
{
    free_when_closed(handle->data);
}

static void hang_up(struct mr_link *link)
{
    uv_timer_stop(&link->timer);
    mr_buf_fini(&link->out);
    link->client_id = 0;
    if (link->wire)
        mr_wire_close(link->wire, on_wire_closed, link);
    link->wire = NULL;
}

void mr_link_lose(struct mr_link *link, enum mr_code code, const char *why)
{
    if (link->state != LINK_OPENING && link->state != LINK_SHAKING && link->state != LINK_UP)
        return;
    if (link->state == LINK_UP) {
        link->losses++;
        if (uv_now(link->loop) - link->up_at_ms >= STABLE_MS)
            link->failures = 0;
    }
    mr_fail(&link->why, code, "redis at %s: %s", link->url.address, why);
    hang_up(link);
    link->state = LINK_LOST;
    at_turns_end(link);
}

static void on_timer(uv_timer_t *timer);

static void wait_for_next_attempt(struct mr_link *link)
{
    uint32_t wait_ms =
        mr_backoff_delay_ms(&between_attempts, ++link->failures, mr_random_u32(&link->random));

    link->state = LINK_WAITING;
    uv_timer_start(&link->timer, on_timer, wait_ms, 0);
}

static void answer_owed(struct mr_link *link)
{
    while (link->owed.n) {
        struct mr_owed owed = mr_owed_steal(&link->owed);

        if (owed.fn)
            owed.fn(owed.arg, NULL);
    }
}

static void on_turn(uv_idle_t *turn)
{
    struct mr_link *link = turn->data;

    uv_idle_stop(turn);
    if (link->state != LINK_LOST && link->state != LINK_STOPPING) {
        write_out(link);
        return;
    }

    /* A callback may stop the link: what it decides is looked at afterwards. */
    answer_owed(link);
    if (link->state == LINK_LOST) {
        wait_for_next_attempt(link);
        link->events.on_down(link->events.arg, &link->why);
    } else {
        uv_close((uv_handle_t *)&link->timer, on_handle_closed);
        uv_close((uv_handle_t *)&link->turn, on_handle_closed);
    }
}

/* ---- silence ---- */

static void watch(struct mr_link *link)
{
    if (link->reply_timeout_ms)
        uv_timer_start(&link->timer, on_timer, link->reply_timeout_ms, 0);
}

/*
 * The watchdog is never moved by traffic: it fires, looks how long it has been quiet, and sleeps
 * for what is missing. Nothing owed: it is not started again. Before it gives the server up it
 * looks at the socket once more, for it may be this process that was stopped.
 */
static void look_for_silence(struct mr_link *link)
{
    uint64_t quiet_ms = uv_now(link->loop) - link->quiet_at_ms;

    if (link->owed.n == 0)
        return;
    if (quiet_ms < link->reply_timeout_ms) {
        link->last_look = false;
        uv_timer_start(&link->timer, on_timer, link->reply_timeout_ms - quiet_ms, 0);
    } else if (!link->last_look) {
        link->last_look = true;
        uv_timer_start(&link->timer, on_timer, LAST_LOOK_MS, 0);
    } else {
        mr_link_lose(link, MR_ETIMEDOUT, "no answer within the reply timeout");
    }
}

/* ---- bytes in ---- */

static void renew_reader(struct mr_link *link)
{
    if (link->reader)
        redisReaderFree(link->reader);
    link->reader = redisReaderCreate();
    link->reader_swollen = false;
    if (!link->reader)
        abort(); /* as mr_zalloc does */
    link->reader->maxbuf = KEEP_BYTES;
}

/* One reply to the one who waits for it. False when the connection is not to be read any further. */
static bool next_reply(struct mr_link *link)
{
    void *reply = NULL;

    if (redisReaderGetReply(link->reader, &reply) != REDIS_OK) {
        if (link->reader->err == REDIS_ERR_OOM)
            abort(); /* as mr_zalloc does; on a new connection the same would come again */
        mr_link_lose(link, MR_EDOWN, link->reader->errstr);
        return false;
    }
    if (!reply)
        return false;
    if (link->owed.n == 0) {
        mr_link_lose(link, MR_EDOWN, "a reply came that nobody asked for");
    } else {
        struct mr_owed owed = mr_owed_steal(&link->owed);

        if (owed.fn)
            owed.fn(owed.arg, reply);
    }
    freeReplyObject(reply);
    return link->state == LINK_UP || link->state == LINK_SHAKING;
}

static void on_bytes(void *arg, const char *bytes, size_t len)
{
    struct mr_link *link = arg;

    link->quiet_at_ms = uv_now(link->loop);
    if (redisReaderFeed(link->reader, bytes, len) != REDIS_OK)
        abort(); /* out of memory */
    if (link->reader->len > KEEP_BYTES)
        link->reader_swollen = true;
    while (next_reply(link))
        ;
    if (link->reader_swollen && link->state == LINK_UP &&
        link->reader->pos == link->reader->len)
        renew_reader(link);
}

static void on_drained(void *arg)
{
    write_out(arg);
}

static void on_wire_lost(void *arg, const char *why)
{
    mr_link_lose(arg, MR_EDOWN, why);
}

void mr_link_came_up(struct mr_link *link)
{
    uv_timer_stop(&link->timer);
    link->state = LINK_UP;
    link->up_at_ms = uv_now(link->loop);
    link->events.on_up(link->events.arg);
}

static void on_open(void *arg)
{
    struct mr_link *link = arg;

    link->state = LINK_SHAKING;
    mr_link_shake(link);
    write_out(link);
}

/* ---- attempts ---- */

static void attempt(struct mr_link *link)
{
    const struct mr_wire_target target = {.path = link->url.path,
                                          .host = link->url.host,
                                          .port = link->url.port,
                                          .user_timeout_ms = link->reply_timeout_ms};
    const struct mr_wire_events events = {.on_open = on_open,
                                          .on_bytes = on_bytes,
                                          .on_drained = on_drained,
                                          .on_lost = on_wire_lost,
                                          .arg = link};

    renew_reader(link);
    link->state = LINK_OPENING;
    link->handles++;
    link->wire = mr_wire_new(link->loop, &target, &events);
    if (link->connect_timeout_ms)
        uv_timer_start(&link->timer, on_timer, link->connect_timeout_ms, 0);
    mr_wire_open(link->wire);
}

static void on_timer(uv_timer_t *timer)
{
    struct mr_link *link = timer->data;

    switch (link->state) {
    case LINK_WAITING:
        attempt(link);
        break;
    case LINK_OPENING:
        mr_link_lose(link, MR_ETIMEDOUT, "not connected within the connect timeout");
        break;
    case LINK_SHAKING:
        mr_link_lose(link, MR_ETIMEDOUT, "connected, but no answer within the connect timeout");
        break;
    case LINK_UP:
        look_for_silence(link);
        break;
    default:
        break;
    }
}

/* ---- what others call ---- */

static void replace(char **text, const char *by)
{
    if (!by)
        return;
    free(*text);
    *text = mr_strdup(by);
}

enum mr_code mr_link_new(uv_loop_t *loop, const struct mr_link_options *options,
                         const struct mr_link_events *events, struct mr_link **out,
                         struct mr_err *err)
{
    struct mr_redis_url url;

    if (mr_redis_url_parse(options->url, &url, err) != MR_OK)
        return MR_EINVAL;
    replace(&url.username, options->username);
    replace(&url.password, options->password);
    if (url.username && !url.password) {
        mr_redis_url_fini(&url);
        return mr_fail(err, MR_EINVAL, "redis: a user name needs a password");
    }

    struct mr_link *link = mr_zalloc(sizeof(*link));
    link->loop = loop;
    link->url = url;
    link->name = mr_strdup(options->name);
    link->connect_timeout_ms = options->connect_timeout_ms;
    link->reply_timeout_ms = options->reply_timeout_ms;
    link->want_client_id = options->want_client_id;
    link->events = *events;
    mr_random_seed(&link->random);
    uv_timer_init(loop, &link->timer);
    uv_idle_init(loop, &link->turn);
    link->timer.data = link->turn.data = link;
    link->handles = 2;
    *out = link;
    return MR_OK;
}

void mr_link_start(struct mr_link *link)
{
    assert(link->state == LINK_IDLE);
    attempt(link);
}

void mr_link_stop(struct mr_link *link, void (*on_stopped)(void *arg), void *arg)
{
    assert(link->state != LINK_STOPPING);
    link->on_stopped = on_stopped;
    link->stopped_arg = arg;
    hang_up(link);
    link->state = LINK_STOPPING;
    at_turns_end(link);
}

/* A reply is owed from now on: the first one wakes the watchdog, if it sleeps. */
static void expect(struct mr_link *link, mr_reply_fn *fn, void *arg)
{
    if (link->owed.n == 0) {
        link->quiet_at_ms = uv_now(link->loop);
        link->last_look = false;
        if (!uv_is_active((uv_handle_t *)&link->timer))
            watch(link);
    }
    mr_owed_add(&link->owed, fn, arg);
    at_turns_end(link);
}

enum mr_code mr_link_send(struct mr_link *link, const char *resp, size_t len, mr_reply_fn *fn,
                          void *arg)
{
    if (link->state != LINK_UP)
        return MR_EDOWN;
    mr_buf_add(&link->out, resp, len);
    expect(link, fn, arg);
    return MR_OK;
}

enum mr_code mr_link_command(struct mr_link *link, mr_reply_fn *fn, void *arg, int argc,
                             const char *const *argv, const size_t *lens)
{
    if (link->state != LINK_UP)
        return MR_EDOWN;
    mr_resp_begin(&link->out, (size_t)argc);
    for (int i = 0; i < argc; i++)
        mr_resp_word(&link->out, argv[i], lens ? lens[i] : strlen(argv[i]));
    expect(link, fn, arg);
    return MR_OK;
}

void mr_link_flush(struct mr_link *link)
{
    if (link->state == LINK_UP)
        write_out(link);
}

void mr_link_drop(struct mr_link *link, const char *why)
{
    mr_link_lose(link, MR_EDOWN, why);
}

bool mr_link_is_up(const struct mr_link *link)
{
    return link->state == LINK_UP;
}

long long mr_link_client_id(const struct mr_link *link)
{
    return link->state == LINK_UP ? link->client_id : 0;
}

uint64_t mr_link_reconnects(const struct mr_link *link)
{
    return link->losses;
}

const char *mr_link_address(const struct mr_link *link)
{
    return link->url.address;
}
