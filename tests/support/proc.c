#include "tests/support/proc.h"

#include "proto/base/clock.h"
#include "tests/support/wait.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void mr_proc_built(const char *name, char *out, size_t size)
{
    const char *build = getenv("MILLRACE_BUILD");

    if (name[0] == '/')
        snprintf(out, size, "%s", name);
    else
        snprintf(out, size, "%s/%s", build ? build : ".", name);
}

static void exec_program(const char *const *argv, const char *const *env, const char *log_path,
                         int in, pid_t parent)
{
    char path[PATH_MAX];
    int log = open(log_path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* the test was over before we asked to die with it */
    dup2(in, 0);
    dup2(log, 1);
    dup2(log, 2);
    for (; env && *env; env++)
        putenv((char *)(uintptr_t)*env);
    mr_proc_built(argv[0], path, sizeof(path));
    execv(path, (char *const *)(uintptr_t)argv);
    dprintf(2, "exec %s: %s\n", path, strerror(errno));
    _exit(127);
}

static void start(struct mr_proc *proc, const char *const *argv, const char *const *env,
                  const char *log_path, int in)
{
    pid_t parent = getpid();

    ck_assert_int_ge(in, 0);
    snprintf(proc->log, sizeof(proc->log), "%s", log_path);
    proc->pid = fork();
    ck_assert_int_ge(proc->pid, 0);
    if (proc->pid == 0)
        exec_program(argv, env, log_path, in, parent);
    close(in);
}

void mr_proc_start(struct mr_proc *proc, const char *const *argv, const char *const *env,
                   const char *log_path)
{
    start(proc, argv, env, log_path, open("/dev/null", O_RDONLY | O_CLOEXEC));
}

int mr_proc_start_fed(struct mr_proc *proc, const char *const *argv, const char *const *env,
                      const char *log_path)
{
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    start(proc, argv, env, log_path, ends[0]);
    return ends[1];
}

int mr_proc_wait(struct mr_proc *proc, uint64_t ms)
{
    uint64_t end_ms = mr_clock_ms() + ms;
    int status = 0;

    for (;;) {
        pid_t pid = waitpid(proc->pid, &status, WNOHANG);

        if (pid == proc->pid) {
            proc->pid = 0;
            return status;
        }
        if (mr_clock_ms() >= end_ms)
            return -1;
        mr_wait_a_moment();
    }
}

int mr_proc_exit_status(struct mr_proc *proc, uint64_t ms)
{
    int status = mr_proc_wait(proc, ms);

    if (status == -1 || !WIFEXITED(status)) {
        mr_proc_show(proc);
        ck_abort_msg(status == -1 ? "it still runs after %d ms" : "it died of signal %d",
                     status == -1 ? (int)ms : WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}

void mr_proc_signal(const struct mr_proc *proc, int signal)
{
    if (proc->pid > 0)
        kill(proc->pid, signal);
}

void mr_proc_kill(struct mr_proc *proc)
{
    if (proc->pid <= 0)
        return;
    kill(proc->pid, SIGKILL);
    while (waitpid(proc->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    proc->pid = 0;
}

/* The whole file, NUL-ended, the caller's; NULL when it cannot be read. */
static char *slurp(const char *path, size_t *out_len)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0, len = 0;

    if (!file)
        return NULL;
    do {
        room += 65536;
        text = realloc(text, room + 1);
        ck_assert_ptr_nonnull(text);
        len += fread(text + len, 1, room - len, file);
    } while (len == room);
    fclose(file);
    text[len] = '\0';
    if (out_len)
        *out_len = len;
    return text;
}

static bool find_line(const struct mr_proc *proc, const char *beginning, char *out, size_t size)
{
    char *log = slurp(proc->log, NULL), *line = log, *end;
    bool found = false;

    for (; !found && line && (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        found = strncmp(line, beginning, strlen(beginning)) == 0;
        if (found)
            snprintf(out, size, "%s", line);
    }
    free(log);
    return found;
}

void mr_proc_line(const struct mr_proc *proc, const char *beginning, uint64_t ms, char *out,
                  size_t size)
{
    uint64_t end_ms = mr_clock_ms() + ms;

    while (!find_line(proc, beginning, out, size)) {
        if (mr_clock_ms() > end_ms || !mr_proc_alive(proc->pid)) {
            mr_proc_show(proc);
            ck_abort_msg("it never said a line that begins with '%s'", beginning);
        }
        mr_wait_a_moment();
    }
}

bool mr_proc_said(const struct mr_proc *proc, const char *text)
{
    char *log = slurp(proc->log, NULL);
    bool said = log && strstr(log, text);

    free(log);
    return said;
}

void mr_proc_show(const struct mr_proc *proc)
{
    char *log = slurp(proc->log, NULL);

    fprintf(stderr, "--- %s\n%s", proc->log, log ? log : "");
    free(log);
}

int mr_proc_children(pid_t parent, pid_t *out)
{
    char path[96], *text;
    int n = 0;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
    text = slurp(path, NULL);
    for (char *word = text ? strtok(text, " \n") : NULL; word && n < MR_PROC_LIST;
         word = strtok(NULL, " \n"))
        out[n++] = (pid_t)atoi(word);
    free(text);
    return n;
}

char mr_proc_state(pid_t pid)
{
    char path[64], *text, state = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    text = slurp(path, NULL);
    if (text && strrchr(text, ')'))
        state = strrchr(text, ')')[2];
    free(text);
    return state;
}

bool mr_proc_alive(pid_t pid)
{
    char state = mr_proc_state(pid);

    return state != 0 && state != 'Z' && state != 'X';
}

/* A "Name:   123 kB" row of a file under /proc/<pid>. */
static size_t row_bytes(pid_t pid, const char *file, const char *name)
{
    char path[64], *text, *row;
    size_t bytes = 0;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    text = slurp(path, NULL);
    row = text ? strstr(text, name) : NULL;
    if (row)
        bytes = strtoull(row + strlen(name), NULL, 10) * 1024;
    free(text);
    return bytes;
}

size_t mr_proc_rss_bytes(pid_t pid)
{
    return row_bytes(pid, "status", "VmRSS:");
}

size_t mr_proc_peak_bytes(pid_t pid)
{
    return row_bytes(pid, "status", "VmHWM:");
}

size_t mr_proc_pss_bytes(pid_t pid)
{
    return row_bytes(pid, "smaps_rollup", "\nPss:");
}

bool mr_proc_maps(pid_t pid, const char *text)
{
    char path[64], *maps;

    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    maps = slurp(path, NULL);
    ck_assert_ptr_nonnull(maps);
    bool found = strstr(maps, text) != NULL;
    free(maps);
    return found;
}

uint64_t mr_proc_cpu_ms(pid_t pid)
{
    char path[64], *text;
    unsigned long long user = 0, system = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    text = slurp(path, NULL);
    if (text && strrchr(text, ')'))
        sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
               &user, &system);
    free(text);
    return (user + system) * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK);
}

void mr_proc_cmdline(pid_t pid, char *out, size_t size)
{
    char path[64], *text;
    size_t len = 0;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    text = slurp(path, &len);
    for (size_t i = 0; text && i + 1 < len; i++)
        if (!text[i])
            text[i] = ' ';
    snprintf(out, size, "%s", text ? text : "");
    free(text);
}
