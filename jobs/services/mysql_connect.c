#include "jobs/services/mysql_connect.h"

#include "jobs/services/members.h"
#include "jobs/services/mysql_error.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PORT = 3306, CONNECT_MS = 5000, LOCK_MS = 10000, STATEMENT_MS = 30000 };

/* The longest packet, and with it a row: some values at their bound of 64 MiB. */
static const unsigned long packet_max_bytes = 256ul * 1024 * 1024;

/* ---- options ---- */

static enum mr_mysql_tls tls_of(const char *word)
{
    if (strcmp(word, "off") == 0)
        return MR_MYSQL_TLS_OFF;
    return strcmp(word, "on") == 0 ? MR_MYSQL_TLS_ON : MR_MYSQL_TLS_VERIFY;
}

static void name_server(struct mr_mysql_server *server)
{
    bool is_v6 = server->host && strchr(server->host, ':');

    if (server->socket)
        snprintf(server->name, sizeof(server->name), "%s", server->socket);
    else
        snprintf(server->name, sizeof(server->name), is_v6 ? "[%s]:%u" : "%s:%u", server->host,
                 server->port);
}

/* Whole seconds, at least one, and if that can be, less than a statement may take: then it is told from one that is slow. */
static unsigned lock_timeout_s(uint64_t lock_ms, uint64_t statement_ms)
{
    if (lock_ms >= statement_ms)
        lock_ms = statement_ms - 1;
    return lock_ms < 2000 ? 1 : (unsigned)(lock_ms / 1000);
}

enum mr_code mr_mysql_options_read(const json_t *section, struct mr_mysql_login *out_login,
                                   struct mr_mysql_server *out_server, struct mr_err *err)
{
    const char *socket = mr_members_text(section, "socket", NULL),
               *host = mr_members_text(section, "host", "127.0.0.1");

    if (!mr_members_text(section, "database", NULL))
        return mr_fail(err, MR_EINVAL,
                       "mysql.database is not configured: no database to work with");
    *out_login = (struct mr_mysql_login){
        .database = mr_members_text(section, "database", NULL),
        .user = mr_members_text(section, "user", NULL),
        .password = mr_members_text(section, "password", NULL),
        .ca_file = mr_members_text(section, "ca_file", NULL),
        .tls = tls_of(mr_members_text(section, "tls", "off")),
        .connect_timeout_ms =
            (uint64_t)mr_members_number(section, "connect_timeout_ms", CONNECT_MS),
        .lock_timeout_s = lock_timeout_s(
            (uint64_t)mr_members_number(section, "lock_timeout_ms", LOCK_MS),
            (uint64_t)mr_members_number(section, "statement_timeout_ms", STATEMENT_MS)),
    };
    *out_server = (struct mr_mysql_server){
        .socket = mr_strdup(socket),
        .host = socket ? NULL : mr_strdup(host),
        .port = (unsigned)mr_members_number(section, "port", PORT),
    };
    name_server(out_server);
    return MR_OK;
}

/* 1..65535, or 0. */
static unsigned port_of(const char *text)
{
    char *end = NULL;
    unsigned long port = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;

    return port > 0 && port < 65536 && *end == '\0' ? (unsigned)port : 0;
}

enum mr_code mr_mysql_server_parse(const char *text, unsigned port, struct mr_mysql_server *out,
                                   struct mr_err *err)
{
    struct mr_mysql_server server = {.port = port};
    bool bracket = text[0] == '[';
    const char *host = text + bracket, *end = host + strcspn(host, bracket ? "]" : ":");
    const char *rest = bracket && *end == ']' ? end + 1 : end;

    if (text[0] == '/') {
        server.socket = mr_strdup(text);
    } else {
        server.port = *rest == ':' ? port_of(rest + 1) : *rest == '\0' ? port : 0;
        if (server.port == 0 || end == host || (bracket && *end != ']'))
            return mr_fail(err, MR_EINVAL,
                           "mysql.read_hosts: '%s' is neither host, host:port nor /socket",
                           text);
        server.host = mr_strndup(host, (size_t)(end - host));
    }
    name_server(&server);
    *out = server;
    return MR_OK;
}

void mr_mysql_server_fini(struct mr_mysql_server *server)
{
    free(server->host);
    free(server->socket);
    server->host = server->socket = NULL;
}

/* ---- connecting ---- */

enum mr_code mr_mysql_fail(struct mr_err *err, enum mr_code code,
                           const struct mr_mysql_server *server, unsigned number,
                           const char *state, const char *message)
{
    char words[600];

    mr_mysql_error_words(message, words, sizeof(words));
    return mr_fail(err, code, "MySQL at %s: %s (%u, %s)", server->name, words, number, state);
}

/* Where the distributions keep those whom everybody trusts. Oracle's library does not look by itself. */
static const char *authorities(const struct mr_mysql_login *login)
{
    static const char *const usual[] = {
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem",
    };

    if (login->ca_file)
        return login->ca_file;
    for (size_t i = 0; i < MR_COUNT(usual); i++)
        if (access(usual[i], R_OK) == 0)
            return usual[i];
    return NULL;
}

