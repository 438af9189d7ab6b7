#include "worker/threads.h"

#include "tests/support/suite.h"
#include "worker/delivery.h"
#include "worker/handler.h"

#include <string.h>

enum { N = 50 };

static uv_loop_t loop;
static struct mr_page page;
static struct mr_recorder recorder;
static struct mr_threads *threads;
static struct mr_delivery deliveries[N];
static unsigned n_started, n_done;
static struct mr_delivery *started[N];
static uv_sem_t go;

static void on_started(void *arg, struct mr_delivery *delivery)
{
    (void)arg;
    started[n_started++] = delivery;
}

static void on_done(void *arg, struct mr_delivery *delivery)
{
    (void)arg;
    ck_assert_int_eq(delivery->outcome.kind, MR_OUTCOME_DONE);
    n_done++;
}

static struct mr_outcome wait_for_go(void *state, struct mr_job *job)
{
    (void)state;
    (void)job;
    uv_sem_wait(&go);
    return mr_outcome_done();
}

static const struct mr_handler handler = {.name = "test.wait", .run = wait_for_go};

static void init(unsigned max, uint64_t idle_ms)
{
    static const char *const queues[] = {"default"};
    const struct mr_page_shape shape = {1, 1, N, 8};
    const struct mr_threads_events events = {on_started, on_done, NULL};

    uv_loop_init(&loop);
    uv_sem_init(&go, 0);
    ck_assert_int_eq(mr_page_create_private(&shape, "w-1", "test", queues, &page, NULL), MR_OK);
    mr_recorder_init(&recorder, &page);
    ck_assert_int_eq(mr_threads_new(&loop, &recorder, max, idle_ms, &events, &threads, NULL),
                     MR_OK);
    for (unsigned i = 0; i < N; i++) {
        const struct mr_address address = {0};

        mr_delivery_begin(&deliveries[i], &address, NULL);
        deliveries[i].place = i;
        deliveries[i].handler = &handler;
    }
}

static void submit(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        mr_threads_submit(threads, &deliveries[i]);
}

static void let_run(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        uv_sem_post(&go);
}

static void wait_done(unsigned n)
{
    while (n_done < n)
        uv_run(&loop, UV_RUN_ONCE);
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static void fini(void)
{
    bool closed = false;

    mr_threads_close(threads, on_closed, &closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert(closed);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    mr_page_unmap(&page);
}

START_TEST(as_many_threads_as_there_is_work_and_no_more)
{
    init(4, 60000);
    submit(2);
    ck_assert_uint_eq(mr_threads_alive(threads), 2);
    let_run(2);
    wait_done(2);
    mr_threads_submit(threads, &deliveries[2]);
    ck_assert_uint_eq(mr_threads_alive(threads), 2);
    let_run(1);
    wait_done(3);
    fini();
}
END_TEST

START_TEST(what_finds_no_thread_waits_in_order)
{
    init(3, 60000);
    submit(N);
    ck_assert_uint_eq(n_started, 3);
    let_run(N);
    wait_done(N);
    ck_assert_uint_eq(mr_threads_alive(threads), 3);
    for (unsigned i = 0; i < N; i++)
        ck_assert_ptr_eq(started[i], &deliveries[i]);
    ck_assert(!mr_threads_busy(threads));
    fini();
}
END_TEST

START_TEST(what_waits_can_be_taken_back)
{
    init(1, 60000);
    submit(3);
    ck_assert(!mr_threads_withdraw(threads, &deliveries[0]));
    ck_assert(mr_threads_withdraw(threads, &deliveries[1]));
    ck_assert(!mr_threads_withdraw(threads, &deliveries[1]));
    let_run(2);
    wait_done(2);
    ck_assert_ptr_eq(started[1], &deliveries[2]);
    fini();
}
END_TEST

START_TEST(idle_threads_end_and_come_back)
{
    init(4, 10);
    submit(3);
    let_run(3);
    wait_done(3);
    while (mr_threads_alive(threads) > 0)
        uv_run(&loop, UV_RUN_ONCE);
    mr_threads_submit(threads, &deliveries[3]);
    let_run(1);
    wait_done(4);
    fini();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {as_many_threads_as_there_is_work_and_no_more, 0},
        {what_finds_no_thread_waits_in_order,          0},
        {what_waits_can_be_taken_back,                 0},
        {idle_threads_end_and_come_back,               0},
    };

    return mr_suite_run("threads", tests);
}
