#include "proto/redis_url.h"

#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

enum { DEFAULT_PORT = 6379, MAX_PORT = 65535, MAX_DB = 1000000 };

static const size_t max_path = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

static enum mr_code number(const char *what, struct mr_bytes digits, unsigned max,
                           unsigned *out, struct mr_err *err)
{
    unsigned value = 0;

    for (size_t i = 0; i < digits.len; i++) {
        if (digits.at[i] < '0' || digits.at[i] > '9' || value > max)
            return mr_fail(err, MR_EINVAL, "redis url: %s must be a number from 0 to %u", what,
                           max);
        value = value * 10 + (unsigned)(digits.at[i] - '0');
    }
    if (digits.len == 0 || value > max)
        return mr_fail(err, MR_EINVAL, "redis url: %s must be a number from 0 to %u", what,
                       max);
    *out = value;
    return MR_OK;
}

/* %41 becomes A. A NUL would cut the text short unseen, so it is refused. */
static enum mr_code decode(const char *what, struct mr_bytes in, char **out, struct mr_err *err)
{
    char *text = mr_zalloc(in.len + 1), *to = text;

    for (size_t i = 0; i < in.len; i++) {
        int high = 0, low = 0;

        if (in.at[i] != '%') {
            *to++ = in.at[i];
            continue;
        }
        if (i + 2 >= in.len || (high = mr_str_hex(in.at[i + 1])) < 0 ||
            (low = mr_str_hex(in.at[i + 2])) < 0 || high + low == 0) {
            free(text);
            return mr_fail(err, MR_EINVAL,
                           "redis url: the %s has a %% that is not followed by two hex digits "
                           "(write %%25 for a percent sign)",
                           what);
        }
        *to++ = (char)(high * 16 + low);
        i += 2;
    }
    *out = text;
    return MR_OK;
}

/* What stands before the first (or, with from_end, the last) mark moves to head; false without a mark. */
static bool cut(struct mr_bytes *rest, char mark, bool from_end, struct mr_bytes *head)
{
    const char *at =
        from_end ? memrchr(rest->at, mark, rest->len) : memchr(rest->at, mark, rest->len);

    if (!at)
        return false;
    *head = (struct mr_bytes){rest->at, (size_t)(at - rest->at)};
    *rest = (struct mr_bytes){at + 1, rest->len - head->len - 1};
    return true;
}

/* "user", "user:password" or ":password". */
static enum mr_code credentials(struct mr_bytes text, struct mr_redis_url *url,
                                struct mr_err *err)
{
    struct mr_bytes user = text, password = text;
    enum mr_code code = MR_OK;

    if (cut(&password, ':', false, &user) && (password.len || user.len))
        code = decode("password", password, &url->password, err);
    if (code == MR_OK && user.len)
        code = decode("user name", user, &url->username, err);
    return code;
}

/* The only option there is: db=n. */
static enum mr_code options(struct mr_bytes query, struct mr_redis_url *url, struct mr_err *err)
{
    if (query.len < 3 || memcmp(query.at, "db=", 3) != 0)
        return mr_fail(err, MR_EINVAL, "redis url: the only option behind ? is db=<number>");
    return number("db", (struct mr_bytes){query.at + 3, query.len - 3}, MAX_DB, &url->db, err);
}

static enum mr_code socket_path(struct mr_bytes text, struct mr_redis_url *url,
                                struct mr_err *err)
{
    if (text.len == 0 || text.at[0] != '/')
        return mr_fail(err, MR_EINVAL,
                       "redis url: a unix socket needs an absolute path, as in "
                       "redis+unix:///run/redis/redis.sock");
    enum mr_code code = decode("socket path", text, &url->path, err);
    if (code == MR_OK && strlen(url->path) > max_path)
        return mr_fail(
            err, MR_EINVAL,
            "redis url: the socket path %s has %zu bytes, the system allows %zu: use "
            "a shorter folder",
            url->path, strlen(url->path), max_path);
    return code;
}

/* "host", "host:port", "[::1]" or "[::1]:port". */
static enum mr_code host_and_port(struct mr_bytes text, struct mr_redis_url *url,
                                  struct mr_err *err)
{
    struct mr_bytes host = text, port = {NULL, 0};
    unsigned port_number = DEFAULT_PORT;

