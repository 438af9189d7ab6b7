#include "proto/sync_link.h"

#include "proto/base/mem.h"
#include "proto/redis_url.h"
#include "proto/resp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

struct mr_sync_link {
    struct mr_redis_url url;
    char *username, *password, *name;
    struct timeval connect_timeout, reply_timeout;
    redisContext *redis; /* NULL while not connected */
};

static struct timeval span(unsigned ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

enum mr_code mr_sync_link_new(const struct mr_sync_link_options *options,
                              struct mr_sync_link **out, struct mr_err *err)
{
    struct mr_sync_link *link = mr_zalloc(sizeof(*link));
    enum mr_code code = mr_redis_url_parse(options->url, &link->url, err);

    if (code != MR_OK) {
        free(link);
        return code;
    }
    link->username = mr_strdup(options->username ? options->username : link->url.username);
    link->password = mr_strdup(options->password ? options->password : link->url.password);
    link->name = mr_strdup(options->name);
    link->connect_timeout = span(options->connect_timeout_ms);
    link->reply_timeout = span(options->reply_timeout_ms);
    *out = link;
    return MR_OK;
}

void mr_sync_link_drop(struct mr_sync_link *link)
{
    if (link->redis)
        redisFree(link->redis);
    link->redis = NULL;
}

void mr_sync_link_free(struct mr_sync_link *link)
{
    if (!link)
        return;
    mr_sync_link_drop(link);
    mr_redis_url_fini(&link->url);
    free(link->username);
    free(link->password);
    free(link->name);
    free(link);
}

/* Not by hiredis: its write(2) to a socket that has closed would end the program around us by SIGPIPE. */
static bool send_all(struct mr_sync_link *link, const struct mr_buf *request)
{
    const char *at = request->at, *end = at + request->len;

    while (at < end) {
        ssize_t n = send(link->redis->fd, at, (size_t)(end - at), MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
    }
    return true;
}

static void free_answers(redisReply **answers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        freeReplyObject(answers[i]);
}

/* Fills all answers or none. */
static bool exchange(struct mr_sync_link *link, const struct mr_buf *request, size_t n,
                     redisReply **answers)
{
    if (!send_all(link, request))
        return false;
    for (size_t i = 0; i < n; i++) {
        void *answer = NULL;

        if (redisGetReply(link->redis, &answer) != REDIS_OK || !answer) {
            free_answers(answers, i);
            return false;
        }
        answers[i] = answer;
    }
    return true;
}

static const char *trouble(const struct mr_sync_link *link)
{
    if (!link->redis)
        return "out of memory";
    if (link->redis->err == REDIS_ERR_IO && errno == EAGAIN)
        return "no answer in time";
    if (link->redis->err)
        return link->redis->errstr;
    return strerror(errno);
}

/* AUTH, SELECT and CLIENT SETNAME, as far as they are asked for; returns how many commands. */
static size_t write_greeting(const struct mr_sync_link *link, struct mr_buf *request)
{
    size_t n = 0;

    if (link->password) {
        mr_resp_begin(request, link->username ? 3 : 2);
        mr_resp_text(request, "AUTH");
        if (link->username)
            mr_resp_text(request, link->username);
        mr_resp_text(request, link->password);
        n++;
    }
    if (link->url.db) {
        mr_resp_begin(request, 2);
        mr_resp_text(request, "SELECT");
        mr_resp_number(request, link->url.db);
        n++;
    }
    if (link->name) {
        mr_resp_begin(request, 3);
        mr_resp_text(request, "CLIENT");
        mr_resp_text(request, "SETNAME");
        mr_resp_text(request, link->name);
        n++;
    }
    return n;
}

enum { GREETINGS = 3 };

static enum mr_code greet(struct mr_sync_link *link, struct mr_err *err)
{
    redisReply *answers[GREETINGS];
    struct mr_buf request = {0};
    size_t n = write_greeting(link, &request);
    bool answered = exchange(link, &request, n, answers);
    enum mr_code code = MR_OK;

    mr_buf_fini(&request);
    if (!answered)
        return mr_fail(err, MR_EDOWN, "redis %s: %s", link->url.address, trouble(link));
    /* A user who may not give himself a name, which comes last, may come in without. */
    for (size_t i = 0; i < n - (link->name != NULL) && code == MR_OK; i++)
        if (answers[i]->type == REDIS_REPLY_ERROR)
            code = mr_fail(err, MR_EREFUSED, "redis %s does not let us in: %s",
                           link->url.address, answers[i]->str);
    free_answers(answers, n);
    return code;
}

static enum mr_code connect_now(struct mr_sync_link *link, struct mr_err *err)
{
    const struct mr_redis_url *url = &link->url;

    if (url->path)
        link->redis = redisConnectUnixWithTimeout(url->path, link->connect_timeout);
    else
        link->redis =
            redisConnectWithTimeout(url->host, atoi(url->port), link->connect_timeout);
    enum mr_code code = MR_OK;
    if (!link->redis || link->redis->err ||
        redisSetTimeout(link->redis, link->reply_timeout) != REDIS_OK)
        code = mr_fail(err, MR_EDOWN, "redis %s: %s", url->address, trouble(link));
    else
        code = greet(link, err);
    if (code != MR_OK)
        mr_sync_link_drop(link);
    return code;
}

/* A Redis that went away while nothing was asked has left an end of file behind: then nothing needs to be unknown. */
static void drop_if_closed(struct mr_sync_link *link)
{
    char byte;

    if (link->redis && (recv(link->redis->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
                        (errno != EAGAIN && errno != EINTR)))
        mr_sync_link_drop(link);
}

enum mr_code mr_sync_link_ask(struct mr_sync_link *link, const struct mr_buf *request, size_t n,
                              redisReply **answers, struct mr_err *err)
{
    drop_if_closed(link);
    if (!link->redis) {
        enum mr_code code = connect_now(link, err);

        if (code != MR_OK)
            return code;
    }
    if (exchange(link, request, n, answers))
        return MR_OK;
    mr_fail(err, MR_EUNKNOWN,
            "redis %s: connection lost (%s); nobody knows whether the command was carried out",
            link->url.address, trouble(link));
    mr_sync_link_drop(link);
    return MR_EUNKNOWN;
}
