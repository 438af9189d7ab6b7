#include "proto/base/mem.h"
#include "proto/link_own.h"
#include "proto/resp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum mr_code refusal_code(const redisReply *reply)
{
    static const char *const passing[] = {"LOADING", "MASTERDOWN", "BUSY",
                                          "ERR max number of clients"};

    for (size_t i = 0; i < MR_COUNT(passing); i++)
        if (strncmp(reply->str, passing[i], strlen(passing[i])) == 0)
            return MR_EREFUSED;
    return MR_EFAULT;
}

/* True when the step was refused: the connection is then lost, with the reason. */
static bool refused(struct mr_link *link, const redisReply *reply, const char *step)
{
    char why[256];

    if (reply->type != REDIS_REPLY_ERROR)
        return false;
    snprintf(why, sizeof(why), "%s was refused: %s", step, reply->str);
    mr_link_lose(link, refusal_code(reply), why);
    return true;
}

static void on_auth(void *arg, const redisReply *reply)
{
    struct mr_link *link = arg;

    if (!reply || reply->type != REDIS_REPLY_ERROR)
        return;

    /* Redis quotes words of a command that it does not know: the password must not come out that way. */
    size_t len = strcspn(reply->str, "'`");
    char *said = mr_strndup(reply->str, len);
    if (reply->str[len] || (link->url.password[0] && strstr(said, link->url.password)))
        mr_link_lose(link, MR_EFAULT, "AUTH was refused");
    else
        refused(link, reply, "AUTH");
    free(said);
}

static void on_select(void *arg, const redisReply *reply)
{
    struct mr_link *link = arg;
    char step[32];

    snprintf(step, sizeof(step), "SELECT %u", link->url.db);
    if (reply)
        refused(link, reply, step);
}

/* A server that will not say lives without: the id is 0. */
static void on_client_id(void *arg, const redisReply *reply)
{
    struct mr_link *link = arg;

    if (reply && reply->type == REDIS_REPLY_INTEGER)
        link->client_id = reply->integer;
}

/* The last answer of the handshake. PING tells a server that still loads, or wants a password. */
static void on_pong(void *arg, const redisReply *reply)
{
    struct mr_link *link = arg;

    if (!reply)
        return;
    bool unprivileged =
        reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOPERM", 6) == 0;
    if (!unprivileged && refused(link, reply, "PING"))
        return;
    mr_link_came_up(link);
}

void mr_link_shake(struct mr_link *link)
{
    const struct mr_redis_url *url = &link->url;

    if (url->password) {
        mr_resp_begin(&link->out, url->username ? 3 : 2);
        mr_resp_text(&link->out, "AUTH");
        if (url->username)
            mr_resp_text(&link->out, url->username);
        mr_resp_text(&link->out, url->password);
        mr_owed_add(&link->owed, on_auth, link);
    }
    if (url->db) {
        mr_resp_begin(&link->out, 2);
        mr_resp_text(&link->out, "SELECT");
        mr_resp_number(&link->out, url->db);
        mr_owed_add(&link->owed, on_select, link);
    }
    if (link->name) {
        mr_resp_begin(&link->out, 3);
        mr_resp_text(&link->out, "CLIENT");
        mr_resp_text(&link->out, "SETNAME");
        mr_resp_text(&link->out, link->name);
        mr_owed_add(&link->owed, NULL, NULL);
    }
    if (link->want_client_id) {
        mr_resp_begin(&link->out, 2);
        mr_resp_text(&link->out, "CLIENT");
        mr_resp_text(&link->out, "ID");
        mr_owed_add(&link->owed, on_client_id, link);
    }
    mr_resp_begin(&link->out, 1);
    mr_resp_text(&link->out, "PING");
    mr_owed_add(&link->owed, on_pong, link);
}
