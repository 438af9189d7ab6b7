#include "jobs/services/mysql_compat.h"

#include "proto/base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

/* What there is to do on fd, of events; 0: nothing within span_ms. fd may be -1, then it only waits. */
static short wait_on(int fd, short events, uint64_t span_ms)
{
    struct pollfd line = {.fd = fd, .events = events};
    uint64_t end_ms = mr_clock_ms() + span_ms;

    for (;;) {
        uint64_t now_ms = mr_clock_ms();
        uint64_t left_ms = now_ms < end_ms ? end_ms - now_ms : 0;
        int n = poll(&line, 1, left_ms < 60000 ? (int)left_ms : 60000);

        if (n > 0)
            return line.revents;
        if (left_ms == 0 && (n == 0 || errno == EINTR))
            return 0;
    }
}

#ifdef MARIADB_PACKAGE_VERSION

/*
 * The library goes on where it waits on a stack of its own, this large: it looks names up and shakes hands for TLS on it. Untouched
 * pages of it cost nothing.
 */
static const size_t stack_bytes = 256 * 1024;

static short events_of(int waits)
{
    return (short)((waits & MYSQL_WAIT_READ ? POLLIN : 0) |
                   (waits & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
                   (waits & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
}

static int waits_of(short events)
{
    return (events & (POLLIN | POLLHUP | POLLERR) ? MYSQL_WAIT_READ : 0) |
           (events & (POLLOUT | POLLHUP | POLLERR) ? MYSQL_WAIT_WRITE : 0) |
           (events & POLLPRI ? MYSQL_WAIT_EXCEPT : 0);
}

/* A step that is told of a time-out fails, and so does the whole: nothing is left half done. */
bool mr_mysql_compat_connect(MYSQL *mysql, const struct mr_mysql_compat_target *to,
                             uint64_t end_ms, bool *out_late)
{
    MYSQL *done = NULL;

    mysql_options(mysql, MYSQL_OPT_NONBLOCK, &stack_bytes);
    int waits = mysql_real_connect_start(&done, mysql, to->host, to->user, to->password,
                                         to->database, to->port, to->socket, 0);
    while (waits) {
        uint64_t now_ms = mr_clock_ms(), span_ms = end_ms > now_ms ? end_ms - now_ms : 0;
        uint64_t its_ms =
            waits & MYSQL_WAIT_TIMEOUT ? mysql_get_timeout_value_ms(mysql) : UINT64_MAX;
        short ready = wait_on(mysql_get_socket(mysql), events_of(waits),
                              span_ms < its_ms ? span_ms : its_ms);

        *out_late |= ready == 0;
        waits = mysql_real_connect_cont(&done, mysql,
                                        ready ? waits_of(ready) & waits : MYSQL_WAIT_TIMEOUT);
    }
    *out_late &= done == NULL;
    return done != NULL;
}

#else

/* It does not say whether it waits to read or to write: the latter is over soon. */
enum { LOOK_MS = 10 };

bool mr_mysql_compat_connect(MYSQL *mysql, const struct mr_mysql_compat_target *to,
                             uint64_t end_ms, bool *out_late)
{
    enum net_async_status status;

    while ((status = mysql_real_connect_nonblocking(mysql, to->host, to->user, to->password,
                                                    to->database, to->port, to->socket, 0)) ==
           NET_ASYNC_NOT_READY) {
        if (mr_clock_ms() >= end_ms) {
            *out_late = true;
            return false;
        }
        wait_on(mr_mysql_compat_fd(mysql), POLLIN, LOOK_MS);
    }
    return status == NET_ASYNC_COMPLETE;
}

#endif
