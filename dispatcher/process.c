#include "dispatcher/process.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct process {
    char state; /* '\0': there is none */
    pid_t group, session;
};

static struct process look_at(pid_t pid)
{
    struct process process = {0};
    char path[32], text[512];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return process;
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    /* The program's name may hold anything, a ")" too; the state stands behind the last one. */
    const char *rest = strrchr(text, ')');
    if (!rest ||
        sscanf(rest, ") %c %*d %d %d", &process.state, &process.group, &process.session) != 3)
        process.state = '\0';
    return process;
}

char mr_process_state(pid_t pid)
{
    return look_at(pid).state;
}

bool mr_process_is_stopped(pid_t pid)
{
    char state = mr_process_state(pid);

    return state == 'T' || state == 't';
}

/* A zombie is gone and only waits for its parent. */
static bool is_living(const struct process *process)
{
    return process->state != '\0' && process->state != 'Z' && process->state != 'X';
}

/*
 * Its whole group at once: no fork slips through between two looks. Where we are pid 1 of a container the dead fall to
 * us.
 */
static bool is_gone_from(pid_t session, pid_t pid)
{
    struct process process = look_at(pid);

    if (process.state == '\0' || process.session != session)
        return true;
    if (!is_living(&process)) {
        waitpid(pid, NULL, WNOHANG);
        return true;
    }
    kill(-process.group, SIGKILL);
    return false;
}

static bool is_gone_from_host(pid_t session)
{
    struct dirent *entry;
    bool gone = true;
    DIR *all = opendir("/proc");

    if (!all) /* at least its own group */
        return kill(-session, SIGKILL) != 0 && errno == ESRCH;
    while ((entry = readdir(all))) {
        pid_t pid = (pid_t)atoi(entry->d_name);

        if (pid > 0 && !is_gone_from(session, pid))
            gone = false;
    }
    closedir(all);
    return gone;
}

/* A kernel without this list (CONFIG_PROC_CHILDREN) answers NULL. */
static FILE *open_children(void)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    return fopen(path, "re");
}

/* The dead count too: the children of one that has just died may have fallen to us after the list was read. */
static bool is_gone_from_us(pid_t session, FILE *children)
{
    bool gone = true;

    for (int pid; fscanf(children, "%d", &pid) == 1;) {
        struct process process = look_at(pid);

        if (process.state == '\0' || process.session != session)
            continue;
        is_gone_from(session, pid);
        gone = false;
    }
    return gone;
}

void mr_process_inherit_descendants(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

bool mr_process_kill_session(pid_t leader, bool ours)
{
    struct process worker = look_at(leader);
    FILE *children;

    if (leader <= 1 || leader == getsid(0) || is_living(&worker))
        return true;
    children = ours ? open_children() : NULL;
    if (!children)
        return is_gone_from_host(leader);
    bool gone = is_gone_from_us(leader, children);
    fclose(children);
    return gone;
}

void mr_process_collect(bool (*is_waited_for)(void *arg, pid_t pid), void *arg)
{
    siginfo_t dead = {0};

    while (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) == 0 && dead.si_pid > 0 &&
           !is_waited_for(arg, dead.si_pid)) {
        waitpid(dead.si_pid, NULL, WNOHANG);
        dead.si_pid = 0;
    }
}
