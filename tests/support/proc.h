/* Programs of the product, run by a test: started, watched through /proc, killed; gone with the test whatever happens. */
#ifndef MR_TESTS_PROC_H
#define MR_TESTS_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { MR_PROC_LIST = 256 };

struct mr_proc {
    pid_t pid;
    char log[128]; /* the file that took its standard output and error */
};

/*
 * Starts argv[0] (a path, or a name under the build folder given by MILLRACE_BUILD) with the environment it inherits plus env ("NAME=value",
 * NULL-ended, may be NULL). Output goes to the new file log_path. It dies with the test process.
 */
void mr_proc_start(struct mr_proc *proc, const char *const *argv, const char *const *env,
                   const char *log_path);
/* The same with a pipe as its standard input: returns the end that writes, the caller's to close. */
int mr_proc_start_fed(struct mr_proc *proc, const char *const *argv, const char *const *env,
                      const char *log_path);
/* Waits up to ms for its end; the wait status, or -1 if it still runs. */
int mr_proc_wait(struct mr_proc *proc, uint64_t ms);
/* The same, but it must have exited by itself: its exit status. Fails the test otherwise, showing the log. */
int mr_proc_exit_status(struct mr_proc *proc, uint64_t ms);
/* Sends a signal; nothing when it has ended. */
void mr_proc_signal(const struct mr_proc *proc, int signal);
/* SIGKILL and wait. */
void mr_proc_kill(struct mr_proc *proc);

/* Waits up to ms for a line of its output that begins so, and copies it without its end to out. Fails the test when none comes. */
void mr_proc_line(const struct mr_proc *proc, const char *beginning, uint64_t ms, char *out,
                  size_t size);
/* Whether the log holds this text. */
bool mr_proc_said(const struct mr_proc *proc, const char *text);
/* Prints the log on standard error, to help a person who reads a failed test. */
void mr_proc_show(const struct mr_proc *proc);

/* Children of a process, as the kernel lists them; returns how many, at most MR_PROC_LIST. */
int mr_proc_children(pid_t parent, pid_t *out);
bool mr_proc_alive(pid_t pid);        /* zombies are not */
char mr_proc_state(pid_t pid);        /* R, S, T, Z...; 0 when there is none */
size_t mr_proc_rss_bytes(pid_t pid);  /* VmRSS */
size_t mr_proc_peak_bytes(pid_t pid); /* VmHWM: the most there ever was of it */
size_t mr_proc_pss_bytes(pid_t pid);  /* of smaps_rollup */
/* Whether a file whose path holds this text is mapped (a shared library). */
bool mr_proc_maps(pid_t pid, const char *text);
uint64_t mr_proc_cpu_ms(pid_t pid); /* user and system time so far */
/* The command line, words parted by blanks. */
void mr_proc_cmdline(pid_t pid, char *out, size_t size);

/* The path of a file of the build tree: "worker/millrace-worker". Written into out (PATH_MAX). */
void mr_proc_built(const char *name, char *out, size_t size);

#endif
