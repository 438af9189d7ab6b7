#include "proto/api.h"

#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct mr_api_route routes[MR_API_CALLS] = {
    [MR_API_HEALTH]     = {"GET",   "/health",  true, "200 while the dispatcher's loop turns"},
    [MR_API_READY]      = {"GET",   "/ready",   true, "200 when Redis is up and every pool serves, else 503 and why"},
    [MR_API_METRICS]    = {"GET",   "/metrics", true, "everything that is counted, as Prometheus text"},
    [MR_API_STATUS]     = {"GET",   "/api/v1/status",  false, "the dispatcher, Redis, pools and queues in one picture"},
    [MR_API_POOLS]      = {"GET",   "/api/v1/pools",   false, "pools with their workers and what these run"},
    [MR_API_QUEUES]     = {"GET",   "/api/v1/queues",  false, "queues and how many jobs stand where"},
    [MR_API_JOBS]       = {"GET",   "/api/v1/jobs",    false, "the jobs that run here now, with their progress"},
    [MR_API_CONFIG]     = {"GET",   "/api/v1/config",  false, "the configuration in force, without secrets"},
    [MR_API_SCALE]      = {"PATCH", "/api/v1/pools/{pool}", false, "{\"processes\":12} or {\"change\":1}: the fleet's wanted total"},
    [MR_API_PAUSE]      = {"POST",  "/api/v1/queues/{queue}/pause",  false, "stop fetching; {\"ttl_s\":600} resumes by itself"},
    [MR_API_RESUME]     = {"POST",  "/api/v1/queues/{queue}/resume", false, "fetch again"},
    [MR_API_PUSH]       = {"POST",  "/api/v1/queues/{queue}/jobs",   false, "one job or an array of them; 201 with their uuids"},
    [MR_API_DEAD_LIST]  = {"GET",   "/api/v1/queues/{queue}/dead",   false, "dead letters, newest first; ?cursor, limit, job, class"},
    [MR_API_DEAD_SHOW]  = {"GET",   "/api/v1/queues/{queue}/dead/{id}", false, "one dead letter whole, with its payload"},
    [MR_API_DEAD_RETRY] = {"POST",  "/api/v1/queues/{queue}/dead/retry", false, "{\"ids\":[]}, {\"filter\":{}} or {\"all\":true}: back to ready"},
    [MR_API_DEAD_DROP]  = {"POST",  "/api/v1/queues/{queue}/dead/drop",  false, "the same choice: gone for good"},
    [MR_API_CANCEL]     = {"POST",  "/api/v1/jobs/{uuid}/cancel", false, "ask a job that runs here to stop; it is dead then, as cancelled by an operator"},
    [MR_API_DRAIN]      = {"POST",  "/api/v1/drain",   false, "finish what runs, then end the dispatcher"},
    [MR_API_RESTART]    = {"POST",  "/api/v1/restart", false, "replace every worker, one after the other"},
    [MR_API_RELOAD]     = {"POST",  "/api/v1/reload",  false, "read the configuration again"},
};
/* clang-format on */

const struct mr_api_route *mr_api_route(enum mr_api_call call)
{
    return &routes[call];
}

/* A segment's end: the next slash or the end of the text. */
static const char *segment_end(const char *at)
{
    return at + strcspn(at, "/");
}

/* True when path has the pattern's shape; spans get the raw bytes of the parameters. */
static bool fits(const char *pattern, const char *path, struct mr_bytes spans[MR_API_PARAMS])
{
    unsigned n = 0;

    while (*pattern == '/' && *path == '/') {
        const char *want = ++pattern, *got = ++path;

        pattern = segment_end(pattern);
        path = segment_end(path);
        size_t want_len = (size_t)(pattern - want), got_len = (size_t)(path - got);
        if (*want == '{') {
            if (got_len == 0 || n == MR_API_PARAMS)
                return false;
            spans[n++] = (struct mr_bytes){got, got_len};
        } else if (want_len != got_len || memcmp(want, got, want_len) != 0) {
            return false;
        }
    }
    return *pattern == '\0' && *path == '\0';
}

