/*
 * Deadlines of statements that other threads are blocked in: one thread a process, the watch. A statement that is overdue, or whose
 * job was cancelled, is killed by KILL QUERY over a connection of its own; one that survives this is cut off.
 *
 * KILL QUERY names a connection, not a statement. So that it never meets a later one, mr_mysql_guard_end waits until the watch has sent
 * what it was about to send, and whoever learns that something was sent uses the connection for nothing more.
 */
#ifndef MR_JOBS_SERVICES_MYSQL_DEADLINE_H
#define MR_JOBS_SERVICES_MYSQL_DEADLINE_H

#include "jobs/services/mysql_connect.h"
#include "jobs/services/mysql_error.h"
#include "proto/base/list.h"

struct mr_host;
struct mr_job;
struct mr_mysql_watch;

enum mr_mysql_guard_state {
    MR_MYSQL_UNGUARDED,
    MR_MYSQL_RUNNING,
    MR_MYSQL_DUE, /* the watch is sending KILL QUERY */
    MR_MYSQL_HIT, /* it was sent, or could not be sent */
    MR_MYSQL_SHUT /* the socket is shut down */
};

/*
 * One statement that is being waited for; part of its connection, which fills server, id, fd and job. Between begin and end
 * it stands under the watch's lock.
 */
struct mr_mysql_guard {
    struct mr_list node;
    enum mr_mysql_guard_state state;
    const struct mr_mysql_server *server;
    unsigned long id; /* what KILL QUERY calls the connection */
    int fd; /* a second name of its socket: the library closes its own when it likes */
    struct mr_job *job;
    uint64_t due_ms;
    bool gentle; /* KILL QUERY first; otherwise cut at once */
};

/* login is borrowed. on_tend: what else the thread does, when mr_mysql_watch_tend_at said so. */
enum mr_code mr_mysql_watch_new(struct mr_host *host, const struct mr_mysql_login *login,
                                void (*on_tend)(void *arg), void *arg,
                                struct mr_mysql_watch **out, struct mr_err *err);
/* No guard is set any more. NULL is accepted. */
void mr_mysql_watch_free(struct mr_mysql_watch *watch);
/* Calls on_tend once at that time of the monotonic clock, or earlier where that was asked before. */
void mr_mysql_watch_tend_at(struct mr_mysql_watch *watch, uint64_t at_ms);

/*
 * From now until end what mysql does is over at due_ms. gentle: by KILL QUERY, and as soon as job (may be NULL) is cancelled;
 * otherwise its connection is cut, at due_ms only.
 */
void mr_mysql_guard_begin(struct mr_mysql_watch *watch, struct mr_mysql_guard *guard,
                          uint64_t due_ms, bool gentle);
enum mr_mysql_fate mr_mysql_guard_end(struct mr_mysql_watch *watch,
                                      struct mr_mysql_guard *guard);

#endif
