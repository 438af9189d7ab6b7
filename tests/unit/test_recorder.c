#include "worker/recorder.h"

#include "proto/base/mem.h"
#include "tests/support/suite.h"
#include "worker/delivery.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct mr_page page;
static struct mr_recorder recorder;

static void init(void)
{
    static const char *const queues[] = {"high", "low"};
    const struct mr_page_shape shape = {2, 3, 4, 2};

    ck_assert_int_eq(mr_page_create_private(&shape, "w-3", "test", queues, &page, NULL), MR_OK);
    mr_recorder_init(&recorder, &page);
}

static struct mr_delivery delivery_of(const char *uuid, double pushed_at_s)
{
    return (struct mr_delivery){
        .address = {.queue = 1, .k = 2,          .index = 3},
        .envelope = {.uuid = mr_bytes_of(uuid),          .pushed_at_s = pushed_at_s},
        .deadline_at_ms = UINT64_MAX,
        .started_us = 7000,
    };
}

START_TEST(a_place_goes_from_parsing_to_running_to_free)
{
    struct mr_delivery d = delivery_of("0190", -1);

    init();
    const struct mr_page_place *place = &page.places[1];
    mr_recorder_place_parsing(&recorder, 1, 1, 2, 3);
    ck_assert_uint_eq(place->state, MR_PLACE_PARSING);
    ck_assert_uint_eq(place->queue, 1);
    ck_assert_uint_eq(place->k, 2);
    ck_assert_uint_eq(place->index, 3);
    mr_recorder_place_running(&recorder, 1, &d);
    ck_assert_uint_eq(place->state, MR_PLACE_RUNNING);
    ck_assert_uint_eq(place->attempt, 1);
    ck_assert_uint_eq(place->started_at_ms, 7);
    ck_assert_uint_eq(place->deadline_at_ms, 0);
    ck_assert_str_eq(place->uuid, "0190");
    mr_recorder_place_timed_out(&recorder, 1);
    ck_assert_uint_eq(place->timed_out, 1);
    mr_recorder_place_state(&recorder, 1, MR_PLACE_FREE);
    ck_assert_uint_eq(place->state, MR_PLACE_FREE);
    /* The next job of the place does not inherit. */
    mr_recorder_place_parsing(&recorder, 1, 0, 0, 0);
    ck_assert_uint_eq(place->timed_out, 0);
    ck_assert_str_eq(place->uuid, "");
}
END_TEST

START_TEST(a_long_uuid_is_cut)
{
    char uuid[2 * MR_PAGE_UUID] = "";

    memset(uuid, '0', sizeof(uuid) - 1);
    struct mr_delivery d = delivery_of(uuid, -1);
    init();
    mr_recorder_place_running(&recorder, 0, &d);
    ck_assert_uint_eq(strlen(page.places[0].uuid), sizeof(page.places[0].uuid) - 1);
}
END_TEST

static const unsigned indexes[] = {0, 63, 64, 127};

START_TEST(each_place_of_a_lease_has_its_bit)
{
    unsigned i = indexes[_i];

    init();
    const struct mr_page_lease *lease = mr_page_lease_of(&page, 1, 2);
    mr_recorder_lease_held(&recorder, 1, 2, 128);
    ck_assert_uint_eq(lease->n, 128);
    mr_recorder_lease_done(&recorder, 1, 2, i);
    mr_recorder_lease_settling(&recorder, 1, 2, 127 - i);
    ck_assert_uint_eq(lease->done[i / 64], UINT64_C(1) << i % 64);
    ck_assert_uint_eq(lease->done[1 - i / 64], 0);
    ck_assert_uint_eq(lease->settling[1 - i / 64], UINT64_C(1) << (127 - i) % 64);
    mr_recorder_lease_gone(&recorder, 1, 2);
    ck_assert_uint_eq(lease->n, 0);
    mr_recorder_lease_held(&recorder, 1, 2, 1);
    ck_assert_uint_eq(lease->done[i / 64], 0);
}
END_TEST

static const struct {
    double pushed_at_s;
    int64_t attempts, delay_s;
    uint64_t run_us, waited_us;
    bool counts;
} waits[] = {
    {1000.0, 0, -1, 2000000,      3000000, true },
    {1000.0, 0, 2,  2000000,      1000000, true }, /* its delay is no waiting */
    {2000.0, 0, -1, 2000000,      0,       true }, /* the producer's clock is ahead */
    {-1,     0, -1, 2000000,      0,       false},
    {1000.0, 1, -1, 2000000,      0,       false}, /* a retry waited for its backoff */
    {1000.0, 0, -1, MR_NEVER_RAN, 0,       false},
};

