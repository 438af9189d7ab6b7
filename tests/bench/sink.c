/*
 * A server that takes everything and keeps nothing, on one loop: so fast that it is not what is measured. Prints {"port": N}, ends
 * after so many mails or text messages (or at the end of its standard input) and prints {"taken", "seconds", "bytes", "connections",
 * "most_open"}: the time is that from the first to the last one, so that nobody's start counts.
 *
 *     bench-sink --mails N [--keep FILE]       a mail server
 *     bench-sink --messages N [--keep FILE]    a provider of text messages, over HTTP
 *
 * FILE gets the last mail, or the body of the last request.
 */
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <getopt.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#define SENT                                                                                   \
    "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 58\r\n\r\n"     \
    "{\"sid\":\"SM00000000000000000000000000000001\",\"code\":null}  "

enum { READ_BYTES = 64 << 10 };

struct sink {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_pipe_t input; /* its end is ours */
    bool http;       /* else SMTP */
    unsigned long long wanted, taken, bytes, connections;
    unsigned open, most_open;
    uint64_t first_us, last_us;
    const char *keep;
    char room[READ_BYTES];
};

struct line {
    uv_tcp_t tcp;
    struct sink *sink;
    struct mr_buf in; /* what is not answered yet */
    bool in_message;
};

static void give_up(const char *what, int status)
{
    fprintf(stderr, "bench-sink: %s: %s\n", what, uv_strerror(status));
    exit(70);
}

static void on_closed(uv_handle_t *handle)
{
    struct line *line = handle->data;

    line->sink->open--;
    mr_buf_fini(&line->in);
    free(line);
}

static void hang_up(struct line *line)
{
    if (!uv_is_closing((uv_handle_t *)&line->tcp))
        uv_close((uv_handle_t *)&line->tcp, on_closed);
}

/* A reply is shorter than any socket's buffer. */
static void say(struct line *line, const char *reply)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)reply, (unsigned)strlen(reply));

    if (uv_try_write((uv_stream_t *)&line->tcp, &buf, 1) != (int)buf.len)
        hang_up(line);
}

static void keep(const struct sink *sink, const char *message, size_t len)
{
    FILE *file = sink->keep ? fopen(sink->keep, "we") : NULL;

    if (!file)
        return;
    fwrite(message, 1, len, file);
    fclose(file);
}

/* Without its last line, the dot. */
static void take(struct line *line, const char *message, size_t len)
{
    struct sink *sink = line->sink;

    sink->last_us = mr_clock_us();
    if (sink->taken++ == 0)
        sink->first_us = sink->last_us;
    sink->bytes += len;
    line->in_message = false;
    say(line, sink->http ? SENT : "250 2.0.0 taken\r\n");
    if (sink->taken < sink->wanted)
        return;
    keep(sink, message, len);
    uv_stop(&sink->loop);
}

static void answer(struct line *line, const char *command)
{
    if (strncasecmp(command, "DATA", 4) == 0) {
        line->in_message = true;
        say(line, "354 go on\r\n");
    } else if (strncasecmp(command, "EHLO", 4) == 0) {
        say(line, "250-bench\r\n250-PIPELINING\r\n250 SIZE 100000000\r\n");
    } else {
        say(line, strncasecmp(command, "QUIT", 4) == 0 ? "221 bye\r\n" : "250 ok\r\n");
    }
}

/* The next command, or the whole message; 0 when there is none yet. */
static size_t next_len(const struct line *line)
{
    const char *end = line->in_message ? "\r\n.\r\n" : "\r\n";
    const char *at = line->in.len ? memmem(line->in.at, line->in.len, end, strlen(end)) : NULL;

    return at ? (size_t)(at - line->in.at) + strlen(end) : 0;
}

/* The whole request, and where its body begins; 0 when it is not all there. */
static size_t next_request_len(const struct line *line, size_t *out_body)
{
    const char *end = line->in.len ? memmem(line->in.at, line->in.len, "\r\n\r\n", 4) : NULL;
    const char *length = end ? strcasestr(line->in.at, "\r\nContent-Length:") : NULL;

    if (!length || length > end)
        return 0;
    *out_body = (size_t)(end - line->in.at) + 4;
    size_t len = *out_body + strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
    return len <= line->in.len ? len : 0;
}

