/*
 * A worker and a producer for beanstalkd, as lean as its protocol allows for one job at a time: the deletion of a job and the
 * wish for the next travel in one packet.
 *
 *     bench-beanstalkd fill JOBS | pace JOBS | work
 *
 * MILLRACE_BENCH_SOCKET names the server's socket. pace pushes a job every 5 ms; work sleeps MILLRACE_BENCH_MS in each job.
 */
#include "tests/bench/record.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { BATCH = 500, PACE_US = 5000, BODY_BYTES = 512, ANSWER_BYTES = 128 };

struct link {
    FILE *in;
    int fd;
};

static volatile sig_atomic_t asked_to_stop;

static void give_up(const char *what)
{
    fprintf(stderr, "bench-beanstalkd: %s: %s\n", what, strerror(errno));
    exit(70);
}

static struct link dial(void)
{
    const char *path = getenv("MILLRACE_BENCH_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (!path || fd < 0)
        give_up("MILLRACE_BENCH_SOCKET");
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        give_up(path);
    return (struct link){.in = fdopen(fd, "r"), .fd = fd};
}

static void say(struct link *link, const char *text, size_t len)
{
    for (size_t sent = 0; sent < len;) {
        ssize_t n = write(link->fd, text + sent, len - sent);

        if (n < 0 && errno != EINTR)
            give_up("write");
        sent += n > 0 ? (size_t)n : 0;
    }
}

/* One line of answer that begins with what is wanted; false when a signal came instead. */
static bool hear(struct link *link, const char *wanted, char line[ANSWER_BYTES])
{
    if (!fgets(line, ANSWER_BYTES, link->in)) {
        if (asked_to_stop)
            return false;
        give_up("the server left");
    }
    if (strncmp(line, wanted, strlen(wanted)) != 0) {
        fprintf(stderr, "bench-beanstalkd: wanted %s, heard %s", wanted, line);
        exit(70);
    }
    return true;
}

/* ---- the producer ---- */

static size_t write_put(char *out, size_t room, int64_t n)
{
    char body[BODY_BYTES];
    int bytes = snprintf(body, sizeof(body),
                         "{\"n\":%" PRId64 ",\"at_ns\":%" PRId64
                         ",\"to\":\"ann@example.org\",\"lang\":\"en\",\"body\":\"%0120d\"}",
                         n, record_now_ns(), 0);

    return (size_t)snprintf(out, room, "put 1024 0 600 %d\r\n%s\r\n", bytes, body);
}

static void fill(struct link *link, int64_t jobs)
{
    static char puts_[BATCH * (BODY_BYTES + 64)];
    char answer[ANSWER_BYTES];

    for (int64_t n = 0; n < jobs;) {
        int64_t batch = jobs - n < BATCH ? jobs - n : BATCH;
        size_t len = 0;

        for (int64_t i = 0; i < batch; i++)
            len += write_put(puts_ + len, sizeof(puts_) - len, n++);
        say(link, puts_, len);
        for (int64_t i = 0; i < batch; i++)
            hear(link, "INSERTED", answer);
    }
}

static void pace(struct link *link, int64_t jobs)
{
    char put[BODY_BYTES + 64], answer[ANSWER_BYTES];
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    for (int64_t n = 0; n < jobs; n++) {
        at.tv_nsec += PACE_US * 1000;
        if (at.tv_nsec >= 1000000000) {
            at.tv_sec++;
            at.tv_nsec -= 1000000000;
        }
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
            ;
        say(link, put, write_put(put, sizeof(put), n));
        hear(link, "INSERTED", answer);
    }
}

/* ---- the worker ---- */

static void on_signal(int signal)
{
    (void)signal;
    asked_to_stop = 1;
}

static void listen_to_signals(void)
{
    struct sigaction action = {.sa_handler =
                                   on_signal}; /* no SA_RESTART: a waiting read ends */

    sigaction(SIGTERM, &action, NULL);
}

static void work(struct link *link, long ms)
{
    FILE *record = record_open();
    const struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    char line[ANSWER_BYTES], body[BODY_BYTES], ask[ANSWER_BYTES] = "reserve\r\n";
    bool deleting = false;

    if (!record)
        give_up("MILLRACE_BENCH_RECORDS");
    listen_to_signals();
    for (;;) {
        uint64_t id;
        size_t bytes;

        say(link, ask, strlen(ask));
        if (deleting && !hear(link, "DELETED", line))
            break;
        if (!hear(link, "RESERVED", line))
            break;
        if (sscanf(line, "RESERVED %" SCNu64 " %zu", &id, &bytes) != 2 ||
            bytes + 2 >= sizeof(body) || fread(body, 1, bytes + 2, link->in) != bytes + 2)
            give_up(line);
        body[bytes] = '\0';
        record_start(record, body);
        if (ms > 0)
            nanosleep(&span, NULL);
        snprintf(ask, sizeof(ask), "delete %" PRIu64 "\r\nreserve\r\n", id);
        deleting = true;
    }
    fclose(record);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "", *ms = getenv("MILLRACE_BENCH_MS");
    struct link link = dial();

    if (strcmp(what, "fill") == 0 && argc == 3)
        fill(&link, strtol(argv[2], NULL, 10));
    else if (strcmp(what, "pace") == 0 && argc == 3)
        pace(&link, strtol(argv[2], NULL, 10));
    else if (strcmp(what, "work") == 0 && argc == 2)
        work(&link, ms ? strtol(ms, NULL, 10) : 0);
    else
        return 64;
    return 0;
}
