#include "worker/parent.h"

#include "proto/base/log.h"

#include <string.h>

static void on_late(uv_timer_t *timer)
{
    struct mr_parent *parent = timer->data;

    if (parent->gone || parent->stopped)
        return;
    parent->gone = true;
    parent->events.on_gone(parent->events.arg);
}

/* Told from the loop, whoever found out. */
static void lose(struct mr_parent *parent, int status)
{
    mr_log_warn("parent.gone", "why=%s",
                status == UV_EOF ? "the dispatcher ended" : uv_strerror(status));
    uv_timer_start(&parent->late, on_late, 0, 0);
}

static void end_uuid(struct mr_parent *parent)
{
    parent->in_cancel = false;
    parent->uuid[parent->n_uuid] = '\0';
    parent->events.on_cancel(parent->events.arg, parent->uuid);
}

static void hear(struct mr_parent *parent, char c)
{
    if (parent->in_cancel) {
        if (c == '\n')
            end_uuid(parent);
        else if (parent->n_uuid < sizeof(parent->uuid) - 1)
            parent->uuid[parent->n_uuid++] = c;
    } else if (c == 'c') {
        parent->in_cancel = true;
        parent->n_uuid = 0;
    } else if (c == 'q') {
        parent->events.on_drain(parent->events.arg);
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct mr_parent *parent = handle->data;

    (void)suggested;
    *out = uv_buf_init(parent->room, sizeof(parent->room));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct mr_parent *parent = stream->data;

    if (n < 0) {
        uv_read_stop(stream);
        lose(parent, (int)n);
        return;
    }
    for (ssize_t i = 0; i < n && !parent->stopped; i++)
        hear(parent, bytes->base[i]);
}

void mr_parent_start(struct mr_parent *parent, uv_loop_t *loop, int fd,
                     const struct mr_parent_events *events)
{
    memset(parent, 0, sizeof(*parent));
    parent->events = *events;
    uv_timer_init(loop, &parent->late);
    uv_pipe_init(loop, &parent->pipe, 0);
    parent->late.data = parent->pipe.data = parent;
    int status = uv_pipe_open(&parent->pipe, fd);
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&parent->pipe, on_room, on_read);
    if (status < 0)
        lose(parent, status);
}

void mr_parent_say(struct mr_parent *parent, char word)
{
    uv_buf_t bytes = uv_buf_init(&word, 1);

    if (!parent->gone && !parent->stopped)
        uv_try_write((uv_stream_t *)&parent->pipe, &bytes, 1);
}

void mr_parent_stop(struct mr_parent *parent)
{
    if (parent->stopped)
        return;
    parent->stopped = true;
    uv_close((uv_handle_t *)&parent->pipe, NULL);
    uv_close((uv_handle_t *)&parent->late, NULL);
}
