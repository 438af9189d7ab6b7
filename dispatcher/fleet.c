#include "dispatcher/fleet.h"

#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "proto/base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BEAT_MS = 2000,
    ALIVE_MS = 10000,
    QUEUES_EVERY = 5, /* beats between two looks at the fleet's queues */
    LEAVE_WAIT_MS = 1000,
    MAX_PROCESSES = 100000
};

#define SCHEMA "1" /* of what stands in Redis: grows when an older program must not touch it */

/* One pool of our configuration. */
struct tier {
    char *name;
    unsigned configured;
    long long wanted; /* -1: nobody has said */
    long long share;  /* as last told; -1 before */
};

struct mr_fleet {
    struct mr_store *store;
    struct mr_queues *queues;
    struct mr_fleet_events events;
    char name[UV_MAXHOSTNAMESIZE + 16];
    char *member; /* as it stands in the list of the living: name, a blank, the pools it has */
    char *former; /* the member before a reload; it leaves the list */
    struct tier *tiers;
    unsigned n_tiers;
    char **members; /* of the living, sorted */
    unsigned n_members;
    bool schema_known, mismatch_told, stopped;
    unsigned beats;
    uv_timer_t timer;
    void (*on_stopped)(void *arg);
    void *arg;
    unsigned holders; /* the open timer, answers owed: the last one frees */
};

static void free_tiers(struct mr_fleet *fleet)
{
    for (unsigned i = 0; i < fleet->n_tiers; i++)
        free(fleet->tiers[i].name);
    free(fleet->tiers);
    fleet->tiers = NULL;
    fleet->n_tiers = 0;
}

static void free_members(struct mr_fleet *fleet)
{
    for (unsigned i = 0; i < fleet->n_members; i++)
        free(fleet->members[i]);
    free(fleet->members);
    fleet->members = NULL;
    fleet->n_members = 0;
}

static void let_go(struct mr_fleet *fleet)
{
    if (--fleet->holders > 0)
        return;
    free_tiers(fleet);
    free_members(fleet);
    free(fleet->member);
    free(fleet->former);
    free(fleet);
}

static void ask(struct mr_fleet *fleet, mr_answer_fn *fn, int argc, const char *const *argv)
{
    if (mr_store_command(fleet->store, fn, fleet, argc, argv, NULL) == MR_OK)
        fleet->holders++;
}

static void fleet_key(const struct mr_fleet *fleet, const char *what, char key[MR_KEY_MAX])
{
    mr_key_fleet(mr_store_prefix(fleet->store), what, key, MR_KEY_MAX);
}

/* ---- who shares a pool, and how ---- */

/* A tier may run in containers of its own: only those that have the pool share it. */
static bool has_pool(const char *member, const char *pool)
{
    const char *pools = strchr(member, ' ');
    size_t len = strlen(pool);

    while (pools) {
        pools++;
        if (strncmp(pools, pool, len) == 0 && (pools[len] == ',' || pools[len] == '\0'))
            return true;
        pools = strchr(pools, ',');
    }
    return false;
}

/* How many of the living have the pool, and how many of those sort before us. */
static unsigned count_sharers(const struct mr_fleet *fleet, const char *pool,
                              unsigned *out_rank)
{
    unsigned n = 0;

    *out_rank = 0;
    for (unsigned i = 0; i < fleet->n_members; i++) {
        if (!has_pool(fleet->members[i], pool))
            continue;
        n++;
        *out_rank += strcmp(fleet->members[i], fleet->member) < 0;
    }
    return n > 0 ? n : 1;
}

static unsigned share_of(const struct mr_fleet *fleet, const struct tier *tier)
{
    unsigned rank, n = count_sharers(fleet, tier->name, &rank);

    if (tier->wanted < 0)
        return tier->configured;
    unsigned total = (unsigned)tier->wanted;
    return total / n + (rank < total % n ? 1 : 0);
}

static unsigned total_of(const struct mr_fleet *fleet, const struct tier *tier)
{
    unsigned rank;

    return tier->wanted < 0 ? tier->configured * count_sharers(fleet, tier->name, &rank)
                            : (unsigned)tier->wanted;
}

