#include "tests/support/mariadb.h"

#include "proto/base/mem.h"
#include "tests/support/wait.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGS = 40, START_WAIT_MS = 30000, TEXT_MAX = 128 * 1024 };

/*
 * Small and quick. nosync: a killed process loses nothing that it has written, with or without
 * fsync, and a machine that falls over takes the test with it.
 */
static const char *const small[] = {
    "--innodb-flush-method=nosync",       "--innodb-buffer-pool-size=16M",
    "--innodb-log-file-size=8M",          "--innodb-data-file-path=ibdata1:12M:autoextend",
    "--innodb-flush-log-at-trx-commit=1", "--innodb-use-native-aio=0",
    "--aria-pagecache-buffer-size=2M",    "--key-buffer-size=1M",
    "--character-set-server=utf8mb4",
};

/* Words that are made here. */
struct folders {
    char data[96], tmp[96];
};

/* What both programs are told; returns how many words. A server that starts sweeps its tmpdir: it must be its own. */
static int common_words(const struct mr_mariadb *db, const char **argv, struct folders *folders)
{
    int n = 0;

    argv[n++] = "--no-defaults";
    snprintf(folders->data, sizeof(folders->data), "--datadir=%s/data", db->dir);
    snprintf(folders->tmp, sizeof(folders->tmp), "--tmpdir=%s", db->dir);
    argv[n++] = folders->data;
    argv[n++] = folders->tmp;
    if (geteuid() == 0)
        argv[n++] = "--user=root"; /* the bare server package has no user of its own */
    for (size_t i = 0; i < MR_COUNT(small); i++)
        argv[n++] = small[i];
    return n;
}

