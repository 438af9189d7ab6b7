/* What the kernel says of a worker's process, and the end of all that it had started. */
#ifndef MR_DISPATCHER_PROCESS_H
#define MR_DISPATCHER_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* The state letter of /proc/<pid>/stat ('R', 'S', 'T', 'Z', ...); '\0' when there is no such process. */
char mr_process_state(pid_t pid);
bool mr_process_is_stopped(pid_t pid); /* SIGSTOP or a debugger holds it */

/*
 * What our children leave behind falls to us from now on, not to init: so it is found among our own children, however many processes
 * the host has, and we must collect it (as a container's pid 1 must anyway).
 */
void mr_process_inherit_descendants(void);

/*
 * Kills what is left of the session of a leader that is gone: the programs that its jobs had started, in whatever process group,
 * and their children. ours: the leader was our child, and what it left has fallen to us; else the whole host is searched. True
 * when nothing is left; ask again until then. A number that belongs to a living process is somebody else's by now: the kernel gives
 * it away only when the session is empty, so that counts as nothing left.
 */
bool mr_process_kill_session(pid_t leader, bool ours);

/* Waits for the dead that fell to us. is_waited_for names those whose owner waits for them himself. */
void mr_process_collect(bool (*is_waited_for)(void *arg, pid_t pid), void *arg);

#endif
