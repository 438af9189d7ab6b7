#include "dispatcher/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128 };

static bool is_loopback(const struct sockaddr_storage *at)
{
    if (at->ss_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, at, sizeof(v4));
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    struct sockaddr_in6 v6;

    memcpy(&v6, at, sizeof(v6));
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

/* Cuts the host out of "host:port"; gives the port's text or NULL. */
static const char *split(const char *text, char *host, size_t room)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;

    if (!colon || len >= room)
        return NULL;
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        return NULL; /* an IPv6 address wants brackets, or its end would be taken for a port */
    }
    memcpy(host, text, len);
    host[len] = '\0';
    return colon + 1;
}

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    return digits >= 1 && digits <= 5 && text[digits] == '\0' && atoi(text) <= 65535;
}

enum mr_code mr_listen_resolve(const char *text, struct mr_listen_address *out,
                               struct mr_err *err)
{
    struct mr_listen_address address = {.loopback = false};
    const struct addrinfo wanted = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const char *port = split(text, address.host, sizeof(address.host));

    if (!port || !is_port(port))
        return mr_fail(err, MR_EINVAL,
                       "control.listen: '%s' is no address; write host:port, such as "
                       "127.0.0.1:9090 or [::1]:9090",
                       text);
    int failed = getaddrinfo(address.host[0] ? address.host : NULL, port, &wanted, &found);
    if (failed)
        return mr_fail(err, MR_EINVAL, "control.listen: cannot find '%s': %s", address.host,
                       gai_strerror(failed));
    memcpy(&address.at, found->ai_addr, found->ai_addrlen);
    address.size = found->ai_addrlen;
    address.loopback = is_loopback(&address.at);
    freeaddrinfo(found);
    *out = address;
    return MR_OK;
}

static unsigned port_of(const struct sockaddr_storage *at)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    memcpy(&v4, at, sizeof(v4));
    memcpy(&v6, at, sizeof(v6));
    return ntohs(at->ss_family == AF_INET ? v4.sin_port : v6.sin6_port);
}

static unsigned bound_port(int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof(at);

    getsockname(fd, (struct sockaddr *)&at, &size);
    return port_of(&at);
}

enum mr_code mr_listen_tcp(const struct mr_listen_address *address, int *out_fd,
                           unsigned *out_port, struct mr_err *err)
{
    const int on = 1;
    int fd =
        socket(address->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

    if (fd < 0)
        return mr_fail(err, MR_EIO, "control.listen: socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&address->at, address->size) != 0 ||
        listen(fd, BACKLOG) != 0) {
        int reason = errno;

        close(fd);
        return mr_fail(err, reason == EADDRINUSE ? MR_EBUSY : MR_EIO,
                       "control.listen: cannot listen on %s port %u: %s; choose another port "
                       "or stop what holds it",
                       address->host[0] ? address->host : "*", port_of(&address->at),
                       strerror(reason));
    }
    *out_port = bound_port(fd);
    *out_fd = fd;
    return MR_OK;
}

static enum mr_code fill_path(const char *path, struct sockaddr_un *out, struct mr_err *err)
{
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(out->sun_path))
        return mr_fail(err, MR_EINVAL,
                       "control.socket: the path has %zu bytes, a unix socket may have %zu: %s",
                       len, sizeof(out->sun_path) - 1, path);
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, path, len);
    return MR_OK;
}

/* Takes away what a process that is gone left behind, and nothing else. */
static enum mr_code clear_the_way(const struct sockaddr_un *at, struct mr_err *err)
{
    struct stat there;

    if (lstat(at->sun_path, &there) != 0)
        return MR_OK;
    if (!S_ISSOCK(there.st_mode))
        return mr_fail(err, MR_EINVAL,
                       "control.socket: %s stands there and is no socket; it is left alone",
                       at->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return mr_fail(err, MR_EIO, "control.socket: socket: %s", strerror(errno));
    bool refused =
        connect(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!refused)
        return mr_fail(err, MR_EBUSY, "control.socket: another process answers at %s",
                       at->sun_path);
    unlink(at->sun_path);
    return MR_OK;
}

/* The mode comes from the mask, so that there is no moment in which others could connect. */
static int bind_private(int fd, const struct sockaddr_un *at)
{
    mode_t before = umask(0177);
    int failed = bind(fd, (const struct sockaddr *)at, sizeof(*at));

    umask(before);
    return failed;
}

enum mr_code mr_listen_unix(const char *path, int *out_fd, struct mr_err *err)
{
    struct sockaddr_un at;
    enum mr_code code = fill_path(path, &at, err);

    if (code == MR_OK)
        code = clear_the_way(&at, err);
    if (code != MR_OK)
        return code;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return mr_fail(err, MR_EIO, "control.socket: socket: %s", strerror(errno));
    if (bind_private(fd, &at) != 0 || listen(fd, BACKLOG) != 0) {
        int reason = errno;

        close(fd);
        return mr_fail(err, reason == EADDRINUSE ? MR_EBUSY : MR_EIO,
                       "control.socket: cannot listen at %s: %s", path, strerror(reason));
    }
    *out_fd = fd;
    return MR_OK;
}
