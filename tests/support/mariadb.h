/* A real MariaDB of a test's own: a unix socket in a fresh folder, TCP when asked; stopped and removed with the test. */
#ifndef MR_TESTS_MARIADB_H
#define MR_TESTS_MARIADB_H

#include <mysql.h>
#include <sys/types.h>

#define MR_MARIADB_DATABASE "mill"
#define MR_MARIADB_USER "miller"
#define MR_MARIADB_PASSWORD "grist-to-the-mill"

struct mr_mariadb {
    char dir[64]; /* /tmp/mr-XXXXXX */
    char socket[96];
    int port;       /* on 127.0.0.1; 0: no TCP */
    char yaml[320]; /* the product's section: "mysql: { socket: ..., database: ... }", a line */
    char config[320]; /* the same as modules see it, JSON: {"mysql": {"socket": ...}} */
    pid_t pid;
    MYSQL *sync; /* root, in the database, for the test to look and write; NULL while stopped */
};

/*
 * Starts it and waits until it answers: the database is there, empty, and the user, who may do anything in it. extra: further
 * arguments ("--max-connections=3"), NULL-ended, or NULL. About a second. Fails the test otherwise.
 */
void mr_mariadb_start(struct mr_mariadb *db, const char *const *extra);
/* The same; listens on a fresh port of 127.0.0.1 too, which yaml and config then name instead of the socket. */
void mr_mariadb_start_tcp(struct mr_mariadb *db, const char *const *extra);
/* The same without database and user, which somebody else will make there: a replica's primary. yaml and config name them. */
void mr_mariadb_start_bare(struct mr_mariadb *db, const char *const *extra);
/* Makes the tables of ops/mysql in the database. */
void mr_mariadb_schema(struct mr_mariadb *db);
/* One of them: "0001_core.sql". */
void mr_mariadb_apply(struct mr_mariadb *db, const char *file);
/* How many there are. */
unsigned mr_mariadb_migrations(void);

/* kill -9, then again with the data it left. */
void mr_mariadb_kill(struct mr_mariadb *db);
void mr_mariadb_again(struct mr_mariadb *db, const char *const *extra);
void mr_mariadb_stop(struct mr_mariadb *db); /* and remove the folder */

/* One statement as root, without a result; fails the test on an error. Values are not escaped: the test knows what it says. */
void mr_mariadb_do(struct mr_mariadb *db, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The first value of the first row as a number; NULL and no row give -1. */
long long mr_mariadb_int(struct mr_mariadb *db, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same as text, the caller's to free; NULL for NULL and no row. */
char *mr_mariadb_text(struct mr_mariadb *db, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Fails the test unless the first value of the statement's first row is this text. */
void mr_mariadb_expect(struct mr_mariadb *db, const char *want, const char *sql);

#endif
