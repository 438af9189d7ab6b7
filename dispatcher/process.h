/* What the kernel says of a worker's process, and the end of its process group. */
#ifndef MR_DISPATCHER_PROCESS_H
#define MR_DISPATCHER_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* The state letter of /proc/<pid>/stat ('R', 'S', 'T', 'Z', ...); '\0' when there is no such process. */
char mr_process_state(pid_t pid);
bool mr_process_is_stopped(pid_t pid); /* SIGSTOP or a debugger holds it */

/*
 * Kills what is left of the group of a leader that is gone. True when nothing is left; ask again until then. A number that
 * belongs to a living process is somebody else's by now: that group is left alone and counts as gone.
 */
bool mr_process_kill_group(pid_t leader);

#endif
