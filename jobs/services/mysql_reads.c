#include "jobs/services/mysql_reads.h"

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "worker/handler.h"

#include <stdlib.h>
#include <uv.h>

enum {
    UNSEEN_MS = 60000, /* one that may not tell is asked again after so long */
    WARN = 1,
    INFO = 2,
};

enum state {
    NEW, /* not looked at yet */
    FIT,
    AWAY,  /* not reached, or it does not serve us */
    BEHIND /* too far, or nobody knows how far */
};

/* All but pool is under the lock. */
struct source {
    struct mr_mysql_pool *pool;
    enum state state;
    bool looking;        /* somebody finds out whether that has changed */
    bool told_unknown;   /* that it does not tell how far it is behind, was said */
    uint64_t look_at_ms; /* when to find out next */
};

struct mr_mysql_reads {
    const struct mr_mysql_house *house;
    struct mr_mysql_read_rules rules;
    struct source *sources;
    unsigned n_sources;
    uv_mutex_t lock;
    unsigned next; /* whose turn it is */
    bool none_fit; /* as it was last said */
};

struct mr_mysql_reads *mr_mysql_reads_new(const struct mr_mysql_house *house,
                                          const struct mr_mysql_read_rules *rules)
{
    struct mr_mysql_reads *reads = mr_zalloc(sizeof(*reads));

    reads->house = house;
    reads->rules = *rules;
    uv_mutex_init(&reads->lock);
    return reads;
}

void mr_mysql_reads_free(struct mr_mysql_reads *reads)
{
    if (!reads)
        return;
    for (unsigned i = 0; i < reads->n_sources; i++)
        mr_mysql_pool_free(reads->sources[i].pool);
    uv_mutex_destroy(&reads->lock);
    free(reads->sources);
    free(reads);
}

void mr_mysql_reads_add(struct mr_mysql_reads *reads, struct mr_mysql_pool *pool)
{
    unsigned n = ++reads->n_sources;

    reads->sources = mr_realloc(reads->sources, n * sizeof(*reads->sources));
    reads->sources[n - 1] = (struct source){.pool = pool};
}

void mr_mysql_reads_tend(struct mr_mysql_reads *reads)
{
    for (unsigned i = 0; i < reads->n_sources; i++)
        mr_mysql_pool_tend(reads->sources[i].pool);
}

bool mr_mysql_reads_is_empty(const struct mr_mysql_reads *reads)
{
    return reads->n_sources == 0;
}

/* ---- states ---- */

static const char *name_of(const struct source *source)
{
    return mr_mysql_pool_server(source->pool)->name;
}

/* The only place that changes a state: counts and logs it. */
static void become(struct mr_mysql_reads *reads, struct source *source, enum state state,
                   const char *why)
{
    static const char *const names[] = {"new", "fit", "away", "behind"};
    struct mr_host *host = reads->house->host;
    uint64_t wait_ms = state == AWAY ? reads->rules.away_ms : reads->rules.ask_ms;

    uv_mutex_lock(&reads->lock);
    enum state before = source->state;
    source->state = state;
    source->look_at_ms = mr_clock_ms() + wait_ms;
    source->looking = false;
    uv_mutex_unlock(&reads->lock);
    if (state == before || (before == NEW && state == FIT))
        return;
    mr_host_counter(host, state == FIT ? "mysql_read_host_back" : "mysql_read_host_out", 1);
    if (state == FIT)
        mr_host_log(host, INFO, "mysql.read_host_back", "server=%s was=%s", name_of(source),
                    names[before]);
    else
        mr_host_log(host, WARN, "mysql.read_host_out", "server=%s is=%s why=%s",
                    name_of(source), names[state], why);
}

/* Whether it may be read from, and whether the one who asks is to find out first whether that still holds. */
static bool may_try(struct mr_mysql_reads *reads, struct source *source, bool *out_look)
{
    uv_mutex_lock(&reads->lock);
    bool due = mr_clock_ms() >= source->look_at_ms && !source->looking;
    bool fit = source->state == FIT;
    bool asks = reads->rules.max_lag_ms > 0 || !fit;

    *out_look = source->state == NEW || (due && asks);
    if (*out_look)
        source->looking = true;
    uv_mutex_unlock(&reads->lock);
    return fit || *out_look;
}

/* ---- looking ---- */

