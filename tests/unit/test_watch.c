#include "dispatcher/watch.h"
#include "tests/support/suite.h"

#include <string.h>

enum { WORKERS_MAX = 4 };

static char first[MR_WORKER_MAX], second[MR_WORKER_MAX];

static void draw_workers(void)
{
    mr_worker_make(first, 4);
    mr_worker_make(second, 4);
}

/* What ZRANGE WITHSCORES answers: n pairs out of texts. */
static void see(struct mr_watch *watch, uint64_t now_ms, size_t n, const char *const *texts)
{
    redisReply words[2 * WORKERS_MAX] = {0};
    redisReply *elements[2 * WORKERS_MAX];
    redisReply reply = {.type = REDIS_REPLY_ARRAY, .elements = 2 * n, .element = elements};

    for (size_t i = 0; i < 2 * n; i++) {
        words[i].type = REDIS_REPLY_STRING;
        words[i].str = (char *)(size_t)texts[i];
        words[i].len = strlen(texts[i]);
        elements[i] = &words[i];
    }
    mr_watch_update(watch, &reply, now_ms);
}

static const struct mr_sighting *find(const struct mr_watch *watch, const char *worker)
{
    for (unsigned i = 0; i < watch->n_items; i++)
        if (strcmp(watch->items[i].worker, worker) == 0)
            return &watch->items[i];
    ck_abort_msg("%s was not seen", worker);
}

START_TEST(a_score_stands_still_from_when_it_was_first_seen)
{
    struct mr_watch watch = {0};

    see(&watch, 1000, 2, (const char *const[]){first, "50", second, "60"});
    see(&watch, 2000, 2, (const char *const[]){first, "50", second, "61"});
    ck_assert_uint_eq(mr_watch_still_ms(find(&watch, first), 2000, 1), 1000);
    ck_assert_uint_eq(mr_watch_still_ms(find(&watch, second), 2000, 1), 0);
    mr_watch_fini(&watch);
}
END_TEST

START_TEST(a_worker_that_was_away_is_seen_anew)
{
    struct mr_watch watch = {0};

    see(&watch, 1000, 1, (const char *const[]){first, "50"});
    see(&watch, 2000, 0, NULL);
    see(&watch, 3000, 1, (const char *const[]){first, "50"});
    ck_assert_uint_eq(mr_watch_still_ms(find(&watch, first), 3500, 1), 500);
    mr_watch_fini(&watch);
}
END_TEST

static const struct {
    uint64_t asked_at_ms, trusted_since_ms, still_ms;
} rows[] = {
    {5000, 0,    0   }, /* nothing can be vouched for now */
    {5000, 500,  4000}, /* seen first at 1000 */
    {5000, 3000, 2000}, /* before that there was a gap */
    {5000, 5001, 0   },
    {900,  500,  0   }, /* asked before it was seen */
};

START_TEST(only_time_we_can_vouch_for_counts)
{
    const struct mr_sighting sighting = {.since_ms = 1000};

    ck_assert_uint_eq(
        mr_watch_still_ms(&sighting, rows[_i].asked_at_ms, rows[_i].trusted_since_ms),
        rows[_i].still_ms);
}
END_TEST

START_TEST(a_name_that_is_no_incarnation_is_left_out)
{
    struct mr_watch watch = {0};

    see(&watch, 1000, 3,
        (const char *const[]){"garbage", "1", first, "2",
                              "0123456789012345678901234567890123456789012345678901234567890",
                              "3"});
    ck_assert_uint_eq(watch.n_items, 1);
    ck_assert_str_eq(watch.items[0].score, "2");
    mr_watch_fini(&watch);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_score_stands_still_from_when_it_was_first_seen, 0             },
        {a_worker_that_was_away_is_seen_anew,              0             },
        {only_time_we_can_vouch_for_counts,                MR_COUNT(rows)},
        {a_name_that_is_no_incarnation_is_left_out,        0             },
    };

    draw_workers();
    return mr_suite_run("watch", tests);
}
