#include "dispatcher/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char mr_process_state(pid_t pid)
{
    char path[32], text[512];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return '\0';
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    /* The program's name may hold anything, a ")" too; the state stands behind the last one. */
    const char *state = strrchr(text, ')');
    return state && state[1] == ' ' ? state[2] : '\0';
}

bool mr_process_is_stopped(pid_t pid)
{
    char state = mr_process_state(pid);

    return state == 'T' || state == 't';
}

/* A zombie is gone and only waits for its parent. */
static bool is_alive(pid_t pid)
{
    char state = mr_process_state(pid);

    return state != '\0' && state != 'Z' && state != 'X';
}

bool mr_process_kill_group(pid_t leader)
{
    if (leader <= 1 || leader == getpgrp() || is_alive(leader))
        return true;
    /* Where we are pid 1 of a container, its grandchildren fall to us. */
    while (waitpid(-leader, NULL, WNOHANG) > 0)
        ;
    return kill(-leader, SIGKILL) != 0 && errno == ESRCH;
}