    if (text.len && text.at[0] == '[') {
        struct mr_bytes behind = {text.at + 1, text.len - 1};

        if (!cut(&behind, ']', false, &host) || (behind.len && behind.at[0] != ':'))
            return mr_fail(err, MR_EINVAL,
                           "redis url: an IPv6 address is written [::1] or [::1]:6379");
        if (behind.len)
            port = (struct mr_bytes){behind.at + 1, behind.len - 1};
    } else {
        struct mr_bytes behind = text;

        if (cut(&behind, ':', false, &host))
            port = behind;
        if (port.at && memchr(port.at, ':', port.len))
            return mr_fail(err, MR_EINVAL,
                           "redis url: more than one colon in the address (IPv6 is written "
                           "[::1]:6379; a / or @ in a password is written %%2F, %%40)");
    }
    if (host.len == 0)
        return mr_fail(err, MR_EINVAL, "redis url: no host, as in redis://127.0.0.1:6379/0");
    if (port.at && number("port", port, MAX_PORT, &port_number, err) != MR_OK)
        return MR_EINVAL;
    if (port_number == 0)
        return mr_fail(err, MR_EINVAL, "redis url: port 0 is not a port to connect to");
    url->port = mr_asprintf("%u", port_number);
    return decode("host", host, &url->host, err);
}

static enum mr_code tcp(struct mr_bytes rest, struct mr_redis_url *url, struct mr_err *err)
{
    struct mr_bytes host = rest;

    if (cut(&rest, '/', false, &host) && rest.len &&
        number("the database behind the /", rest, MAX_DB, &url->db, err) != MR_OK)
        return MR_EINVAL;
    return host_and_port(host, url, err);
}

static bool strip(struct mr_bytes *text, const char *scheme)
{
    size_t len = strlen(scheme);

    if (text->len < len || strncasecmp(text->at, scheme, len) != 0)
        return false;
    *text = (struct mr_bytes){text->at + len, text->len - len};
    return true;
}

static enum mr_code parse(struct mr_bytes rest, struct mr_redis_url *url, struct mr_err *err)
{
    bool local = false;

    if (strip(&rest, "rediss://"))
        return mr_fail(err, MR_EINVAL,
                       "redis url: rediss:// (TLS) is not supported by this build; use stunnel "
                       "or a local socket");
    if (strip(&rest, "redis+unix://") || strip(&rest, "unix://") || strip(&rest, "unix:"))
        local = true;
    else if (!strip(&rest, "redis://"))
        return mr_fail(err, MR_EINVAL,
                       "redis url: must begin with redis://, redis+unix:// or unix:");

    struct mr_bytes query = rest, before = rest, who = {NULL, 0};
    if (cut(&query, '?', false, &before)) {
        rest = before;
        if (options(query, url, err) != MR_OK)
            return MR_EINVAL;
    }
    /* A path may hold an @; credentials before it cannot begin with a slash. */
    bool path_first = local && rest.len && rest.at[0] == '/';
    if (!path_first && cut(&rest, '@', true, &who) && credentials(who, url, err) != MR_OK)
        return MR_EINVAL;
    return local ? socket_path(rest, url, err) : tcp(rest, url, err);
}

static char *address_of(const struct mr_redis_url *url)
{
    if (url->path && url->db == 0)
        return mr_strdup(url->path);
    if (url->path)
        return mr_asprintf("%s?db=%u", url->path, url->db);
    return mr_asprintf(strchr(url->host, ':') ? "[%s]:%s/%u" : "%s:%s/%u", url->host, url->port,
                       url->db);
}

enum mr_code mr_redis_url_parse(const char *text, struct mr_redis_url *out, struct mr_err *err)
{
    struct mr_redis_url url = {0};

    if (parse(mr_bytes_of(text), &url, err) != MR_OK) {
        mr_redis_url_fini(&url);
        return MR_EINVAL;
    }
    url.address = address_of(&url);
    *out = url;
    return MR_OK;
}

void mr_redis_url_fini(struct mr_redis_url *url)
{
    if (!url)
        return;
    free(url->path);
    free(url->host);
    free(url->port);
    free(url->username);
    free(url->password);
    free(url->address);
    *url = (struct mr_redis_url){0};
}