static bool take_params(const struct mr_bytes spans[MR_API_PARAMS], struct mr_api_match *out)
{
    for (unsigned i = 0; i < MR_API_PARAMS && spans[i].at; i++) {
        out->params[i] = mr_strndup(spans[i].at, spans[i].len);
        if (!mr_api_unescape(out->params[i])) {
            mr_api_match_fini(out);
            return false;
        }
    }
    return true;
}

static void allow(struct mr_api_match *match, const char *method)
{
    size_t len = strlen(match->allow);

    snprintf(match->allow + len, sizeof(match->allow) - len, "%s%s%s", len ? ", " : "", method,
             strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

enum mr_code mr_api_match(const char *method, const char *path, struct mr_api_match *out)
{
    struct mr_api_match match = {0};

    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    for (unsigned i = 0; i < MR_API_CALLS; i++) {
        struct mr_bytes spans[MR_API_PARAMS] = {{0}};

        if (!fits(routes[i].path, path, spans))
            continue;
        if (strcmp(routes[i].method, method) != 0) {
            allow(&match, routes[i].method);
            continue;
        }
        match.call = (enum mr_api_call)i;
        match.allow[0] = '\0';
        if (!take_params(spans, &match))
            return MR_EINVAL;
        *out = match;
        return MR_OK;
    }
    *out = match;
    return match.allow[0] ? MR_EREFUSED : MR_ENOTFOUND;
}

void mr_api_match_fini(struct mr_api_match *match)
{
    if (!match)
        return;
    for (unsigned i = 0; i < MR_API_PARAMS; i++) {
        free(match->params[i]);
        match->params[i] = NULL;
    }
}

void mr_api_path(enum mr_api_call call, const char *const params[MR_API_PARAMS],
                 struct mr_buf *out)
{
    const char *at = routes[call].path;

    for (unsigned n = 0; *at; n++) {
        size_t plain = strcspn(at, "{");

        mr_buf_add(out, at, plain);
        at += plain;
        if (*at == '{') {
            mr_api_escape(params[n], out);
            at = strchr(at, '}') + 1;
        }
    }
}

void mr_api_escape(const char *text, struct mr_buf *out)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || strchr("-._~", c);

        if (plain)
            mr_buf_char(out, (char)c);
        else
            mr_buf_printf(out, "%%%02X", c);
    }
}

bool mr_api_unescape(char *text)
{
    char *to = text;

    for (const char *at = text; *at; at++) {
        if (*at != '%') {
            *to++ = *at;
            continue;
        }
        int high = mr_str_hex(at[1]);
        int low = high < 0 ? -1 : mr_str_hex(at[2]);
        if (low < 0 || high * 16 + low == 0)
            return false;
        *to++ = (char)(high * 16 + low);
        at += 2;
    }
    *to = '\0';
    return true;
}

const char *mr_api_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } rows[] = {
        {200, "OK"                   },
        {201, "Created"              },
        {202, "Accepted"             },
        {400, "Bad Request"          },
        {401, "Unauthorized"         },
        {403, "Forbidden"            },
        {404, "Not Found"            },
        {405, "Method Not Allowed"   },
        {409, "Conflict"             },
        {413, "Content Too Large"    },
        {421, "Misdirected Request"  },
        {422, "Unprocessable Content"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"          },
        {503, "Service Unavailable"  },
        {504, "Gateway Timeout"      },
    };

    for (size_t i = 0; i < MR_COUNT(rows); i++)
        if (rows[i].status == status)
            return rows[i].text;
    return "Error";
}

void mr_api_problem(int status, const char *detail, struct mr_buf *out)
{
    mr_buf_printf(out, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"",
                  mr_api_status_text(status), status);
    mr_buf_json(out, detail, strlen(detail));
    mr_buf_text(out, "\"}\n");
}
