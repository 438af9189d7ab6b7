#include "worker/deadline.h"

#include "tests/support/suite.h"
#include "worker/delivery.h"

enum { N = 200 };

static uv_loop_t loop;
static struct mr_deadlines deadlines;
static struct mr_delivery deliveries[N];
static struct mr_delivery *due[N];
static unsigned n_due;

static void on_due(void *arg, struct mr_delivery *delivery)
{
    (void)arg;
    due[n_due++] = delivery;
}

static void init(void)
{
    uv_loop_init(&loop);
    mr_deadlines_init(&deadlines, &loop, N, on_due, NULL);
}

static void turn_until(unsigned n)
{
    uv_ref((uv_handle_t *)&deadlines.timer); /* nothing else is open here */
    while (n_due < n)
        uv_run(&loop, UV_RUN_ONCE);
}

static void fini(void)
{
    mr_deadlines_close(&deadlines, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

/* Deadlines in the order of a multiplicative walk: neither sorted nor in reverse. */
static uint64_t at_ms(unsigned i)
{
    return uv_now(&loop) + 1 + i * 37u % N / 8;
}

START_TEST(the_earliest_is_due_first)
{
    init();
    for (unsigned i = 0; i < N; i++)
        mr_deadlines_add(&deadlines, &deliveries[i], at_ms(i));
    turn_until(N);
    for (unsigned i = 1; i < N; i++)
        ck_assert_uint_le(due[i - 1]->due_ms, due[i]->due_ms);
    fini();
}
END_TEST

START_TEST(what_was_removed_is_never_due)
{
    init();
    for (unsigned i = 0; i < N; i++)
        mr_deadlines_add(&deadlines, &deliveries[i], at_ms(i));
    for (unsigned i = 0; i < N; i += 3)
        mr_deadlines_remove(&deadlines, &deliveries[i]);
    mr_deadlines_remove(&deadlines, &deliveries[0]); /* twice is nothing */
    unsigned left = deadlines.n_waiting;
    ck_assert_uint_eq(left, N - (N + 2) / 3);
    turn_until(left);
    for (unsigned i = 0; i < left; i++) {
        ck_assert_uint_ne((unsigned)(due[i] - deliveries) % 3, 0);
        if (i > 0)
            ck_assert_uint_le(due[i - 1]->due_ms, due[i]->due_ms);
    }
    fini();
}
END_TEST

START_TEST(none_is_due_before_its_time)
{
    init();
    uint64_t from_ms = uv_now(&loop);
    mr_deadlines_add(&deadlines, &deliveries[0], from_ms + 60000);
    mr_deadlines_add(&deadlines, &deliveries[1], from_ms + 30);
    turn_until(1);
    ck_assert_ptr_eq(due[0], &deliveries[1]);
    ck_assert_uint_ge(uv_now(&loop), from_ms + 30);
    fini();
}
END_TEST

START_TEST(the_timer_alone_keeps_no_loop_alive)
{
    init();
    mr_deadlines_add(&deadlines, &deliveries[0], uv_now(&loop) + 60000);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    fini();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {the_earliest_is_due_first,           0},
        {what_was_removed_is_never_due,       0},
        {none_is_due_before_its_time,         0},
        {the_timer_alone_keeps_no_loop_alive, 0},
    };

    return mr_suite_run("deadline", tests);
}
