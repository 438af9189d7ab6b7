#include "jobs/exec/child.h"

#include "proto/base/mem.h"

#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* After its end what it wrote last is read for so long; a process that left the group may hold the pipe for ever. */
enum { LAST_WORDS_MS = 200 };

struct mr_child {
    struct mr_child_options options;
    struct mr_child_end end;
    uv_process_t process;
    uv_pipe_t in, out, err;
    uv_timer_t timer;
    uv_write_t write;
    uv_pid_t group;   /* 0: it never ran, or is gone */
    unsigned n_open;  /* handles */
    bool ended, done; /* exited; answered */
    char room[4096];  /* for what is read, of out and err alike: used at once */
    size_t n_said;
    char said[2 * MR_CHILD_SAID + 1]; /* the last half is what counts when it is full */
};

static void let_go(uv_handle_t *handle)
{
    struct mr_child *child = handle->data;

    if (--child->n_open == 0)
        free(child);
}

static void close_one(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, let_go);
}

/* The last MR_CHILD_SAID bytes as text, without blanks at the ends. */
static const char *last_words(struct mr_child *child)
{
    char *from = child->said, *to = child->said + child->n_said;

    if (child->n_said > MR_CHILD_SAID)
        from = to - MR_CHILD_SAID;
    for (char *c = from; c < to; c++)
        if (*c == '\0')
            *c = ' ';
    while (to > from && isspace((unsigned char)to[-1]))
        to--;
    while (from < to && isspace((unsigned char)*from))
        from++;
    *to = '\0';
    return from;
}

/* The one way out. */
static void answer(struct mr_child *child)
{
    if (child->done)
        return;
    child->done = true;
    child->end.said = last_words(child);
    child->options.done(child->options.arg, &child->end);
    close_one((uv_handle_t *)&child->process);
    close_one((uv_handle_t *)&child->in);
    close_one((uv_handle_t *)&child->out);
    close_one((uv_handle_t *)&child->err);
    close_one((uv_handle_t *)&child->timer);
}

static void on_answer_due(uv_timer_t *timer)
{
    answer(timer->data);
}

static void signal_group(struct mr_child *child, int number)
{
    if (child->group > 0)
        kill(-child->group, number);
}

/* Whatever it left running goes with it: the next attempt must not meet it. */
static void on_ended(uv_process_t *process, int64_t status, int term_signal)
{
    struct mr_child *child = process->data;

    signal_group(child, SIGKILL);
    child->group = 0;
    child->ended = true;
    child->end.status = status;
    child->end.term_signal = term_signal;
    if (uv_is_active((uv_handle_t *)&child->err))
        uv_timer_start(&child->timer, on_answer_due, LAST_WORDS_MS, 0);
    else
        answer(child);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct mr_child *child = handle->data;

    (void)suggested;
    *out = uv_buf_init(child->room, sizeof(child->room));
}

static void on_out(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    (void)bytes;
    if (n < 0)
        uv_read_stop(stream);
}

/* Keeps the end: when the room is full, its second half becomes the first. */
static void keep(struct mr_child *child, const char *bytes, size_t n)
{
    if (n > MR_CHILD_SAID) {
        bytes += n - MR_CHILD_SAID;
        n = MR_CHILD_SAID;
    }
    if (child->n_said + n > 2 * MR_CHILD_SAID) {
        size_t stays = MR_CHILD_SAID;

        memmove(child->said, child->said + child->n_said - stays, stays);
        child->n_said = stays;
    }
    memcpy(child->said + child->n_said, bytes, n);
    child->n_said += n;
}

static void on_err(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct mr_child *child = stream->data;

    if (n > 0)
        keep(child, bytes->base, (size_t)n);
    if (n >= 0)
        return;
    uv_read_stop(stream);
    if (child->ended)
        answer(child);
}

/* A program that reads no input is no mistake: EPIPE tells us nothing. */
static void on_written(uv_write_t *write, int status)
{
    struct mr_child *child = write->data;

    if (status != UV_ECANCELED)
        close_one((uv_handle_t *)&child->in);
}

static void open_handles(struct mr_child *child, uv_loop_t *loop)
{
    uv_pipe_init(loop, &child->in, 0);
    uv_pipe_init(loop, &child->out, 0);
    uv_pipe_init(loop, &child->err, 0);
    uv_timer_init(loop, &child->timer);
    child->in.data = child->out.data = child->err.data = child;
    child->timer.data = child->process.data = child->write.data = child;
    child->n_open = 5;
}

static int spawn(struct mr_child *child, uv_loop_t *loop)
{
    const struct mr_child_options *o = &child->options;
    uv_stdio_container_t stdio[] = {
        {UV_CREATE_PIPE | UV_READABLE_PIPE, {.stream = (uv_stream_t *)&child->in} },
        {UV_CREATE_PIPE | UV_WRITABLE_PIPE, {.stream = (uv_stream_t *)&child->out}},
        {UV_CREATE_PIPE | UV_WRITABLE_PIPE, {.stream = (uv_stream_t *)&child->err}},
    };
    const uv_process_options_t options = {
        .exit_cb = on_ended,
        .file = o->argv[0],
        .args = o->argv,
        .env = o->env,
        .cwd = o->dir,
        .flags =
            UV_PROCESS_DETACHED, /* a session, so a group, of its own: to be killed whole */
        .stdio_count = (int)MR_COUNT(stdio),
        .stdio = stdio,
    };

    return uv_spawn(loop, &child->process, &options);
}

struct mr_child *mr_child_start(uv_loop_t *loop, const struct mr_child_options *options)
{
    struct mr_child *child = mr_zalloc(sizeof(*child));
    uv_buf_t input = {.base = (char *)(uintptr_t)options->input, .len = options->n_input};

    child->options = *options;
    open_handles(child, loop);
    child->end.spawn_error = spawn(child, loop);
    if (child->end.spawn_error) {
        uv_timer_start(&child->timer, on_answer_due, 0, 0);
        return child;
    }
    child->group = child->process.pid;
    uv_read_start((uv_stream_t *)&child->out, on_room, on_out);
    uv_read_start((uv_stream_t *)&child->err, on_room, on_err);
    if (uv_write(&child->write, (uv_stream_t *)&child->in, &input, 1, on_written) < 0)
        close_one((uv_handle_t *)&child->in);
    return child;
}

static void on_patience_over(uv_timer_t *timer)
{
    signal_group(timer->data, SIGKILL);
}

void mr_child_stop(struct mr_child *child, uint64_t patience_ms)
{
    if (child->ended || child->group == 0)
        return;
    signal_group(child, SIGTERM);
    uv_timer_start(&child->timer, on_patience_over, patience_ms, 0);
}