/* How much of what came is answered. */
static size_t serve_next(struct line *line)
{
    size_t body = 0, len;

    if (line->sink->http) {
        len = next_request_len(line, &body);
        if (len > 0)
            take(line, line->in.at + body, len - body);
        return len;
    }
    len = next_len(line);
    if (len > 0 && line->in_message)
        take(line, line->in.at, len - strlen(".\r\n"));
    else if (len > 0)
        answer(line, line->in.at);
    return len;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct line *line = stream->data;

    if (n < 0) {
        hang_up(line);
        return;
    }
    mr_buf_add(&line->in, buf->base, (size_t)n);
    for (size_t len; !uv_is_closing((uv_handle_t *)stream) && (len = serve_next(line)) > 0;) {
        line->in.len -= len;
        memmove(line->in.at, line->in.at + len, line->in.len);
    }
}

static void on_room_wanted(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    struct line *line = handle->data;

    (void)size;
    *out = uv_buf_init(line->sink->room, READ_BYTES);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct sink *sink = listener->data;
    struct line *line = mr_zalloc(sizeof(*line));

    line->sink = sink;
    uv_tcp_init(&sink->loop, &line->tcp);
    line->tcp.data = line;
    if (status < 0 || uv_accept(listener, (uv_stream_t *)&line->tcp) != 0)
        give_up("accept", status);
    uv_tcp_nodelay(&line->tcp, 1);
    sink->connections++;
    if (++sink->open > sink->most_open)
        sink->most_open = sink->open;
    uv_read_start((uv_stream_t *)&line->tcp, on_room_wanted, on_read);
    if (!sink->http)
        say(line, "220 bench\r\n");
}

static void on_input(uv_stream_t *input, ssize_t n, const uv_buf_t *buf)
{
    struct sink *sink = input->data;

    (void)buf;
    if (n < 0)
        uv_stop(&sink->loop);
}

static void on_input_room(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    struct sink *sink = handle->data;

    (void)size;
    *out = uv_buf_init(sink->room, READ_BYTES);
}

static void serve(struct sink *sink)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof(at), status;

    uv_loop_init(&sink->loop);
    uv_tcp_init(&sink->loop, &sink->listener);
    uv_pipe_init(&sink->loop, &sink->input, 0);
    sink->listener.data = sink->input.data = sink;
    uv_tcp_bind(&sink->listener, (struct sockaddr *)&at, 0);
    if ((status = uv_listen((uv_stream_t *)&sink->listener, 128, on_connection)) != 0)
        give_up("listen", status);
    uv_tcp_getsockname(&sink->listener, (struct sockaddr *)&at, &len);
    if (uv_pipe_open(&sink->input, 0) == 0)
        uv_read_start((uv_stream_t *)&sink->input, on_input_room, on_input);
    printf("{\"port\": %d}\n", ntohs(at.sin_port));
    fflush(stdout);
    uv_run(&sink->loop, UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"mails",            required_argument, NULL, 'm'},
        {"messages",              required_argument, NULL, 's'},
        {"keep",                  required_argument, NULL, 'k'},
        {0}
    };
    static struct sink sink;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'm' || c == 's')
            sink.wanted = strtoull(optarg, NULL, 10);
        else if (c == 'k')
            sink.keep = optarg;
        else
            return 64;
        sink.http = sink.http || c == 's';
    }
    if (sink.wanted == 0)
        return 64;
    serve(&sink);
    printf("{\"taken\": %llu, \"seconds\": %.6f, \"bytes\": %llu, \"connections\": %llu, "
           "\"most_open\": %u}\n",
           sink.taken, (double)(sink.last_us - sink.first_us) / 1e6, sink.bytes,
           sink.connections, sink.most_open);
    return 0;
}
