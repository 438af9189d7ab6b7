/*
 * Everything that can go wrong, at random and all at once: real processes, a real Redis, a network between them, and a seed that
 * says what happens when. In the end every job that Redis accepted has been done, and nothing is left anywhere.
 *
 * MILLRACE_SEED=n repeats a run as far as real processes can be repeated.
 */
#include "proto/base/clock.h"
#include "proto/base/random.h"
#include "proto/scripts.h"
#include "tests/support/mill.h"
#include "tests/support/proxy.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    JOBS = 20000,       /* more than can be pushed meanwhile */
    TWINS = 200,        /* jobs of equal bytes, at most */
    TROUBLE_MS = 40000, /* things go wrong for so long */
    HEALING_MS =
        60000, /* then all must be over within so long: the audit looks every ten seconds */
    FAILS_MOST = 3
};

static const char three_workers[] =
    "lease: 2s\ngrace: 2s\n"
    "pools: { main: { queues: [high, main], processes: 3, concurrency: 5, tries: 0,"
    " max_crashes: 100, backoff: 10ms..50ms } }\n";
static const char *const always[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};
/* Each fails once; a retry does not part them. */
static const char twin[] =
    "{\"uuid\":\"twin\",\"job\":\"ledger.write\",\"data\":{\"ms\":3,\"fail\":1}}";

static struct mr_mill mill;
static struct mr_proxy proxy;
static struct mr_random dice;
static unsigned pushed, twins, dispatches;
static unsigned fails[JOBS]; /* attempts of job n that fail */
static bool holding[2], refusing;
static bool quick; /* jobs that take no time are fetched ahead, many at once */
static pid_t stopped;

static unsigned roll(unsigned below)
{
    return (unsigned)mr_random_below(&dice, below);
}

/* ---- what happens ---- */

static unsigned some_ms(void)
{
    if (quick)
        return roll(50) ? 0 : roll(20);
    return roll(3) ? roll(10) : roll(300);
}

static void push_some(void)
{
    for (unsigned n = 1 + roll(quick ? 40 : 8); n > 0 && pushed < JOBS; n--) {
        fails[pushed] = roll(4) ? 0 : roll(FAILS_MOST);
        mr_mill_push_ledger(&mill, roll(3) ? "main" : "high", pushed, some_ms(), fails[pushed]);
        pushed++;
    }
    if (twins < TWINS && roll(3) == 0) {
        mr_mill_push_raw(&mill, "main", twin, strlen(twin));
        twins++;
    }
}

static pid_t some_worker(void)
{
    pid_t workers[MR_PROC_LIST];
    int n = mr_mill_workers(&mill, 0, workers);

    return n > 0 ? workers[roll((unsigned)n)] : 0;
}

static void kill_a_worker(void)
{
    pid_t pid = some_worker();

    if (pid > 0)
        kill(pid, SIGKILL);
}

static void stop_somebody(void)
{
    if (stopped)
        return;
    stopped = roll(4) ? some_worker() : mill.dispatchers[0].pid;
    if (stopped > 0)
        kill(stopped, SIGSTOP);
}

static void wake_somebody(void)
{
    if (stopped > 0)
        kill(stopped, SIGCONT);
    stopped = 0;
}

static void start_dispatcher(unsigned n_workers)
{
    char kept[160];

    if (dispatches++ > 0) {
        snprintf(kept, sizeof(kept), "%s.%u", mill.dispatchers[0].log, dispatches - 1);
        rename(mill.dispatchers[0].log, kept); /* for whoever reads a failed run */
    }
    mr_mill_dispatch_at(&mill, 0, n_workers, proxy.url);
}

static void kill_the_dispatcher(void)
{
    wake_somebody();
    mr_proc_kill(&mill.dispatchers[0]);
    start_dispatcher(0);
}

static void kill_redis(void)
{
    mr_redis_kill(&mill.redis);
    mr_redis_again(&mill.redis, always);
}

static void forget_scripts(void)
{
    freeReplyObject(mr_redis_ask(&mill.redis, "SCRIPT FLUSH"));
}

static void cut_all(void)
{
    mr_proxy_cut(&proxy);
}

static void cut_one_somewhere(void)
{
    mr_proxy_cut_after(&proxy, roll(2) ? MR_TO_SERVER : MR_TO_CLIENT, 1 + roll(3000));
}

static void trap_one(void)
{
    static const enum mr_script scripts[] = {MR_SCRIPT_FETCH, MR_SCRIPT_RETRY, MR_SCRIPT_BACK,
                                             MR_SCRIPT_WOKEN, MR_SCRIPT_CLOSE, MR_SCRIPT_RENEW};
    static const char *const words[] = {"\r\nLRANGE\r\n", "\r\nDEL\r\n",    "\r\nLSET\r\n",
                                        "\r\nBLMOVE\r\n", "\r\nZSCORE\r\n", "\r\nEXISTS\r\n"};
    enum mr_proxy_trap trap = roll(2) ? MR_TRAP_LOSE_REPLY : MR_TRAP_CUT_BEFORE;

    mr_proxy_trap(&proxy, trap,
                  roll(2) ? mr_script_row(scripts[roll(MR_COUNT(scripts))])->sha1
                          : words[roll(MR_COUNT(words))]);
}

static void hold_or_pass(void)
{
    unsigned side = roll(2);

    if (holding[side])
        mr_proxy_pass(&proxy, (enum mr_proxy_side)side);
    else
        mr_proxy_hold(&proxy, (enum mr_proxy_side)side);
    holding[side] = !holding[side];
}

