#include "dispatcher/spawn.h"

#include "proto/base/log.h"
#include "proto/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FD_PULSE = 3, FD_PAGE, FD_CONFIG, N_FDS };

struct mr_spawn {
    uv_process_t handle;
    uv_pipe_t pulse;
    struct mr_spawn_events events;
    int open_handles;
    char words[64]; /* read from the pulse, used at once */
};

/* ---- what goes down ---- */

/* What a worker may see of our environment. Its configuration comes by fd 5 alone. */
static const char *const passed_on[] = {
    "PATH",     "HOME",   "USER",     "LOGNAME",      "TMPDIR",       "TZ",           "LANG",
    "LANGUAGE", "LC_ALL", "LC_CTYPE", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS"};
/* Words in the name of an option that may hold a secret: urls carry passwords too. */
static const char *const secret_words[] = {"PASS", "SECRET", "TOKEN",
                                           "KEY",  "URL",    "CREDENTIAL"};

static bool may_pass(const char *variable)
{
    size_t len = strcspn(variable, "=");

    for (size_t i = 0; i < MR_COUNT(passed_on); i++)
        if (strlen(passed_on[i]) == len && strncmp(variable, passed_on[i], len) == 0)
            return true;
    if (strncmp(variable, "MILLRACE_", strlen("MILLRACE_")) != 0)
        return false;
    for (size_t i = 0; i < MR_COUNT(secret_words); i++) {
        const char *at = strstr(variable, secret_words[i]);

        if (at && at < variable + len)
            return false;
    }
    return true;
}

/* Borrowed strings in an array of the caller's. */
static char **clean_environment(void)
{
    size_t n = 0, kept = 0;

    while (environ[n])
        n++;
    char **clean = mr_zalloc_array(n + 1, sizeof(*clean));
    for (size_t i = 0; i < n; i++)
        if (may_pass(environ[i]))
            clean[kept++] = environ[i];
    return clean;
}

/* A file without a name that nobody can change any more. */
static enum mr_code seal(struct mr_bytes text, int *out_fd, struct mr_err *err)
{
    int fd = memfd_create("millrace-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t written = 0;

    if (fd < 0)
        return mr_fail(err, MR_EIO, "memfd_create: %s", strerror(errno));
    while (written < text.len) {
        ssize_t n = pwrite(fd, text.at + written, text.len - written, (off_t)written);

        if (n <= 0)
            break;
        written += (size_t)n;
    }
    if (written < text.len ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
        mr_fail(err, MR_EIO, "sealing the configuration: %s", strerror(errno));
        close(fd);
        return MR_EIO;
    }
    *out_fd = fd;
    return MR_OK;
}

/* ---- what comes up ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct mr_spawn *spawn = handle->data;

    (void)suggested;
    *buf = uv_buf_init(spawn->words, sizeof(spawn->words));
}

static void on_pulse(uv_stream_t *pulse, ssize_t n, const uv_buf_t *buf)
{
    struct mr_spawn *spawn = pulse->data;

    if (n < 0) {
        uv_read_stop(pulse); /* the exit itself is reported by its own callback */
        return;
    }
    for (ssize_t i = 0; i < n && spawn->events.on_word; i++)
        spawn->events.on_word(spawn->events.arg, buf->base[i]);
}

static void on_process_exit(uv_process_t *handle, int64_t code, int signal)
{
    struct mr_spawn *spawn = handle->data;

    if (spawn->events.on_exit)
        spawn->events.on_exit(spawn->events.arg, (int)((code & 0xff) << 8) | signal);
}

/* ---- start and end ---- */

static void pass_fd(uv_stdio_container_t *out, int fd)
{
    out->flags = UV_INHERIT_FD;
    out->data.fd = fd;
}

static int run(uv_loop_t *loop, struct mr_spawn *spawn, const struct mr_spawn_plan *plan,
               int config_fd)
{
    const char *const argv[] = {"millrace-worker",
                                "--pool",
                                plan->pool,
                                "--worker",
                                plan->worker,
                                plan->one_by_one ? "--one-by-one" : NULL,
                                NULL};
    uv_stdio_container_t fds[N_FDS] = {{.flags = UV_IGNORE}}; /* 0: /dev/null */

    pass_fd(&fds[1], 1);
    pass_fd(&fds[2], 2);
    fds[FD_PULSE].flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE;
    fds[FD_PULSE].data.stream = (uv_stream_t *)&spawn->pulse;
    pass_fd(&fds[FD_PAGE], plan->page_fd);
    pass_fd(&fds[FD_CONFIG], config_fd);
    char **environment = clean_environment();
    /* Detached: a group of its own, so that we can kill all of it, and a ^C in our terminal is ours alone. */
    uv_process_options_t options = {
        .file = plan->program,
        .args = (char **)argv,
        .env = environment,
        .flags = UV_PROCESS_DETACHED,
        .stdio = fds,
        .stdio_count = N_FDS,
        .exit_cb = on_process_exit,
    };
    int failed = uv_spawn(loop, &spawn->handle, &options);

    free(environment);
    return failed;
}

