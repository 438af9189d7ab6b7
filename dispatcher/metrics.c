#include "dispatcher/metrics.h"

#include "proto/base/mem.h"

#include <inttypes.h>
#include <string.h>

/* Every fourth bound of the histogram doubles: 160 us to 168 s in 21 buckets, and each count is exact. */
enum { BUCKET_FIRST = 24, BUCKET_LAST = 104, BUCKET_STEP = 4 };

/* ---- the format ---- */

static void label(struct mr_buf *out, const char *name, const char *value)
{
    mr_buf_printf(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            mr_buf_char(out, '\\');
        if (*value == '\n')
            mr_buf_text(out, "\\n");
        else
            mr_buf_char(out, *value);
    }
    mr_buf_char(out, '"');
}

/* One family being written: its name begins every line. */
struct family {
    struct mr_buf *out;
    const char *name;
};

static struct family begin(struct mr_buf *out, const char *name, const char *type,
                           const char *help)
{
    mr_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
    return (struct family){out, name};
}

/* Labels are pairs of name and value, as many as are not NULL. */
struct labels {
    const char *name[3], *value[3];
};

static void labels(struct mr_buf *out, const struct labels *l, const char *le)
{
    const char *before = "{";

    for (unsigned i = 0; i < 3 && l->name[i]; i++) {
        mr_buf_text(out, before);
        label(out, l->name[i], l->value[i]);
        before = ",";
    }
    if (le) {
        mr_buf_text(out, before);
        label(out, "le", le);
        before = ",";
    }
    if (*before == ',')
        mr_buf_char(out, '}');
}

static void sample(struct family f, const struct labels *l, uint64_t value)
{
    mr_buf_text(f.out, f.name);
    labels(f.out, l, NULL);
    mr_buf_printf(f.out, " %" PRIu64 "\n", value);
}

static void single(struct mr_buf *out, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    sample(begin(out, name, type, help), &(struct labels){{0}, {0}}, value);
}

static void bucket(struct family f, const struct labels *l, const char *le, uint64_t count)
{
    mr_buf_printf(f.out, "%s_bucket", f.name);
    labels(f.out, l, le);
    mr_buf_printf(f.out, " %" PRIu64 "\n", count);
}

/* count is summed from the buckets, not read: a worker may be counting at this moment, and the series must agree. */
static void histogram(struct family f, const struct labels *l, const struct mr_histogram *h)
{
    uint64_t seen = 0;

    for (unsigned b = 0; b < MR_HISTOGRAM_BUCKETS; b++) {
        seen += h->buckets[b];
        if (b >= BUCKET_FIRST && b <= BUCKET_LAST && (b - BUCKET_FIRST) % BUCKET_STEP == 0) {
            struct mr_buf le = {0};

            mr_buf_printf(&le, "%.9g", (double)mr_histogram_upper_us(b) / 1e6);
            bucket(f, l, le.at, seen);
            mr_buf_fini(&le);
        }
    }
    bucket(f, l, "+Inf", seen);
    mr_buf_printf(f.out, "%s_sum", f.name);
    labels(f.out, l, NULL);
    mr_buf_printf(f.out, " %.9g\n%s_count", (double)h->sum_us / 1e6, f.name);
    labels(f.out, l, NULL);
    mr_buf_printf(f.out, " %" PRIu64 "\n", seen);
}

/* ---- families ---- */

static void print_jobs(const struct mr_snapshot *s, struct mr_buf *out)
{
    static const char *const verdicts[MR_PAGE_VERDICTS] = {
        [MR_PAGE_DONE] = "done",
        [MR_PAGE_RETRY] = "retry",
        [MR_PAGE_RELEASE] = "release",
        [MR_PAGE_DEAD] = "dead",
    };
    struct family f = begin(out, "millrace_jobs_total", "counter",
                            "Attempts that ended, by where the job went.");

    for (size_t i = 0; i < s->totals->n_verdicts; i++) {
        const struct mr_total_verdicts *row = &s->totals->verdicts[i];

        for (unsigned v = 0; v < MR_PAGE_VERDICTS; v++)
            sample(f,
                   &(struct labels){
                       {"queue",    "job",    "verdict"  },
                       {row->queue, row->job, verdicts[v]}
            },
                   row->verdicts[v]);
    }
}

static void print_times(const struct mr_snapshot *s, struct mr_buf *out)
{
    struct family f = begin(out, "millrace_job_run_seconds", "histogram",
                            "How long attempts ran, from start to outcome.");

    for (size_t i = 0; i < s->totals->n_runs; i++)
        histogram(f, &(struct labels){{"job"}, {s->totals->runs[i].job}},
                  &s->totals->runs[i].seconds);

    f = begin(out, "millrace_job_wait_seconds", "histogram",
              "How long jobs waited from push to start, where the push says when it was.");
    for (size_t i = 0; i < s->totals->n_waits; i++)
        histogram(f, &(struct labels){{"queue"}, {s->totals->waits[i].queue}},
                  &s->totals->waits[i].seconds);
}