/* What was on its way to Redis stays there, to arrive some day. */
static void cut_and_keep(void)
{
    mr_proxy_hold(&proxy, MR_TO_SERVER);
    for (unsigned n = 1 + roll(20); n > 0; n--)
        mr_wait_a_moment();
    mr_proxy_cut(&proxy);
    mr_proxy_pass(&proxy, MR_TO_SERVER);
    holding[MR_TO_SERVER] = false;
}

static void deliver(void)
{
    mr_proxy_deliver(&proxy, 1 + roll(2));
}

static void refuse_or_accept(void)
{
    refusing = !refusing;
    mr_proxy_refuse(&proxy, refusing);
}

/* How often, out of all, and what. */
static const struct {
    unsigned share;
    void (*happen)(void);
} events[] = {
    {200, push_some          },
    {14,  kill_a_worker      },
    {6,   stop_somebody      },
    {12,  wake_somebody      },
    {1,   kill_the_dispatcher},
    {1,   kill_redis         },
    {6,   forget_scripts     },
    {6,   cut_all            },
    {12,  cut_one_somewhere  },
    {20,  trap_one           },
    {6,   hold_or_pass       },
    {8,   cut_and_keep       },
    {6,   deliver            },
    {3,   refuse_or_accept   },
};

static void something_happens(void)
{
    unsigned all = 0, at;

    for (size_t i = 0; i < MR_COUNT(events); i++)
        all += events[i].share;
    at = roll(all);
    for (size_t i = 0; i < MR_COUNT(events); i++) {
        if (at < events[i].share) {
            events[i].happen();
            return;
        }
        at -= events[i].share;
    }
}

static void all_is_well_again(void)
{
    mr_proxy_refuse(&proxy, false);
    mr_proxy_pass(&proxy, MR_TO_SERVER);
    mr_proxy_pass(&proxy, MR_TO_CLIENT);
    mr_proxy_deliver(&proxy, 1);
    wake_somebody();
}

/* ---- what became of it ---- */

/* From the ledger: how often each job ended in an attempt that does not fail. */
struct outcome {
    unsigned done[JOBS], twins, ends;
};

static void read_ledger(struct outcome *out)
{
    FILE *file = fopen(mill.ledger, "re");
    char line[160];

    memset(out, 0, sizeof(*out));
    while (file && fgets(line, sizeof(line), file)) {
        unsigned n, attempt;

        out->ends += line[0] == 'e';
        if (sscanf(line, "e job-%u %*d %u", &n, &attempt) == 2 && n < JOBS)
            out->done[n] += attempt > fails[n];
        else if (sscanf(line, "e twin %*d %u", &attempt) == 1)
            out->twins += attempt > 1;
    }
    if (file)
        fclose(file);
}

static bool is_over(void)
{
    return mr_mill_is_empty(&mill, "high") && mr_mill_is_empty(&mill, "main");
}

/* What Redis still holds, for the one who reads a failed run. */
static void show_what_is_left(void)
{
    redisReply *keys = mr_redis_ask(&mill.redis, "KEYS *");

    for (size_t i = 0; i < keys->elements; i++) {
        redisReply *type = mr_redis_ask(&mill.redis, "TYPE %s", keys->element[i]->str);

        fprintf(stderr, "  %s %s\n", type->str, keys->element[i]->str);
        freeReplyObject(type);
    }
    freeReplyObject(keys);
}

static void await_the_end(void)
{
    uint64_t end_ms = mr_clock_ms() + HEALING_MS;

    while (!is_over() && mr_clock_ms() < end_ms)
        mr_wait_a_moment();
    if (is_over())
        return;
    show_what_is_left();
    ck_abort_msg("not all is done %d s after the trouble ended: %s", HEALING_MS / 1000,
                 mill.redis.dir);
}

static uint64_t seed(void)
{
    const char *given = getenv("MILLRACE_SEED");

    return given ? strtoull(given, NULL, 10) : mr_clock_us() % 1000000;
}

START_TEST(whatever_happens_every_job_is_done_and_nothing_stays_behind)
{
    uint64_t chosen = seed();
    static struct outcome outcome;

    printf("# MILLRACE_SEED=%llu\n", (unsigned long long)chosen);
    fflush(stdout);
    dice.state = chosen * 2 + 1;
    quick = roll(2) == 0;
    mr_mill_start(&mill, three_workers, always);
    mr_proxy_start(&proxy, mill.redis.dir, mill.redis.socket);
    mr_proxy_only(&proxy, "millrace-w"); /* the workers and their waiters */
    start_dispatcher(3);
    for (uint64_t end_ms = mr_clock_ms() + TROUBLE_MS; mr_clock_ms() < end_ms;) {
        something_happens();
        for (unsigned n = roll(40); n > 0; n--)
            mr_wait_a_moment();
    }
    all_is_well_again();
    await_the_end();
    read_ledger(&outcome);
    for (unsigned n = 0; n < pushed; n++)
        ck_assert_msg(outcome.done[n] > 0, "job-%u (fails %u) was never done: %s", n, fails[n],
                      mill.redis.dir);
    ck_assert_msg(outcome.twins >= twins, "%u twins, %u done: %s", twins, outcome.twins,
                  mill.redis.dir);
    ck_assert_int_eq(mr_mill_dead(&mill, "main") + mr_mill_dead(&mill, "high"), 0);
    unsigned done = outcome.twins;
    for (unsigned n = 0; n < pushed; n++)
        done += outcome.done[n];
    printf("# %u jobs, %u ended twice, %u dispatchers\n", pushed + twins, done - pushed - twins,
           dispatches);
    mr_mill_stop(&mill);
    mr_proxy_stop(&proxy);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {whatever_happens_every_job_is_done_and_nothing_stays_behind, 0},
    };

    return mr_suite_run_slow("chaos", tests, 150);
}
