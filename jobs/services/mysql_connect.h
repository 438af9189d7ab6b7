/* From the options of mysql.* to a connection that behaves the same everywhere; for the service and for workerctl. */
#ifndef MR_JOBS_SERVICES_MYSQL_CONNECT_H
#define MR_JOBS_SERVICES_MYSQL_CONNECT_H

#include "jobs/services/mysql_compat.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

#include <jansson.h>
#include <stdint.h>

/* One server. */
struct mr_mysql_server {
    char *host;   /* NULL: by its socket */
    char *socket; /* NULL: by host and port */
    unsigned port;
    char name[256]; /* for people: "db1:3306", "/run/mysqld/mysqld.sock" */
};

/* How we come in, the same at every server. Strings are borrowed from the configuration. */
struct mr_mysql_login {
    const char *database, *user, *password, *ca_file;
    enum mr_mysql_tls tls; /* over TCP; a unix socket leaves no machine */
    uint64_t connect_timeout_ms;
    unsigned lock_timeout_s; /* a wait for a lock ends before the statement's own time does */
};

/*
 * section: "mysql" of the configuration as modules see it, or NULL. MR_EINVAL when there is no database in it. The caller
 * ends out_server with fini.
 */
enum mr_code mr_mysql_options_read(const json_t *section, struct mr_mysql_login *out_login,
                                   struct mr_mysql_server *out_server, struct mr_err *err);
/* "host", "host:port", "[v6]:port" or "/socket". */
enum mr_code mr_mysql_server_parse(const char *text, unsigned port, struct mr_mysql_server *out,
                                   struct mr_err *err);
void mr_mysql_server_fini(struct mr_mysql_server *server);

/*
 * Connects within wait_ms and makes sure of TLS, nothing more; silence_ms: how long the server may be silent from then on before the
 * connection counts as lost (rounded up to seconds, the library's measure); 0: for ever. MR_EDOWN: not reached; MR_EBUSY: too many connections there; MR_EFAULT: a person must act.
 */
enum mr_code mr_mysql_dial(const struct mr_mysql_server *server,
                           const struct mr_mysql_login *login, uint64_t wait_ms,
                           uint64_t silence_ms, MYSQL **out, struct mr_err *err);
/*
 * Every session of ours: utf8mb4, UTC, strict, READ COMMITTED (a locking read then locks the rows it finds, not the gaps between: what
 * jobs insert side by side does not deadlock), messages in English (their values are taken out by shape), no
 * longer wait for a lock than login says.
 */
enum mr_code mr_mysql_settle_in(MYSQL *mysql, const struct mr_mysql_server *server,
                                const struct mr_mysql_login *login, struct mr_err *err);
/*
 * One statement in the text protocol, for those without pools and deadlines. Its result, buffered, is the caller's; NULL when it has
 * none. What a second result brings is read and dropped.
 */
enum mr_code mr_mysql_ask(MYSQL *mysql, const struct mr_mysql_server *server,
                          struct mr_bytes sql, MYSQL_RES **out, struct mr_err *err);
/* err gets what mysql says of its last error, and code; gives code. */
enum mr_code mr_mysql_fail(struct mr_err *err, enum mr_code code,
                           const struct mr_mysql_server *server, unsigned number,
                           const char *state, const char *message);

#endif