enum mr_code mr_spawn_start(uv_loop_t *loop, const struct mr_spawn_plan *plan,
                            const struct mr_spawn_events *events, struct mr_spawn **out,
                            struct mr_err *err)
{
    int config_fd = -1;
    enum mr_code code = seal(plan->config, &config_fd, err);

    if (code != MR_OK)
        return code;
    struct mr_spawn *spawn = mr_zalloc(sizeof(*spawn));
    spawn->handle.data = spawn;
    spawn->open_handles = 2;
    uv_pipe_init(loop, &spawn->pulse, 0);
    spawn->pulse.data = spawn;
    int failed = run(loop, spawn, plan, config_fd);
    close(config_fd);
    if (failed) {
        mr_spawn_free(spawn);
        return mr_fail(err, MR_EIO, "cannot start %s: %s", plan->program, uv_strerror(failed));
    }
    spawn->events = *events;
    uv_read_start((uv_stream_t *)&spawn->pulse, on_alloc, on_pulse);
    if (plan->nice && setpriority(PRIO_PROCESS, (id_t)spawn->handle.pid, plan->nice) < 0)
        mr_log_warn("spawn.nice", "pool=%s nice=%d reason=%s", plan->pool, plan->nice,
                    strerror(errno));
    *out = spawn;
    return MR_OK;
}

pid_t mr_spawn_pid(const struct mr_spawn *spawn)
{
    return spawn->handle.pid;
}

void mr_spawn_ask_to_stop(struct mr_spawn *spawn)
{
    char word[] = {'q'};
    uv_buf_t buf = uv_buf_init(word, sizeof(word));

    uv_try_write((uv_stream_t *)&spawn->pulse, &buf, 1); /* SIGTERM says it again */
    uv_process_kill(&spawn->handle, SIGTERM);
}

bool mr_spawn_cancel(struct mr_spawn *spawn, const char *uuid)
{
    char word[204];
    int len = snprintf(word, sizeof(word), "c%s\n", uuid);
    uv_buf_t buf = uv_buf_init(word, (unsigned)len);

    for (const char *at = uuid; *at; at++)
        if ((unsigned char)*at < ' ')
            return false;
    return (size_t)len < sizeof(word) &&
           uv_try_write((uv_stream_t *)&spawn->pulse, &buf, 1) == len;
}

static void on_closed(uv_handle_t *handle)
{
    struct mr_spawn *spawn = handle->data;

    if (--spawn->open_handles == 0)
        free(spawn);
}

void mr_spawn_free(struct mr_spawn *spawn)
{
    if (!spawn)
        return;
    spawn->events = (struct mr_spawn_events){0};
    uv_close((uv_handle_t *)&spawn->handle, on_closed);
    uv_close((uv_handle_t *)&spawn->pulse, on_closed);
}

/* ---- where the program is ---- */

enum mr_code mr_spawn_find_worker(const char *configured, char **out, struct mr_err *err)
{
    char here[PATH_MAX] = "";
    size_t len = sizeof(here);

    if (configured) {
        if (access(configured, X_OK) < 0)
            return mr_fail(err, MR_EINVAL, "worker_program %s: %s", configured,
                           strerror(errno));
        *out = mr_strdup(configured);
        return MR_OK;
    }
    if (uv_exepath(here, &len) == 0 && strrchr(here, '/'))
        *strrchr(here, '/') = '\0';
    char *places[] = {
        mr_asprintf("%s/millrace-worker", here),
        mr_asprintf("%s/../worker/millrace-worker", here), /* the build tree */
        mr_asprintf("%s/millrace-worker", MR_LIBEXECDIR),
    };
    char *found = NULL;
    for (size_t i = 0; i < MR_COUNT(places); i++) {
        if (!found && access(places[i], X_OK) == 0)
            found = places[i];
        else
            free(places[i]);
    }
    if (!found)
        return mr_fail(err, MR_ENOTFOUND,
                       "no millrace-worker beside %s/millrace-dispatcher nor in %s: set "
                       "worker_program",
                       here, MR_LIBEXECDIR);
    *out = found;
    return MR_OK;
}
