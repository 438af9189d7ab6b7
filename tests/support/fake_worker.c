/*
 * Obeys the contract of a worker's fds and runs no job, so that the dispatcher can be tested alone. How it behaves stands in
 * MILLRACE_FAKE: die, config, mute (never ready), deaf (does not stop when told), still (its loop does not turn), stuck,
 * recycle, crash, busy (a job with a deadline in 300 ms beside the stuck one), linger (stays when its dispatcher is gone).
 * MILLRACE_FAKE_REPORT names a file that gets one line for each fact about how it was started.
 */
#include "proto/base/clock.h"
#include "proto/page.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PULSE = 3, PAGE, CONFIG, BEAT_MS = 100, LINGER_MS = 60000 };

static volatile sig_atomic_t terminated;
static bool alone; /* its dispatcher is gone: whatever it plays, it must not outlive its test */

static void on_term(int number)
{
    (void)number;
    terminated = 1;
}

static bool is(const char *behaviour)
{
    const char *how = getenv("MILLRACE_FAKE");

    return how && strstr(how, behaviour);
}

static void say(char word)
{
    if (write(PULSE, &word, 1) != 1)
        exit(70);
}

static void report(int argc, char **argv)
{
    const char *path = getenv("MILLRACE_FAKE_REPORT");
    struct stat config;
    FILE *out = path ? fopen(path, "w") : NULL;

    if (!out)
        return;
    for (int i = 0; i < argc; i++)
        fprintf(out, "arg %s\n", argv[i]);
    for (char **variable = environ; *variable; variable++)
        fprintf(out, "env %s\n", *variable);
    for (int fd = 0; fd < 256; fd++)
        if (fd != fileno(out) && fcntl(fd, F_GETFD) >= 0)
            fprintf(out, "fd %d\n", fd);
    fprintf(out, "leader %d\n", getsid(0) == getpid() && getpgrp() == getpid());
    fprintf(out, "seals %d\n", fcntl(CONFIG, F_GET_SEALS));
    if (fstat(CONFIG, &config) == 0) {
        char text[256] = "";
        ssize_t len = pread(CONFIG, text, sizeof(text) - 1, 0);

        fprintf(out, "config %.*s\n", (int)len, text);
    }
    fclose(out);
}

/* Two jobs: one ignores its deadline, the other has 300 ms left. */
static void run_stuck_jobs(struct mr_page *page)
{
    page->places[0].timed_out = 1;
    atomic_store(&page->places[0].state, MR_PLACE_RUNNING);
    if (is("busy") && page->shape.n_places > 1) {
        page->places[1].deadline_at_ms = mr_clock_ms() + 300;
        atomic_store(&page->places[1].state, MR_PLACE_RUNNING);
    }
    say('h');
}

static void begin(struct mr_page *page)
{
    if (is("die"))
        exit(1);
    if (is("config"))
        exit(78);
    page->header->pid = (uint32_t)getpid();
    atomic_store(&page->header->beat_ms, mr_clock_ms());
    if (is("mute"))
        return;
    say('r');
    if (is("stuck"))
        run_stuck_jobs(page);
    if (is("crash"))
        abort();
    if (is("recycle")) {
        atomic_store(&page->header->finished, 1);
        say('d');
        exit(75);
    }
}

/* True when it was told to stop, or its dispatcher is gone. */
static bool turn(void)
{
    struct pollfd pulse = {.fd = PULSE, .events = POLLIN};
    char word;

    if (poll(&pulse, 1, BEAT_MS) > 0) {
        ssize_t n = read(PULSE, &word, 1);

        alone = n == 0;
        if (alone && is("linger"))
            usleep(LINGER_MS * 1000);
        if (alone || (n == 1 && word == 'q'))
            return true;
    }
    return terminated;
}

int main(int argc, char **argv)
{
    struct mr_page page;
    struct mr_err err;

    signal(SIGTERM, on_term);
    report(argc, argv);
    if (mr_page_map(PAGE, &page, &err) != MR_OK || mr_page_lock(PAGE, &err) != MR_OK) {
        fprintf(stderr, "fake worker: %s\n", err.text);
        return 70;
    }
    begin(&page);
    while (!turn() || (is("deaf") && !alone))
        if (!is("still"))
            atomic_store(&page.header->beat_ms, mr_clock_ms());
    /* A job that is not through keeps the process, as it would a real one. */
    while (is("stuck") && !alone)
        turn();
    return 0;
}
