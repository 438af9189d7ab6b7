/*
 * A module of the tests' own: "ledger.write" notes on paper that it ran. One line at the start ("s <uuid> <pid> <attempt>"), one at the end
 * ("e <uuid> <pid> <attempt>"), each by one write(2) to a file opened for appending, so that many processes can share it. data: {"ms": how long it
 * takes, "fail": attempts that fail first}. The file is named by MILLRACE_LEDGER in the environment.
 */
#include "worker/handler.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

struct ledger {
    uv_loop_t *loop;
    int fd;
};

struct entry {
    uv_timer_t timer;
    struct mr_job *job;
    struct mr_outcome outcome;
    int fd;
};

static enum mr_code open_ledger(struct mr_host *host, void **out, struct mr_err *err)
{
    const char *path = getenv("MILLRACE_LEDGER");
    int fd = path ? open(path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600) : -1;

    if (fd < 0)
        return mr_fail(err, MR_EIO, "MILLRACE_LEDGER names no file that can be written");
    struct ledger *ledger = malloc(sizeof(*ledger));
    *ledger = (struct ledger){mr_host_loop(host), fd};
    *out = ledger;
    return MR_OK;
}

static void close_ledger(void *state)
{
    struct ledger *ledger = state;

    close(ledger->fd);
    free(ledger);
}

static void note(int fd, char what, const struct mr_job *job)
{
    char line[128];
    int len = snprintf(line, sizeof(line), "%c %s %d %u\n", what, mr_job_uuid(job),
                       (int)getpid(), mr_job_attempt(job));

    if (write(fd, line, (size_t)len) != len)
        abort(); /* without evidence the test means nothing */
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_time(uv_timer_t *timer)
{
    struct entry *entry = timer->data;
    struct mr_job *job = entry->job;
    struct mr_outcome outcome = entry->outcome;

    note(entry->fd, 'e', job);
    uv_close((uv_handle_t *)timer, on_closed);
    mr_job_finish(job, outcome);
}

static struct mr_outcome outcome_of(const struct mr_job *job, json_t *data)
{
    json_int_t failures = json_integer_value(json_object_get(data, "fail"));

    if (mr_job_attempt(job) <= failures)
        return mr_outcome_retry("asked to fail %d times", (int)failures);
    return mr_outcome_done();
}

static void start(void *state, struct mr_job *job)
{
    struct ledger *ledger = state;
    struct mr_err err;
    json_t *data = mr_job_data(job, &err);
    json_int_t ms = json_integer_value(json_object_get(data, "ms"));

    note(ledger->fd, 's', job);
    if (ms <= 0) {
        note(ledger->fd, 'e', job);
        mr_job_finish(job, outcome_of(job, data));
        return;
    }
    struct entry *entry = malloc(sizeof(*entry));
    *entry = (struct entry){.job = job, .outcome = outcome_of(job, data), .fd = ledger->fd};
    uv_timer_init(ledger->loop, &entry->timer);
    entry->timer.data = entry;
    mr_job_set(job, entry);
    uv_timer_start(&entry->timer, on_time, (uint64_t)ms, 0);
}

static void cancel(void *state, struct mr_job *job)
{
    struct entry *entry = mr_job_get(job);

    (void)state;
    mr_outcome_fini(&entry->outcome);
    uv_close((uv_handle_t *)&entry->timer, on_closed);
    mr_job_finish(job, mr_outcome_retry("cancelled"));
}

static const struct mr_handler ledger_write = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "ledger.write",
    .open = open_ledger,
    .close = close_ledger,
    .start = start,
    .cancel = cancel,
};

__attribute__((visibility("default")))
const struct mr_handler *const mr_handlers[] = {&ledger_write, NULL};