static void print_queues(const struct mr_snapshot *s, struct mr_buf *out)
{
    struct family f = begin(out, "millrace_queue_jobs", "gauge",
                            "Jobs that stand in a queue; absent while Redis does not say.");

    for (unsigned i = 0; i < s->n_queues; i++) {
        const struct mr_snapshot_queue *q = &s->queues[i];
        const struct {
            const char *state;
            long long n;
        } rows[] = {
            {"ready",    q->ready   },
            {"delayed",  q->delayed },
            {"reserved", q->reserved},
            {"dead",     q->dead    },
        };

        for (size_t r = 0; r < MR_COUNT(rows); r++)
            if (rows[r].n >= 0)
                sample(f,
                       &(struct labels){
                           {"queue", "state"      },
                           {q->name, rows[r].state}
                },
                       (uint64_t)rows[r].n);
    }
    f = begin(out, "millrace_queue_paused", "gauge", "1 while a queue is paused.");
    for (unsigned i = 0; i < s->n_queues; i++)
        sample(f, &(struct labels){{"queue"}, {s->queues[i].name}}, s->queues[i].paused);
}

static void print_pool_sizes(const struct mr_snapshot *s, struct mr_buf *out)
{
    struct family f = begin(out, "millrace_pool_processes", "gauge",
                            "Places for worker processes of a pool, by what they do.");

    for (unsigned i = 0; i < s->n_pools; i++)
        for (unsigned state = 0; state < MR_SLOT_STATES; state++)
            sample(f,
                   &(struct labels){
                       {"pool",           "state"                                      },
                       {s->pools[i].name, mr_slot_state_name((enum mr_slot_state)state)}
            },
                   s->pools[i].by_state[state]);

    f = begin(out, "millrace_pool_wanted_processes", "gauge",
              "Worker processes that this dispatcher should run.");
    for (unsigned i = 0; i < s->n_pools; i++)
        sample(f, &(struct labels){{"pool"}, {s->pools[i].name}}, s->pools[i].wanted);

    f = begin(out, "millrace_pool_places", "gauge",
              "Deliveries that the pool's workers can hold at once, busy and free.");
    for (unsigned i = 0; i < s->n_pools; i++) {
        const struct mr_snapshot_pool *pool = &s->pools[i];

        sample(f,
               &(struct labels){
                   {"pool",     "state"},
                   {pool->name, "busy" }
        },
               pool->places_busy);
        sample(f,
               &(struct labels){
                   {"pool",     "state"},
                   {pool->name, "free" }
        },
               pool->places - pool->places_busy);
    }
    f = begin(out, "millrace_pool_failing", "gauge",
              "1 while workers of the pool die at start again and again.");
    for (unsigned i = 0; i < s->n_pools; i++)
        sample(f, &(struct labels){{"pool"}, {s->pools[i].name}}, s->pools[i].failing);
}

static void print_exits(const struct mr_snapshot *s, struct mr_buf *out)
{
    struct family f =
        begin(out, "millrace_worker_starts_total", "counter", "Worker processes started.");

    for (unsigned i = 0; i < s->n_pools; i++)
        sample(f, &(struct labels){{"pool"}, {s->pools[i].name}}, s->pools[i].starts);

    f = begin(out, "millrace_worker_exits_total", "counter",
              "Worker processes that ended, by cause.");
    for (unsigned i = 0; i < s->n_pools; i++) {
        const struct mr_snapshot_pool *p = &s->pools[i];
        const struct {
            const char *cause;
            uint64_t n;
        } rows[] = {
            {"clean",    p->exits_clean   },
            {"recycled", p->exits_recycled},
            {"crashed",  p->exits_crashed },
            {"killed",   p->exits_killed  },
            {"fenced",   p->exits_fenced  },
            {"config",   p->exits_config  },
            {"failed",   p->exits_failed  },
        };

        for (size_t r = 0; r < MR_COUNT(rows); r++)
            sample(f,
                   &(struct labels){
                       {"pool",  "cause"      },
                       {p->name, rows[r].cause}
            },
                   rows[r].n);
    }
}