static void tell_shares(struct mr_fleet *fleet)
{
    for (unsigned i = 0; i < fleet->n_tiers; i++) {
        struct tier *tier = &fleet->tiers[i];
        unsigned share = share_of(fleet, tier);

        if (tier->share == share)
            continue;
        tier->share = share;
        mr_log_info("fleet.share", "pool=%s processes=%u total=%u dispatchers=%u", tier->name,
                    share, total_of(fleet, tier), fleet->n_members);
        fleet->events.on_share(fleet->events.arg, tier->name, share);
    }
}

static struct tier *find_tier(const struct mr_fleet *fleet, const char *pool)
{
    for (unsigned i = 0; i < fleet->n_tiers; i++)
        if (strcmp(fleet->tiers[i].name, pool) == 0)
            return &fleet->tiers[i];
    return NULL;
}

/* ---- the beat ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void take_members(struct mr_fleet *fleet, const redisReply *reply)
{
    free_members(fleet);
    fleet->members = mr_zalloc_array(reply->elements + 1, sizeof(*fleet->members));
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            fleet->members[fleet->n_members++] = mr_strdup(reply->element[i]->str);
    qsort(fleet->members, fleet->n_members, sizeof(*fleet->members), by_name);
}

static void on_members(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_fleet *fleet = arg;

    if (!fleet->stopped && code == MR_OK && reply->type == REDIS_REPLY_ARRAY)
        take_members(fleet, reply);
    let_go(fleet);
}

/* Nonsense somebody wrote there is as if nobody had said anything. */
static long long parse_wanted(const char *text)
{
    char *end;
    long long wanted = strtoll(text, &end, 10);

    return *text && !*end && wanted >= 0 && wanted <= MAX_PROCESSES ? wanted : -1;
}

static void take_wanted(struct mr_fleet *fleet, const redisReply *reply)
{
    for (unsigned i = 0; i < fleet->n_tiers; i++)
        fleet->tiers[i].wanted = -1;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct tier *tier = find_tier(fleet, reply->element[i]->str);

        if (tier)
            tier->wanted = parse_wanted(reply->element[i + 1]->str);
    }
}

/* Comes behind the members: both are known then. Without an answer everything stays as it was. */
static void on_wanted(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_fleet *fleet = arg;

    if (!fleet->stopped && code == MR_OK && reply->type == REDIS_REPLY_ARRAY &&
        fleet->n_members > 0) {
        take_wanted(fleet, reply);
        tell_shares(fleet);
    }
    let_go(fleet);
}

static void on_queues(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_fleet *fleet = arg;

    if (!fleet->stopped && code == MR_OK && reply->type == REDIS_REPLY_ARRAY)
        for (size_t i = 0; i < reply->elements; i++)
            mr_queues_add(fleet->queues, reply->element[i]->str, false);
    let_go(fleet);
}

static void on_left(void *arg, enum mr_code code, const redisReply *reply)
{
    (void)code;
    (void)reply;
    let_go(arg);
}

static void leave_list(struct mr_fleet *fleet, const char *member, mr_answer_fn *fn)
{
    char key[MR_KEY_MAX];

    fleet_key(fleet, MR_FLEET_DISPATCHERS, key);
    ask(fleet, fn, 3, (const char *const[]){"ZREM", key, member});
}

static void beat(struct mr_fleet *fleet)
{
    char key[MR_KEY_MAX];

    if (fleet->former)
        leave_list(fleet, fleet->former, on_left);
    free(fleet->former);
    fleet->former = NULL;
    if (mr_store_heartbeat(fleet->store, fleet->member, ALIVE_MS, on_members, fleet) == MR_OK)
        fleet->holders++;
    fleet_key(fleet, MR_FLEET_WANTED, key);
    ask(fleet, on_wanted, 2, (const char *const[]){"HGETALL", key});
    if (fleet->beats++ % QUEUES_EVERY == 0) {
        fleet_key(fleet, MR_FLEET_QUEUES, key);
        ask(fleet, on_queues, 2, (const char *const[]){"SMEMBERS", key});
    }
}

/* ---- the version guard: before it is passed we neither appear in the list nor start a worker ---- */

static void refuse_schema(struct mr_fleet *fleet, const char *found)
{
    struct mr_err err;

    if (fleet->mismatch_told)
        return;
    fleet->mismatch_told = true;
    mr_fail(&err, MR_EFAULT,
            "this Redis holds the data of another version of millrace (schema %s, this program "
            "knows " SCHEMA "): run the version that wrote it, or use another prefix",
            found);
    fleet->events.on_schema_mismatch(fleet->events.arg, &err);
}