/* It does not tell: once said, and asked again only after a while. */
static void note_unknown(struct mr_mysql_reads *reads, struct source *source, const char *words)
{
    uv_mutex_lock(&reads->lock);
    bool told = source->told_unknown;
    source->told_unknown = true;
    source->look_at_ms = mr_clock_ms() + UNSEEN_MS;
    uv_mutex_unlock(&reads->lock);
    if (!told)
        mr_host_log(reads->house->host, WARN, "mysql.lag_unknown", "server=%s is=%s why=%s",
                    name_of(source), reads->rules.avoid_unknown ? "avoided" : "used", words);
}

/* Over a connection that was just taken from it. False: it is not to be read from now. */
static bool look(struct mr_mysql_reads *reads, struct source *source,
                 struct mr_mysql_conn *conn)
{
    struct mr_mysql_lag lag;
    struct mr_err err;
    char words[200];

    if (reads->rules.max_lag_ms == 0) {
        become(reads, source, FIT, NULL);
        return true;
    }
    if (mr_mysql_conn_lag(conn, &lag, &err) != MR_OK) {
        become(reads, source, AWAY, err.text);
        return false;
    }
    bool known = mr_mysql_lag_is_known(&lag);
    bool fit = known ? !mr_mysql_lag_is_over(&lag, reads->rules.max_lag_ms)
                     : !reads->rules.avoid_unknown;
    mr_mysql_lag_words(&lag, words, sizeof(words));
    become(reads, source, fit ? FIT : BEHIND, words);
    if (!known)
        note_unknown(reads, source, words);
    return fit;
}

/* ---- taking ---- */

/* MR_ENOTFOUND: not from this one. */
static enum mr_code take_from(struct mr_mysql_reads *reads, struct source *source,
                              struct mr_job *job, struct mr_mysql_conn **out,
                              struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    bool looks = false;

    if (!may_try(reads, source, &looks))
        return MR_ENOTFOUND;
    enum mr_code code = mr_mysql_pool_take(source->pool, job, &conn, err);
    if (code == MR_EDOWN || code == MR_EFAULT) {
        become(reads, source, AWAY, err->text);
        return MR_ENOTFOUND;
    }
    if (code != MR_OK) {
        uv_mutex_lock(&reads->lock);
        source->looking &= !looks;
        uv_mutex_unlock(&reads->lock);
        return code;
    }
    if (looks && !look(reads, source, conn)) {
        mr_mysql_pool_give(conn);
        return MR_ENOTFOUND;
    }
    *out = conn;
    return MR_OK;
}

/* Says it once when the last one goes, and when the first is back. */
static void note_none_fit(struct mr_mysql_reads *reads, bool none_fit)
{
    uv_mutex_lock(&reads->lock);
    bool changed = reads->none_fit != none_fit;
    reads->none_fit = none_fit;
    uv_mutex_unlock(&reads->lock);
    if (none_fit)
        mr_host_counter(reads->house->host, "mysql_reads_at_write_host", 1);
    if (changed)
        mr_host_log(reads->house->host, none_fit ? WARN : INFO, "mysql.reads_moved", "to=%s",
                    none_fit ? "write_host" : "read_hosts");
}

enum mr_code mr_mysql_reads_take(struct mr_mysql_reads *reads, struct mr_job *job,
                                 struct mr_mysql_conn **out, struct mr_err *err)
{
    enum mr_code code = MR_ENOTFOUND;
    struct mr_err why, busy;
    bool any_busy = false;

    uv_mutex_lock(&reads->lock);
    unsigned first = reads->next++ % reads->n_sources;
    uv_mutex_unlock(&reads->lock);
    for (unsigned i = 0; i < reads->n_sources; i++) {
        struct source *source = &reads->sources[(first + i) % reads->n_sources];

        code = take_from(reads, source, job, out, &why);
        if (code == MR_EBUSY) {
            any_busy = true;
            busy = why;
        } else if (code != MR_ENOTFOUND) {
            break;
        }
    }
    if (code == MR_OK || code == MR_ENOTFOUND)
        note_none_fit(reads, code == MR_ENOTFOUND && !any_busy);
    /* One that is full is no reason to send all its readers to the server that is written to. */
    if (any_busy && code != MR_OK)
        return mr_fail(err, MR_EBUSY, "%s", busy.text);
    return code == MR_OK || code == MR_ENOTFOUND ? code : mr_fail(err, code, "%s", why.text);
}
