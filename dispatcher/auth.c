#include "dispatcher/auth.h"

#include "proto/base/mem.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

bool mr_access_same_token(const char *token, const char *given)
{
    size_t len = strlen(token);
    volatile unsigned char differs = 0;

    for (size_t i = 0; given[i]; i++)
        differs |= (unsigned char)(given[i] ^ token[len ? i % len : 0]);
    return differs == 0 && strlen(given) == len && len > 0;
}

/* The name in a Host header, without port and brackets, owned by the caller. */
static char *host_name(const char *host)
{
    if (*host == '[') {
        const char *end = strchr(host, ']');

        return end ? mr_strndup(host + 1, (size_t)(end - host - 1)) : mr_strdup("");
    }
    return mr_strndup(host, strcspn(host, ":"));
}

static bool is_address(const char *name)
{
    struct in6_addr any;

    return inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1;
}

/*
 * An address cannot be rebound, so any will do; of names only those that we go by. The own name is
 * there for containers, which are asked by it.
 */
static bool is_our_host(const struct mr_access *access, const char *host)
{
    char *name = host_name(host);
    bool ours = is_address(name) || strcasecmp(name, "localhost") == 0 ||
                (access->listen_host && strcasecmp(name, access->listen_host) == 0) ||
                (access->own_host && strcasecmp(name, access->own_host) == 0);

    free(name);
    return ours;
}

static bool changes_state(const char *method)
{
    return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
}

/* What a browser adds tells where the request came from; without any of it, it was no browser. */
static bool is_cross_site(const struct mr_claim *claim)
{
    if (claim->fetch_site)
        return strcmp(claim->fetch_site, "same-origin") != 0 &&
               strcmp(claim->fetch_site, "none") != 0;
    if (!claim->origin)
        return false;
    const char *authority = strstr(claim->origin, "://");
    return !authority || !claim->host || strcasecmp(authority + 3, claim->host) != 0;
}

static bool has_token(const struct mr_access *access, const char *authorization)
{
    static const char scheme[] = "Bearer ";

    return authorization && strncasecmp(authorization, scheme, sizeof(scheme) - 1) == 0 &&
           mr_access_same_token(access->token, authorization + sizeof(scheme) - 1);
}

static int refuse(struct mr_err *why, int status, const char *text)
{
    mr_fail(why, MR_EREFUSED, "%s", text);
    return status;
}

int mr_access_check(const struct mr_access *access, const struct mr_claim *claim,
                    struct mr_err *why)
{
    if (claim->n_content_lengths > 1 ||
        (claim->n_content_lengths && claim->has_transfer_encoding))
        return refuse(why, 400, "more than one header says where the body ends");
    if (claim->n_hosts > 1)
        return refuse(why, 400, "more than one Host header");
    if (!claim->local && (!claim->host || !is_our_host(access, claim->host)))
        return refuse(why, 421,
                      "the Host header names another machine; ask by address, by "
                      "localhost or by the host of control.listen");
    if (changes_state(claim->method) && is_cross_site(claim))
        return refuse(why, 403, "a page of another site may not change anything here");
    if (claim->local || claim->open)
        return 0;
    if (!access->token)
        return refuse(why, 401,
                      "no control.token is configured, so TCP serves /health, /ready and "
                      "/metrics alone; use the unix socket or set a token");
    if (!has_token(access, claim->authorization))
        return refuse(why, 401, "needs the header Authorization: Bearer <control.token>");
    return 0;
}

bool mr_access_peer_allowed(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    return peer.uid == 0 || peer.uid == geteuid();
}

void mr_access_fini(struct mr_access *access)
{
    if (!access)
        return;
    free(access->token);
    free(access->listen_host);
    free(access->own_host);
    *access = (struct mr_access){0};
}