/*
 * Nothing there: SET was refused, as a full Redis does. Nobody's data is no other version's, so that one can be drained;
 * the next beat tries to write again.
 */
static void take_schema(struct mr_fleet *fleet, enum mr_code code, const redisReply *reply)
{
    bool absent = code == MR_OK && reply->type == REDIS_REPLY_NIL;

    fleet->schema_known =
        code == MR_OK && reply->type == REDIS_REPLY_STRING && strcmp(reply->str, SCHEMA) == 0;
    if (fleet->schema_known || absent) {
        if (fleet->events.on_cleared)
            fleet->events.on_cleared(fleet->events.arg);
        beat(fleet);
    } else if (code == MR_OK && reply->type == REDIS_REPLY_STRING) {
        refuse_schema(fleet, reply->str);
    } else if (code == MR_EFENCED) {
        refuse_schema(fleet, "is no string");
    } else {
        mr_log_warn("fleet.schema_unread", "code=%s hint=%s", mr_code_name(code),
                    "no worker is started before");
    }
}

static void on_schema(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_fleet *fleet = arg;

    if (!fleet->stopped)
        take_schema(fleet, code, reply);
    let_go(fleet);
}

static void check_schema(struct mr_fleet *fleet)
{
    char key[MR_KEY_MAX];

    fleet_key(fleet, MR_FLEET_SCHEMA, key);
    ask(fleet, on_left, 4, (const char *const[]){"SET", key, SCHEMA, "NX"});
    ask(fleet, on_schema, 2, (const char *const[]){"GET", key});
}

static void on_beat(uv_timer_t *timer)
{
    struct mr_fleet *fleet = timer->data;

    if (!mr_store_is_ready(fleet->store))
        fleet->schema_known = false; /* it may come back as another one */
    else if (fleet->schema_known)
        beat(fleet);
    else
        check_schema(fleet);
}

void mr_fleet_resume(struct mr_fleet *fleet)
{
    uv_timer_start(&fleet->timer, on_beat, 0, BEAT_MS);
}

/* ---- scaling ---- */

struct scaling {
    struct mr_fleet *fleet;
    char *pool;
    void (*done)(void *arg, enum mr_code code, unsigned total, unsigned share);
    void *arg;
};

static void on_scaled(void *arg, enum mr_code code, const redisReply *reply)
{
    struct scaling *scaling = arg;
    struct mr_fleet *fleet = scaling->fleet;
    struct tier *tier = fleet->stopped ? NULL : find_tier(fleet, scaling->pool);
    long long total = code == MR_OK && reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;

    if (code == MR_OK && tier) {
        tier->wanted = total;
        tell_shares(fleet);
    }
    scaling->done(scaling->arg, code, (unsigned)total, tier ? share_of(fleet, tier) : 0);
    free(scaling->pool);
    free(scaling);
    let_go(fleet);
}

enum mr_code
mr_fleet_scale(struct mr_fleet *fleet, const char *pool, long processes, bool relative,
               void (*done)(void *arg, enum mr_code code, unsigned total, unsigned share),
               void *arg)
{
    const struct tier *tier = find_tier(fleet, pool);
    long long base = -1;

    if (processes < -MAX_PROCESSES || processes > MAX_PROCESSES || (!relative && processes < 0))
        return MR_EINVAL;
    if (relative)
        base = tier ? total_of(fleet, tier) : 0;
    struct scaling *scaling = mr_zalloc(sizeof(*scaling));

    *scaling =
        (struct scaling){.fleet = fleet, .pool = mr_strdup(pool), .done = done, .arg = arg};
    enum mr_code code = mr_store_scale(fleet->store, pool, processes, base, on_scaled, scaling);
    if (code == MR_OK) {
        fleet->holders++;
        return MR_OK;
    }
    free(scaling->pool);
    free(scaling);
    return code;
}

/* ---- life ---- */

