/* What the kernel says of a worker's process, and the end of all that it had started. */
#ifndef MR_DISPATCHER_PROCESS_H
#define MR_DISPATCHER_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* The state letter of /proc/<pid>/stat ('R', 'S', 'T', 'Z', ...); '\0' when there is no such process. */
char mr_process_state(pid_t pid);
bool mr_process_is_stopped(pid_t pid); /* SIGSTOP or a debugger holds it */

/*
 * Kills what is left of the session of a leader that is gone: the programs that its jobs had started, in whatever process group,
 * and their children. True when nothing is left; ask again until then. A number that belongs to a living process is
 * somebody else's by now: the kernel gives it away only when the session is empty, so that counts as nothing left.
 */
bool mr_process_kill_session(pid_t leader);

#endif