static void print_worker_counts(const struct mr_snapshot *s, struct mr_buf *out)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } rows[] = {
        {"millrace_jobs_fetched_total",            "Jobs leased by workers.",
         offsetof(struct mr_total_pool, fetched)         },
        {"millrace_jobs_started_total",            "Attempts started.",
         offsetof(struct mr_total_pool, started)         },
        {"millrace_lease_lost_total",              "Settlements that found their lease gone.",
         offsetof(struct mr_total_pool, lease_lost)      },
        {"millrace_late_settles_total",            "Settlements that came after the lease was given away.",
         offsetof(struct mr_total_pool, late_settles)    },
        {"millrace_empty_fetches_total",           "Fetches that brought nothing.",
         offsetof(struct mr_total_pool, empty_fetches)   },
        {"millrace_worker_wakes_total",            "Jobs that woke an idle worker.",
         offsetof(struct mr_total_pool, wakes)           },
        {"millrace_worker_redis_reconnects_total", "Connections to Redis that workers lost.",
         offsetof(struct mr_total_pool, redis_reconnects)},
    };

    for (size_t r = 0; r < MR_COUNT(rows); r++) {
        struct family f = begin(out, rows[r].name, "counter", rows[r].help);

        for (size_t i = 0; i < s->totals->n_pools; i++) {
            const struct mr_total_pool *pool = &s->totals->pools[i];
            uint64_t value;

            memcpy(&value, (const char *)pool + rows[r].offset, sizeof(value));
            sample(f, &(struct labels){{"pool"}, {pool->pool}}, value);
        }
    }
}

static void print_handler_counts(const struct mr_snapshot *s, struct mr_buf *out)
{
    struct family f = begin(out, "millrace_handler_events_total", "counter",
                            "What the handlers themselves count.");

    for (size_t i = 0; i < s->totals->n_counters; i++)
        sample(f, &(struct labels){{"event"}, {s->totals->counters[i].name}},
               s->totals->counters[i].value);
    f = begin(out, "millrace_handler_gauge", "gauge",
              "What is so just now with the handlers of living workers.");
    for (size_t i = 0; i < s->totals->n_gauges; i++)
        sample(f, &(struct labels){{"gauge"}, {s->totals->gauges[i].name}},
               s->totals->gauges[i].value);
}

static void print_reclaims(const struct mr_snapshot *s, struct mr_buf *out)
{
    const struct {
        const char *cause;
        uint64_t n;
    } rows[] = {
        {"back",    s->reaper.jobs_back   },
        {"settled", s->reaper.jobs_settled},
        {"crash",   s->reaper.crashes     },
        {"suspect", s->reaper.suspects    },
        {"timeout", s->reaper.timeouts    },
        {"lost",    s->reaper.lost        },
    };
    struct family f = begin(out, "millrace_reclaimed_jobs_total", "counter",
                            "Jobs taken from workers that died, by what became of them.");

    for (size_t r = 0; r < MR_COUNT(rows); r++)
        sample(f, &(struct labels){{"cause"}, {rows[r].cause}}, rows[r].n);
    single(out, "millrace_reaps_total", "counter", "Dead workers whose leases were taken back.",
           s->reaper.reaps);
}

static void print_dispatcher(const struct mr_snapshot *s, struct mr_buf *out)
{
    struct family f = begin(out, "millrace_build_info", "gauge",
                            "1; the labels name what runs here and what Redis promises.");

    sample(f,
           &(struct labels){
               {"version",  "redis_version",  "durability" },
               {s->version, s->redis_version, s->durability}
    },
           1);
    single(out, "millrace_ready", "gauge", "1 when /ready says yes.", s->ready);
    single(out, "millrace_dispatchers", "gauge", "Dispatchers alive on this Redis.",
           s->dispatchers);
    single(out, "millrace_redis_up", "gauge", "1 while Redis serves the dispatcher.",
           s->redis_up);
    single(out, "millrace_redis_reconnects_total", "counter",
           "Connections to Redis that the dispatcher lost.", s->redis_reconnects);
    single(out, "millrace_promoted_jobs_total", "counter",
           "Delayed jobs that became ready through this dispatcher.", s->promoted);
    single(out, "millrace_dead_dropped_total", "counter",
           "Dead letters dropped because they were too old.", s->audit.dead_expired);
    single(out, "millrace_start_time_seconds", "gauge",
           "When the dispatcher started, in unix time.", s->started_at_ms / 1000);
}

void mr_metrics_print(const struct mr_snapshot *snapshot, struct mr_buf *out)
{
    print_dispatcher(snapshot, out);
    print_pool_sizes(snapshot, out);
    print_exits(snapshot, out);
    print_queues(snapshot, out);
    print_jobs(snapshot, out);
    print_times(snapshot, out);
    print_worker_counts(snapshot, out);
    print_handler_counts(snapshot, out);
    print_reclaims(snapshot, out);
}