static char *write_member(const char *name, const struct mr_config *config)
{
    struct mr_buf text = {0};

    mr_buf_text(&text, name);
    for (unsigned i = 0; i < config->n_pools; i++) {
        mr_buf_char(&text, i == 0 ? ' ' : ',');
        mr_buf_text(&text, config->pools[i].name);
    }
    return mr_buf_steal(&text);
}

/* What was known of a pool that stays is kept. */
static void read_tiers(struct mr_fleet *fleet, const struct mr_config *config)
{
    struct tier *tiers = mr_zalloc_array(config->n_pools + 1, sizeof(*tiers));

    for (unsigned i = 0; i < config->n_pools; i++) {
        const struct tier *before = find_tier(fleet, config->pools[i].name);

        tiers[i] = (struct tier){.name = mr_strdup(config->pools[i].name),
                                 .configured = config->pools[i].processes,
                                 .wanted = before ? before->wanted : -1,
                                 .share = before ? before->share : -1};
    }
    free_tiers(fleet);
    fleet->tiers = tiers;
    fleet->n_tiers = config->n_pools;
}

static void draw_name(struct mr_fleet *fleet)
{
    char host[UV_MAXHOSTNAMESIZE];
    size_t size = sizeof(host);
    uint32_t dice;

    if (uv_os_gethostname(host, &size) != 0)
        snprintf(host, sizeof(host), "localhost");
    mr_random_bytes(&dice, sizeof(dice));
    snprintf(fleet->name, sizeof(fleet->name), "%s-%08x", host, dice);
}

enum mr_code mr_fleet_new(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                          const struct mr_config *config, const struct mr_fleet_events *events,
                          struct mr_fleet **out)
{
    struct mr_fleet *fleet = mr_zalloc(sizeof(*fleet));

    *fleet =
        (struct mr_fleet){.store = store, .queues = queues, .events = *events, .holders = 1};
    draw_name(fleet);
    fleet->member = write_member(fleet->name, config);
    read_tiers(fleet, config);
    uv_timer_init(loop, &fleet->timer);
    fleet->timer.data = fleet;
    *out = fleet;
    return MR_OK;
}

void mr_fleet_start(struct mr_fleet *fleet)
{
    uv_timer_start(&fleet->timer, on_beat, 0, BEAT_MS);
}

void mr_fleet_set_config(struct mr_fleet *fleet, const struct mr_config *config)
{
    char *member = write_member(fleet->name, config);

    if (strcmp(member, fleet->member) != 0 && !fleet->former) {
        fleet->former = fleet->member;
        fleet->member = member;
    } else {
        free(fleet->member);
        fleet->member = member;
    }
    read_tiers(fleet, config);
    if (fleet->schema_known && mr_store_is_ready(fleet->store))
        beat(fleet);
}

unsigned mr_fleet_size(const struct mr_fleet *fleet)
{
    return fleet->n_members > 0 ? fleet->n_members : 1;
}

unsigned mr_fleet_wanted(const struct mr_fleet *fleet, const char *pool)
{
    const struct tier *tier = find_tier(fleet, pool);

    return tier ? total_of(fleet, tier) : 0;
}

const char *mr_fleet_name(const struct mr_fleet *fleet)
{
    return fleet->name;
}

static void on_closed(uv_handle_t *handle)
{
    struct mr_fleet *fleet = handle->data;

    if (fleet->on_stopped)
        fleet->on_stopped(fleet->arg);
    let_go(fleet);
}

static void close_timer(struct mr_fleet *fleet)
{
    if (!uv_is_closing((uv_handle_t *)&fleet->timer))
        uv_close((uv_handle_t *)&fleet->timer, on_closed);
}

static void on_leave_timeout(uv_timer_t *timer)
{
    close_timer(timer->data);
}

static void on_gone(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_fleet *fleet = arg;

    (void)code;
    (void)reply;
    close_timer(fleet);
    let_go(fleet);
}

/* The others share our part out at once if we say that we go; they find out by themselves if we cannot. */
void mr_fleet_stop(struct mr_fleet *fleet, void (*on_stopped)(void *arg), void *arg)
{
    fleet->stopped = true;
    fleet->on_stopped = on_stopped;
    fleet->arg = arg;
    uv_timer_start(&fleet->timer, on_leave_timeout,
                   mr_store_is_ready(fleet->store) ? LEAVE_WAIT_MS : 0, 0);
    leave_list(fleet, fleet->member, on_gone);
}
