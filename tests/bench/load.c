/*
 * Puts jobs on a Redis list as fast as a pipeline can, or paced. The envelope is what libmillrace writes, filled up to
 * --bytes: by a header member that no worker knows, or with --fill-data inside of data.
 *
 *     bench-load --socket PATH --key LIST --job NAME --jobs N [--from N] [--bytes 400] [--fill-data]
 *                [--data MEMBERS]    JSON members put into data: '"ms":50'
 *                [--batch 500]       jobs of one RPUSH
 *                [--every-us U]      one RPUSH of one job every U microseconds instead
 *                [--hold L]          keeps the list at L jobs or more, for --seconds S, instead
 *                [--due T]           ZADD with this score instead
 *
 * data holds n, the job's number, and at_ns, the monotonic instant right before its push.
 */
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/base/str.h"
#include "proto/resp.h"

#include <errno.h>
#include <getopt.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IN_FLIGHT = 4, PAUSE_US = 200 };

struct load {
    redisContext *redis;
    const char *socket, *key, *job, *data, *due;
    uint64_t jobs, from, bytes, batch, every_us, hold, seconds;
    bool fill_data;
    struct mr_buf command, payload, fill;
    uint64_t n_pushed;
};

static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "bench-load: %s: %s\n", what, why);
    exit(70);
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_until_us(uint64_t at_us)
{
    struct timespec at = {.tv_sec = (time_t)(at_us / 1000000),
                          .tv_nsec = (long)(at_us % 1000000 * 1000)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

/* ---- the payload ---- */

static void write_payload(struct load *load, uint64_t n, const char *in_data,
                          const char *in_header)
{
    struct mr_buf *out = &load->payload;
    uint64_t wall_ms = mr_clock_wall_ms();

    mr_buf_clear(out);
    mr_buf_printf(out,
                  "{\"uuid\":\"0192f5b0-0000-7000-8000-%012" PRIu64
                  "\",\"displayName\":\"%s\",\"job\":\"%s\",\"data\":{\"n\":%" PRIu64
                  ",\"at_ns\":%" PRId64 ",\"to\":\"ann@example.org\",\"lang\":\"en\"%s%s",
                  n, load->job, load->job, n, now_ns(), load->data[0] ? "," : "", load->data);
    if (in_data)
        mr_buf_printf(out, ",\"body\":\"%s\"", in_data);
    mr_buf_printf(out,
                  "},\"id\":\"0192f5b0-0000-7000-8000-%012" PRIu64 "\",\"pushedAt\":%" PRIu64
                  ".%03u",
                  n, wall_ms / 1000, (unsigned)(wall_ms % 1000));
    if (in_header)
        mr_buf_printf(out, ",\"sentBy\":\"%s\"", in_header);
    mr_buf_text(out, ",\"attempts\":0}");
}

/* As long as the rest leaves room for, measured on the last job's payload. */
static void make_fill(struct load *load)
{
    write_payload(load, load->from + load->jobs, load->fill_data ? "" : NULL,
                  load->fill_data ? NULL : "");
    if (load->payload.len > load->bytes)
        load->bytes = load->payload.len;
    for (size_t i = load->payload.len; i < load->bytes; i++)
        mr_buf_char(&load->fill, (char)('a' + i % 26));
    mr_buf_add(&load->fill, "", 0);
}

static void add_payload(struct load *load, uint64_t n)
{
    const char *fill = load->fill.len ? load->fill.at : "";

    write_payload(load, n, load->fill_data ? fill : NULL, load->fill_data ? NULL : fill);
    mr_resp_word(&load->command, load->payload.at, load->payload.len);
}

/* ---- pushing ---- */

static void write_command(struct load *load, uint64_t n_jobs)
{
    uint64_t n = load->from + load->n_pushed;

    mr_buf_clear(&load->command);
    mr_resp_begin(&load->command, 2 + (load->due ? 2 : 1) * n_jobs);
    mr_resp_text(&load->command, load->due ? "ZADD" : "RPUSH");
    mr_resp_text(&load->command, load->key);
    for (uint64_t i = 0; i < n_jobs; i++) {
        if (load->due)
            mr_resp_text(&load->command, load->due);
        add_payload(load, n + i);
    }
    load->n_pushed += n_jobs;
    redisAppendFormattedCommand(load->redis, load->command.at, load->command.len);
}

/* What Redis says: the length of the list. */
static uint64_t answer(struct load *load)
{
    redisReply *reply = NULL;

    if (redisGetReply(load->redis, (void **)&reply) != REDIS_OK)
        give_up("redis", load->redis->errstr);
    if (reply->type != REDIS_REPLY_INTEGER)
        give_up("redis says", reply->str ? reply->str : "no number");
    uint64_t length = (uint64_t)reply->integer;
    freeReplyObject(reply);
    return length;
}

static void push_fast(struct load *load)
{
    unsigned in_flight = 0;

    while (load->n_pushed < load->jobs) {
        uint64_t left = load->jobs - load->n_pushed;

        write_command(load, left < load->batch ? left : load->batch);
        if (++in_flight == IN_FLIGHT) {
            answer(load);
            in_flight--;
        }
    }
    while (in_flight-- > 0)
        answer(load);
}

static void push_paced(struct load *load)
{
    uint64_t next_us = mr_clock_us();

    while (load->n_pushed < load->jobs) {
        sleep_until_us(next_us += load->every_us);
        write_command(load, 1);
        answer(load);
    }
}

/* Looks at the list's length, pushes a batch where it is short, rests where it is not. */
static void push_held(struct load *load)
{
    uint64_t until_us = mr_clock_us() + load->seconds * 1000000;

    while (mr_clock_us() < until_us) {
        redisAppendCommand(load->redis, "LLEN %s", load->key);
        if (answer(load) >= load->hold) {
            sleep_until_us(mr_clock_us() + PAUSE_US);
            continue;
        }
        write_command(load, load->batch);
        answer(load);
    }
}

static void parse(struct load *load, int argc, char **argv)
{
    static const struct option options[] = {
        {"socket",    required_argument, NULL, 's'},
        {"key",       required_argument, NULL, 'k'},
        {"job",       required_argument, NULL, 'j'},
        {"jobs",      required_argument, NULL, 'n'},
        {"from",      required_argument, NULL, 'f'},
        {"bytes",     required_argument, NULL, 'b'},
        {"fill-data", no_argument,       NULL, 'F'},
        {"data",      required_argument, NULL, 'd'},
        {"batch",     required_argument, NULL, 'B'},
        {"every-us",  required_argument, NULL, 'u'},
        {"hold",      required_argument, NULL, 'h'},
        {"seconds",   required_argument, NULL, 'S'},
        {"due",       required_argument, NULL, 'D'},
        {NULL,        0,                 NULL, 0  },
    };

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;

        switch (o) {
        case 's':
            load->socket = optarg;
            break;
        case 'k':
            load->key = optarg;
            break;
        case 'j':
            load->job = optarg;
            break;
        case 'n':
            load->jobs = number;
            break;
        case 'f':
            load->from = number;
            break;
        case 'b':
            load->bytes = number;
            break;
        case 'F':
            load->fill_data = true;
            break;
        case 'd':
            load->data = optarg;
            break;
        case 'B':
            load->batch = number;
            break;
        case 'u':
            load->every_us = number;
            break;
        case 'h':
            load->hold = number;
            break;
        case 'S':
            load->seconds = number;
            break;
        case 'D':
            load->due = optarg;
            break;
        default:
            exit(64);
        }
    }
    if (!load->socket || !load->key || !load->job || load->batch == 0)
        give_up("usage", "--socket PATH --key LIST --job NAME --jobs N");
}

int main(int argc, char **argv)
{
    struct load load = {.data = "", .bytes = 400, .batch = 500};

    parse(&load, argc, argv);
    load.redis = redisConnectUnix(load.socket);
    if (!load.redis || load.redis->err)
        give_up(load.socket, load.redis ? load.redis->errstr : "no memory");
    make_fill(&load);
    uint64_t began_us = mr_clock_us();
    if (load.hold)
        push_held(&load);
    else if (load.every_us)
        push_paced(&load);
    else
        push_fast(&load);
    printf("{\"jobs\":%" PRIu64 ",\"seconds\":%.6f}\n", load.n_pushed,
           (double)(mr_clock_us() - began_us) / 1e6);
    return 0;
}