START_TEST(waits_are_counted_of_first_attempts)
{
    struct mr_delivery d = delivery_of("u", waits[_i].pushed_at_s);

    init();
    d.attempt.attempts = waits[_i].attempts;
    d.envelope.delay_s = waits[_i].delay_s;
    mr_recorder_finished(&recorder, &d, MR_PAGE_RETRY, waits[_i].run_us, 1005000);
    ck_assert_uint_eq(page.waits[1].count, waits[_i].counts);
    ck_assert_uint_eq(page.waits[1].sum_us, waits[_i].waited_us);
    ck_assert_uint_eq(page.header->run[0].count, waits[_i].run_us != MR_NEVER_RAN);
    ck_assert_uint_eq(*mr_page_verdict_of(&page, 1, 0, MR_PAGE_RETRY), 1);
}
END_TEST

START_TEST(the_ring_keeps_the_newest)
{
    char uuid[16];

    init();
    for (int i = 0; i < MR_PAGE_RING + 5; i++) {
        snprintf(uuid, sizeof(uuid), "u-%d", i);
        struct mr_delivery d = delivery_of(uuid, -1);

        mr_recorder_finished(&recorder, &d, MR_PAGE_DONE, 10, (uint64_t)i);
    }
    ck_assert_uint_eq(page.header->ring_next, MR_PAGE_RING + 5);
    ck_assert_str_eq(page.header->ring[4].uuid, "u-260");
    ck_assert_str_eq(page.header->ring[5].uuid, "u-5");
    ck_assert_uint_eq(page.header->ring[4].seq, 4);
    ck_assert_uint_eq(page.header->ring[4].at_ms, 260);
}
END_TEST

/* Stack upon stack, until there is none: the handler must have one of its own. */
static unsigned overflow(unsigned depth, const volatile char *below)
{
    volatile char frame[4096];

    frame[0] = below ? below[0] : 1;
    return depth == 0 ? 0 : frame[0] + overflow(depth - 1, frame) + (unsigned)frame[1];
}

static void *crash_in_thread(void *arg)
{
    (void)arg;
    mr_recorder_thread(&recorder, 2);
    mr_recorder_enter(&recorder, 2, 3);
    raise(SIGBUS);
    return NULL;
}

static void *crash_in_strange_thread(void *arg)
{
    (void)arg;
    raise(SIGILL);
    return NULL;
}

static void crash_on_the_loop(void)
{
    mr_recorder_enter(&recorder, 0, 1);
    overflow(UINT_MAX, NULL);
}

static void crash_in(void *(*body)(void *))
{
    pthread_t thread;

    mr_recorder_enter(&recorder, 0, 1);
    pthread_create(&thread, NULL, body, NULL);
    pthread_join(thread, NULL);
}

static const struct {
    int signal;
    uint32_t place;
} crashes[] = {
    {SIGSEGV, 1             },
    {SIGBUS,  3             },
    {SIGILL,  MR_PAGE_NOBODY},
};

START_TEST(a_crash_notes_its_signal_and_its_threads_place)
{
    int status;

    init();
    /* The child writes the same page. */
    struct mr_page_header *header =
        mmap(NULL, page.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(header, MAP_FAILED);
    memcpy(header, page.header, sizeof(*header));
    page.header = header;
    pid_t child = fork();
    if (child == 0) {
        mr_recorder_catch_crashes(&recorder);
        if (_i == 0)
            crash_on_the_loop();
        else
            crash_in(_i == 1 ? crash_in_thread : crash_in_strange_thread);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), crashes[_i].signal);
    ck_assert_uint_eq(header->crash_signal, crashes[_i].signal);
    ck_assert_uint_eq(header->crash_place, crashes[_i].place);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_place_goes_from_parsing_to_running_to_free,   0                },
        {a_long_uuid_is_cut,                             0                },
        {each_place_of_a_lease_has_its_bit,              MR_COUNT(indexes)},
        {waits_are_counted_of_first_attempts,            MR_COUNT(waits)  },
        {the_ring_keeps_the_newest,                      0                },
        {a_crash_notes_its_signal_and_its_threads_place, MR_COUNT(crashes)},
    };

    return mr_suite_run("recorder", tests);
}