static void silence(const struct mr_mariadb *db)
{
    char path[96];

    snprintf(path, sizeof(path), "%s/log", db->dir);
    int log = open(path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
    dup2(log, 1);
    dup2(log, 2);
}

static void show_log(const struct mr_mariadb *db)
{
    char command[128];

    snprintf(command, sizeof(command), "tail -n 30 %s/log >&2", db->dir);
    if (system(command) != 0)
        fprintf(stderr, "%s/log cannot be shown\n", db->dir);
}

static void exec_install(const struct mr_mariadb *db)
{
    const char *argv[MAX_ARGS] = {"mariadb-install-db"};
    struct folders folders;
    int n = 1 + common_words(db, argv + 1, &folders);

    argv[n++] = "--auth-root-authentication-method=normal";
    argv[n++] = "--force"; /* the host's name need not be found */
    argv[n++] = "--skip-test-db";
    argv[n] = NULL;
    silence(db);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static void exec_server(const struct mr_mariadb *db, const char *const *extra)
{
    const char *argv[MAX_ARGS] = {"mariadbd"};
    struct folders folders;
    char socket[128], port[32];
    int n = 1 + common_words(db, argv + 1, &folders);

    snprintf(socket, sizeof(socket), "--socket=%s", db->socket);
    snprintf(port, sizeof(port), "--port=%d", db->port);
    argv[n++] = socket;
    argv[n++] = db->port ? "--bind-address=127.0.0.1" : "--skip-networking";
    if (db->port)
        argv[n++] = port;
    while (extra && *extra && n < MAX_ARGS - 1)
        argv[n++] = *extra++;
    argv[n] = NULL;
    silence(db);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv("/usr/sbin/mariadbd", (char *const *)(uintptr_t)argv); /* not in a user's PATH */
    execvp("mariadbd", (char *const *)(uintptr_t)argv);
    _exit(127);
}

static void install(const struct mr_mariadb *db)
{
    int status = -1;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        exec_install(db);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0) {
        show_log(db);
        ck_abort_msg("mariadb-install-db ended with %d", status);
    }
}

/* Free when we look; nobody promises that it still is when the server takes it. */
static int fresh_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static bool answers(struct mr_mariadb *db, const char *database)
{
    MYSQL *sync = mysql_init(NULL);

    ck_assert_ptr_nonnull(sync);
    if (!mysql_real_connect(sync, NULL, "root", NULL, database, 0, db->socket,
                            CLIENT_MULTI_STATEMENTS)) {
        mysql_close(sync);
        return false;
    }
    mysql_set_character_set(sync, "utf8mb4");
    db->sync = sync;
    return true;
}

static void launch(struct mr_mariadb *db, const char *const *extra, const char *database)
{
    uint64_t end_ms = mr_wait_now_ms() + START_WAIT_MS;

    db->pid = fork();
    ck_assert_int_ge(db->pid, 0);
    if (db->pid == 0)
        exec_server(db, extra);
    while (!answers(db, database)) {
        if (mr_wait_now_ms() > end_ms || waitpid(db->pid, NULL, WNOHANG) == db->pid) {
            show_log(db);
            ck_abort_msg("mariadbd did not answer at %s", db->socket);
        }
        mr_wait_a_moment();
    }
}

static void describe(struct mr_mariadb *db)
{
    char where[128];

    if (db->port)
        snprintf(where, sizeof(where), "\"host\": \"127.0.0.1\", \"port\": %d", db->port);
    else
        snprintf(where, sizeof(where), "\"socket\": \"%s\"", db->socket);
    snprintf(db->config, sizeof(db->config),
             "{\"mysql\": {%s, \"database\": \"%s\", \"user\": \"%s\", \"password\": \"%s\"}}",
             where, MR_MARIADB_DATABASE, MR_MARIADB_USER, MR_MARIADB_PASSWORD);
    snprintf(db->yaml, sizeof(db->yaml),
             "mysql: {%s, database: \"%s\", user: \"%s\", password: \"%s\"}\n", where,
             MR_MARIADB_DATABASE, MR_MARIADB_USER, MR_MARIADB_PASSWORD);
}

static void start_bare(struct mr_mariadb *db, int port, const char *const *extra)
{
    memset(db, 0, sizeof(*db));
    snprintf(db->dir, sizeof(db->dir), "/tmp/mr-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(db->dir));
    snprintf(db->socket, sizeof(db->socket), "%s/mariadb.sock", db->dir);
    db->port = port;
    describe(db);
    install(db);
    launch(db, extra, NULL);
}

static void start(struct mr_mariadb *db, int port, const char *const *extra)
{
    start_bare(db, port, extra);
    mr_mariadb_do(db, "CREATE DATABASE %s", MR_MARIADB_DATABASE);
    mr_mariadb_do(db, "CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", MR_MARIADB_USER,
                  MR_MARIADB_PASSWORD);
    mr_mariadb_do(db, "GRANT ALL ON %s.* TO '%s'@'%%'", MR_MARIADB_DATABASE, MR_MARIADB_USER);
    mr_mariadb_do(db, "USE %s", MR_MARIADB_DATABASE);
}

void mr_mariadb_start(struct mr_mariadb *db, const char *const *extra)
{
    start(db, 0, extra);
}

void mr_mariadb_start_tcp(struct mr_mariadb *db, const char *const *extra)
{
    start(db, fresh_port(), extra);
}

void mr_mariadb_start_bare(struct mr_mariadb *db, const char *const *extra)
{
    start_bare(db, 0, extra);
}

void mr_mariadb_kill(struct mr_mariadb *db)
{
    if (db->sync)
        mysql_close(db->sync);
    db->sync = NULL;
    if (db->pid > 0) {
        kill(db->pid, SIGKILL);
        while (waitpid(db->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    db->pid = 0;
}

void mr_mariadb_again(struct mr_mariadb *db, const char *const *extra)
{
    launch(db, extra, MR_MARIADB_DATABASE);
}

void mr_mariadb_stop(struct mr_mariadb *db)
{
    char command[96];

    mr_mariadb_kill(db);
    mysql_library_end();
    snprintf(command, sizeof(command), "rm -rf %s", db->dir);
    ck_assert_int_eq(system(command), 0);
}

/* ---- asking ---- */

/* All results of the statements in sql; the first one's is the caller's, NULL when it has none. */
static MYSQL_RES *ask(struct mr_mariadb *db, const char *sql)
{
    ck_assert_msg(db->sync != NULL, "the database does not run: %s", sql);
    int status = mysql_query(db->sync, sql);
    MYSQL_RES *first = status == 0 ? mysql_store_result(db->sync) : NULL;

    while (status == 0 && (status = mysql_next_result(db->sync)) == 0)
        mysql_free_result(mysql_store_result(db->sync));
    ck_assert_msg(status <= 0, "%s: %.200s", mysql_error(db->sync), sql);
    return first;
}

__attribute__((format(printf, 1, 0))) static char *sql_of(const char *format, va_list args)
{
    char *sql = NULL;

    ck_assert_int_ge(vasprintf(&sql, format, args), 0);
    return sql;
}

__attribute__((format(printf, 2, 0))) static char *first_value(struct mr_mariadb *db,
                                                               const char *format, va_list args)
{
    char *sql = sql_of(format, args), *value = NULL;
    MYSQL_RES *result = ask(db, sql);

    ck_assert_msg(result != NULL, "no result: %s", sql);
    MYSQL_ROW row = mysql_fetch_row(result);
    if (row && row[0])
        value = mr_strndup(row[0], mysql_fetch_lengths(result)[0]);
    mysql_free_result(result);
    free(sql);
    return value;
}

void mr_mariadb_do(struct mr_mariadb *db, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *sql = sql_of(format, args);
    va_end(args);
    mysql_free_result(ask(db, sql));
    free(sql);
}

long long mr_mariadb_int(struct mr_mariadb *db, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *value = first_value(db, format, args);
    va_end(args);
    long long number = value ? atoll(value) : -1;
    free(value);
    return number;
}

char *mr_mariadb_text(struct mr_mariadb *db, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *value = first_value(db, format, args);
    va_end(args);
    return value;
}

void mr_mariadb_expect(struct mr_mariadb *db, const char *want, const char *sql)
{
    char *text = mr_mariadb_text(db, "%s", sql);

    ck_assert_msg(text && strcmp(text, want) == 0, "%s: %s, not %s", sql,
                  text ? text : "(none)", want);
    free(text);
}

#define MIGRATIONS MR_SOURCE_ROOT "/ops/mysql/"

void mr_mariadb_apply(struct mr_mariadb *db, const char *name)
{
    char *sql = mr_zalloc(TEXT_MAX), *path = mr_asprintf(MIGRATIONS "%s", name);
    FILE *file = fopen(path, "re");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_lt(fread(sql, 1, TEXT_MAX, file), TEXT_MAX);
    fclose(file);
    mysql_free_result(ask(db, sql));
    free(path);
    free(sql);
}

/* By number, since glob sorts. */
static glob_t migrations(void)
{
    glob_t files;

    ck_assert_int_eq(glob(MIGRATIONS "*.sql", 0, NULL, &files), 0);
    return files;
}

void mr_mariadb_schema(struct mr_mariadb *db)
{
    glob_t files = migrations();

    for (size_t i = 0; i < files.gl_pathc; i++)
        mr_mariadb_apply(db, files.gl_pathv[i] + strlen(MIGRATIONS));
    globfree(&files);
}

unsigned mr_mariadb_migrations(void)
{
    glob_t files = migrations();
    unsigned n = (unsigned)files.gl_pathc;

    globfree(&files);
    return n;
}
