#include "jobs/exec/child.h"

#include "proto/base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* After its end what it wrote last is read for so long; a process that left the group may hold the pipe for ever. */
enum { LAST_WORDS_MS = 200 };

struct mr_child {
    struct mr_child_options options;
    struct mr_child_end end;
    uv_signal_t exits; /* SIGCHLD: some child of this process ended, maybe this one */
    uv_pipe_t in, err;
    uv_timer_t timer;
    uv_write_t write;
    pid_t group;      /* and its pid; 0: it never ran, or is gone */
    unsigned n_open;  /* handles */
    bool ended, done; /* exited; answered */
    char room[4096];  /* for what is read: used at once */
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
    close_one((uv_handle_t *)&child->exits);
    close_one((uv_handle_t *)&child->in);
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
static void on_ended(struct mr_child *child, int status)
{
    uv_signal_stop(&child->exits);
    child->group = 0;
    child->ended = true;
    child->end.status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    child->end.term_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (uv_is_active((uv_handle_t *)&child->err))
        uv_timer_start(&child->timer, on_answer_due, LAST_WORDS_MS, 0);
    else
        answer(child);
}

/* As long as it is a zombie nobody else gets its number: its group is killed before it is waited for. */
static void on_some_exit(uv_signal_t *exits, int number)
{
    struct mr_child *child = exits->data;
    siginfo_t info = {0};
    int status;

    (void)number;
    if (child->group == 0 ||
        waitid(P_PID, (id_t)child->group, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0)
        return;
    signal_group(child, SIGKILL);
    if (waitpid(child->group, &status, 0) == child->group)
        on_ended(child, status);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct mr_child *child = handle->data;

    (void)suggested;
    *out = uv_buf_init(child->room, sizeof(child->room));
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
    uv_signal_init(loop, &child->exits);
    uv_pipe_init(loop, &child->in, 0);
    uv_pipe_init(loop, &child->err, 0);
    uv_timer_init(loop, &child->timer);
    child->exits.data = child->in.data = child->err.data = child;
    child->timer.data = child->write.data = child;
    child->n_open = 4;
}

/* A pipe of which one end (0 reads, 1 writes) becomes a stream of ours; the other one is the program's. */
static int open_pipe(uv_pipe_t *stream, int our_end, int *out_theirs)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    int failed = uv_pipe_open(stream, ends[our_end]);
    if (failed) {
        close(ends[0]);
        close(ends[1]);
        return failed;
    }
    *out_theirs = ends[!our_end];
    return 0;
}

/*
 * A group of its own, to be killed whole; but in the worker's session, by which the dispatcher finds it when the worker has
 * died, from the first moment on. (uv_spawn can only give both or none.)
 */
static void set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t set;

    posix_spawnattr_init(attributes);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                             POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(attributes, 0);
    sigemptyset(&set);
    posix_spawnattr_setsigmask(attributes, &set);
    sigfillset(&set);
    posix_spawnattr_setsigdefault(attributes, &set);
}

static int spawn(struct mr_child *child, int in, int err)
{
    const struct mr_child_options *o = &child->options;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;

    set_attributes(&attributes);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
    /* Libraries in this process may open files without close-on-exec; a program gets none of them. */
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    if (o->dir)
        posix_spawn_file_actions_addchdir_np(&files, o->dir);
    int failed = posix_spawnp(&child->group, o->argv[0], &files, &attributes, o->argv, o->env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (failed)
        child->group = 0;
    return -failed;
}

/* 0, or a negative errno as libuv has it. */
static int begin(struct mr_child *child)
{
    int in = -1, err = -1;
    int failed = open_pipe(&child->in, 1, &in);

    if (!failed)
        failed = open_pipe(&child->err, 0, &err);
    if (!failed) /* before it can end */
        failed = uv_signal_start(&child->exits, on_some_exit, SIGCHLD);
    if (!failed)
        failed = spawn(child, in, err);
    if (in >= 0)
        close(in);
    if (err >= 0)
        close(err);
    return failed;
}

struct mr_child *mr_child_start(uv_loop_t *loop, const struct mr_child_options *options)
{
    struct mr_child *child = mr_zalloc(sizeof(*child));
    uv_buf_t input = {.base = (char *)(uintptr_t)options->input, .len = options->n_input};

    child->options = *options;
    open_handles(child, loop);
    child->end.spawn_error = begin(child);
    if (child->end.spawn_error) {
        uv_timer_start(&child->timer, on_answer_due, 0, 0);
        return child;
    }
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
