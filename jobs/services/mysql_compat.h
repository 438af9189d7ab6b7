/* Where MariaDB's libmysqlclient and Oracle's differ, so that no other file needs to know which one it is built with. */
#ifndef MR_JOBS_SERVICES_MYSQL_COMPAT_H
#define MR_JOBS_SERVICES_MYSQL_COMPAT_H

#include <mysql.h>
#include <stdbool.h>
#include <stdint.h>

/* off: in clear · on: encrypted · verify: and the server proves its name. */
enum mr_mysql_tls { MR_MYSQL_TLS_OFF, MR_MYSQL_TLS_ON, MR_MYSQL_TLS_VERIFY };

#ifdef MARIADB_PACKAGE_VERSION
typedef my_bool mr_my_bool; /* MYSQL_BIND's is_null and error */
#else
typedef bool mr_my_bool;
#endif

/* The connection's socket; -1 when there is none. */
static inline int mr_mysql_compat_fd(MYSQL *mysql)
{
#ifdef MARIADB_PACKAGE_VERSION
    return mysql_get_socket(mysql);
#else
    return mysql->net.fd;
#endif
}

/* Where to, and who we are; borrowed. */
struct mr_mysql_compat_target {
    const char *host, *socket; /* one of them; socket is a path */
    const char *user, *password, *database;
    unsigned port;
};

/*
 * mysql_real_connect that is over at end_ms of the monotonic clock, whatever the server does: the libraries' own time-outs are for one
 * read, or end with the server's greeting, so that one which trickles, or falls silent behind it, would hold the caller. False:
 * mysql_error says why, and *out_late that time ran out. Looking up a name takes as long as it takes.
 */
bool mr_mysql_compat_connect(MYSQL *mysql, const struct mr_mysql_compat_target *to,
                             uint64_t end_ms, bool *out_late);

/*
 * Both libraries have defaults of their own, and they change with versions: every mode is said in full. MariaDB's goes
 * on in clear when it was asked for TLS without verification and the server has none: whoever asks for
 * MR_MYSQL_TLS_ON looks at mysql_get_ssl_cipher afterwards.
 */
static inline void mr_mysql_compat_tls(MYSQL *mysql, enum mr_mysql_tls tls)
{
#ifdef MARIADB_PACKAGE_VERSION
    mr_my_bool enforce = tls != MR_MYSQL_TLS_OFF, verify = tls == MR_MYSQL_TLS_VERIFY;

    mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &enforce);
    mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
#else
    static const unsigned modes[] = {SSL_MODE_DISABLED, SSL_MODE_REQUIRED,
                                     SSL_MODE_VERIFY_IDENTITY};
    bool fetch_key = true; /* in clear, caching_sha2_password wants the server's key */

    mysql_options(mysql, MYSQL_OPT_SSL_MODE, &modes[tls]);
    mysql_options(mysql, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &fetch_key);
#endif
}

#endif