static unsigned seconds(uint64_t ms)
{
    return (unsigned)((ms + 999) / 1000);
}

static void write_options(MYSQL *mysql, const struct mr_mysql_server *server,
                          const struct mr_mysql_login *login, uint64_t wait_ms,
                          uint64_t silence_ms)
{
    unsigned wait_s = seconds(wait_ms), silence_s = seconds(silence_ms), no_files = 0;
    unsigned protocol = server->socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    mr_my_bool say_truncated = 1;
    enum mr_mysql_tls tls = server->socket ? MR_MYSQL_TLS_OFF : login->tls;

    mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol); /* "localhost" is a host, no socket */
    mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &wait_s);
    if (silence_ms) {
        mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &silence_s);
        mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &silence_s);
    }
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no_files); /* no server reads our files */
    mysql_options(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet_max_bytes);
    mysql_options(mysql, MYSQL_REPORT_DATA_TRUNCATION, &say_truncated);
    mr_mysql_compat_tls(mysql, tls);
    if (tls == MR_MYSQL_TLS_VERIFY)
        mysql_options(mysql, MYSQL_OPT_SSL_CA, authorities(login));
}

static enum mr_code refuse(MYSQL *mysql, const struct mr_mysql_server *server,
                           enum mr_mysql_moment moment, struct mr_err *err)
{
    unsigned number = mysql_errno(mysql);

    return mr_mysql_fail(err, mr_mysql_error_code(number, moment, MR_MYSQL_LEFT_ALONE), server,
                         number, mysql_sqlstate(mysql), mysql_error(mysql));
}

enum mr_code mr_mysql_dial(const struct mr_mysql_server *server,
                           const struct mr_mysql_login *login, uint64_t wait_ms,
                           uint64_t silence_ms, MYSQL **out, struct mr_err *err)
{
    const struct mr_mysql_compat_target to = {
        .host = server->host,
        .socket = server->socket,
        .user = login->user,
        .password = login->password,
        .database = login->database,
        .port = server->port,
    };
    MYSQL *mysql = mysql_init(NULL);
    enum mr_code code = MR_OK;
    bool late = false;

    if (!mysql)
        abort(); /* out of memory, as elsewhere */
    write_options(mysql, server, login, wait_ms, silence_ms);
    if (!mr_mysql_compat_connect(mysql, &to, mr_clock_ms() + wait_ms, &late))
        code = late ? mr_fail(err, MR_EDOWN, "MySQL at %s: not connected within %llu ms",
                              server->name, (unsigned long long)wait_ms)
                    : refuse(mysql, server, MR_MYSQL_REACHING, err);
    else if (!server->socket && login->tls != MR_MYSQL_TLS_OFF && !mysql_get_ssl_cipher(mysql))
        code = mr_fail(err, MR_EFAULT,
                       "MySQL at %s: the server offers no TLS, and mysql.tls wants it",
                       server->name);
    if (code != MR_OK) {
        mysql_close(mysql);
        return code;
    }
    fcntl(mr_mysql_compat_fd(mysql), F_SETFD, FD_CLOEXEC);
    *out = mysql;
    return MR_OK;
}

enum mr_code mr_mysql_settle_in(MYSQL *mysql, const struct mr_mysql_server *server,
                                const struct mr_mysql_login *login, struct mr_err *err)
{
    char lock_wait[80];
    const char *const statements[] = {
        /* The greeting named it already; --skip-character-set-client-handshake does not listen. */
        "SET NAMES utf8mb4",
        /* A key of 0 is 0: a row that moves to another table must not get the next free number there. */
        "SET time_zone = '+00:00', autocommit = 1, lc_messages = 'en_US', sql_mode = "
        "'STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
        "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        lock_wait,
    };

    snprintf(lock_wait, sizeof(lock_wait), "SET SESSION innodb_lock_wait_timeout = %u",
             login->lock_timeout_s);

    for (size_t i = 0; i < MR_COUNT(statements); i++)
        if (mysql_real_query(mysql, statements[i], strlen(statements[i])) != 0)
            return refuse(mysql, server, MR_MYSQL_REACHING, err);
    return MR_OK;
}

enum mr_code mr_mysql_ask(MYSQL *mysql, const struct mr_mysql_server *server,
                          struct mr_bytes sql, MYSQL_RES **out, struct mr_err *err)
{
    int status = mysql_real_query(mysql, sql.at, sql.len);
    MYSQL_RES *first = status == 0 ? mysql_store_result(mysql) : NULL;

    while (status == 0 && mysql_more_results(mysql) && (status = mysql_next_result(mysql)) == 0)
        mysql_free_result(mysql_store_result(mysql));
    /* An error in the middle of a result shows only here. */
    if (mysql_errno(mysql) != 0) {
        mysql_free_result(first);
        return refuse(mysql, server, MR_MYSQL_ALONE, err);
    }
    *out = first;
    return MR_OK;
}
