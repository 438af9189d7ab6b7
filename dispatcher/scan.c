#include "dispatcher/scan.h"

#include "proto/base/mem.h"
#include "proto/base/str.h"
#include "proto/base/uuid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 50, KEYS_A_CALL = 1000 };

struct mr_scan {
    struct mr_store *store;
    struct mr_queues *queues;
    char *pattern;
    char cursor[24];
    bool asked, complete, stopping;
    char last
        [MR_KEY_MAX]; /* the lease looked at last, without its k: its neighbours need no look */
    uint64_t found;
    uv_timer_t tick;
    void (*done)(void *arg, bool complete, uint64_t found);
    void *arg;
    unsigned holders; /* the open timer, answers owed: the last one answers and frees */
};

/* A worker that holds a lease: does either set of its queue know it? */
struct suspect {
    struct mr_scan *scan;
    struct mr_queue *queue;
    char worker[MR_WORKER_MAX];
};

static void let_go(struct mr_scan *scan)
{
    if (--scan->holders > 0)
        return;
    scan->done(scan->arg, scan->complete, scan->found);
    free(scan->pattern);
    free(scan);
}

static void on_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

static void end(struct mr_scan *scan, bool complete)
{
    if (uv_is_closing((uv_handle_t *)&scan->tick))
        return;
    scan->complete = complete;
    uv_close((uv_handle_t *)&scan->tick, on_closed);
}

/* ---- one suspect ---- */

static void clear(struct suspect *suspect)
{
    struct mr_scan *scan = suspect->scan;

    free(suspect);
    let_go(scan);
}

static void on_fenced(void *arg, enum mr_code code, const redisReply *reply)
{
    struct suspect *suspect = arg;

    (void)reply;
    suspect->scan->found += code == MR_OK;
    clear(suspect);
}

static bool is_nil(const struct suspect *suspect, enum mr_code code, const redisReply *reply)
{
    return code == MR_OK && reply->type == REDIS_REPLY_NIL && !suspect->scan->stopping;
}

/* Fenced it stands in Q:reaped, and everybody's audit looks under the names that stand there. */
static void on_in_reaped(void *arg, enum mr_code code, const redisReply *reply)
{
    struct suspect *suspect = arg;

    if (!is_nil(suspect, code, reply) ||
        mr_store_fence(suspect->scan->store, &suspect->queue->keys, suspect->worker, NULL,
                       on_fenced, suspect) != MR_OK)
        clear(suspect);
}

static void on_in_workers(void *arg, enum mr_code code, const redisReply *reply)
{
    struct suspect *suspect = arg;
    const char *const words[] = {"ZSCORE", suspect->queue->keys.reaped, suspect->worker};

    if (!is_nil(suspect, code, reply) ||
        mr_store_command(suspect->scan->store, on_in_reaped, suspect, (int)MR_COUNT(words),
                         words, NULL) != MR_OK)
        clear(suspect);
}

/* A lease is made only by a registered worker, so whoever stands in neither set has been forgotten. */
static void look_at(struct mr_scan *scan, struct mr_queue *queue, const char *worker)
{
    struct suspect *suspect = mr_zalloc(sizeof(*suspect));

    *suspect = (struct suspect){.scan = scan, .queue = queue};
    snprintf(suspect->worker, sizeof(suspect->worker), "%s", worker);
    scan->holders++;
    if (mr_store_registered(scan->store, &queue->keys, worker, on_in_workers, suspect) != MR_OK)
        clear(suspect);
}

/* ---- the keys ---- */

/* prefix queues:NAME:lease:WORKER:K, where neither name holds a colon. */
static void take_key(struct mr_scan *scan, const char *key)
{
    const char *name = key + strlen(mr_store_prefix(scan->store)) + strlen("queues:");
    const char *lease = strstr(name, ":lease:");
    const char *k = strrchr(key, ':');
    size_t len = k ? (size_t)(k - key) : 0;

    if (!lease || len >= sizeof(scan->last) || k < lease + strlen(":lease:") ||
        (strncmp(scan->last, key, len) == 0 && scan->last[len] == '\0'))
        return;
    snprintf(scan->last, sizeof(scan->last), "%.*s", (int)len, key);

    char *queue_name = mr_strndup(name, (size_t)(lease - name));
    const char *worker = scan->last + (lease + strlen(":lease:") - key);
    struct mr_queue *queue = mr_queues_add(scan->queues, queue_name, false);

    free(queue_name);
    if (queue && mr_worker_names(worker) > 0)
        look_at(scan, queue, worker);
}

static void take_page(struct mr_scan *scan, const redisReply *reply)
{
    const redisReply *keys = reply->element[1];

    snprintf(scan->cursor, sizeof(scan->cursor), "%s", reply->element[0]->str);
    for (size_t i = 0; i < keys->elements; i++)
        if (strlen(keys->element[i]->str) == (size_t)keys->element[i]->len)
            take_key(scan, keys->element[i]->str);
    if (strcmp(scan->cursor, "0") == 0)
        end(scan, true);
}

static void on_page(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_scan *scan = arg;

    scan->asked = false;
    if (code == MR_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        !scan->stopping)
        take_page(scan, reply);
    else if (code != MR_EREFUSED)
        end(scan, false);
    let_go(scan);
}

static void on_tick(uv_timer_t *timer)
{
    struct mr_scan *scan = timer->data;
    char count[16];

    if (scan->asked)
        return;
    snprintf(count, sizeof(count), "%d", KEYS_A_CALL);
    const char *const words[] = {"SCAN",  scan->cursor, "MATCH", scan->pattern,
                                 "COUNT", count,        "TYPE",  "list"};
    if (mr_store_command(scan->store, on_page, scan, (int)MR_COUNT(words), words, NULL) !=
        MR_OK) {
        end(scan, false);
        return;
    }
    scan->asked = true;
    scan->holders++;
}

/* A prefix is the user's: what means something to MATCH is taken literally. */
static char *write_pattern(const char *prefix)
{
    struct mr_buf pattern = {0};

    for (const char *c = prefix; *c; c++) {
        if (strchr("*?[]\\^", *c))
            mr_buf_char(&pattern, '\\');
        mr_buf_char(&pattern, *c);
    }
    mr_buf_text(&pattern, "queues:*:lease:*");
    return mr_buf_steal(&pattern);
}

struct mr_scan *mr_scan_start(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                              void (*done)(void *arg, bool complete, uint64_t found), void *arg)
{
    struct mr_scan *scan = mr_zalloc(sizeof(*scan));

    *scan = (struct mr_scan){.store = store,
                             .queues = queues,
                             .pattern = write_pattern(mr_store_prefix(store)),
                             .cursor = "0",
                             .done = done,
                             .arg = arg,
                             .holders = 1};
    uv_timer_init(loop, &scan->tick);
    scan->tick.data = scan;
    uv_timer_start(&scan->tick, on_tick, 0, TICK_MS);
    return scan;
}

void mr_scan_stop(struct mr_scan *scan)
{
    scan->stopping = true;
    end(scan, false);
}
