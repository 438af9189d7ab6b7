#include "dispatcher/request.h"

#include "dispatcher/sizes.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    BODY_MAX = 1024 * 1024,
    DROPPED_MAX = 8 * BODY_MAX, /* of a body too long, read only so that its sender hears why */
    RETRY_AFTER_S = 1
};

/* The connection and, while it is held, the step that will answer: the one that lets go last frees it. */
struct mr_request {
    struct mr_list node;                    /* in source->held while suspended */
    const struct mr_request_source *source; /* good while the connection is there */
    struct mr_dispatcher *dispatcher;
    struct MHD_Connection *connection; /* NULL when it is gone */
    struct mr_api_match match;
    char *method, *path;
    struct mr_buf body;
    size_t dropped;
    unsigned holders;
    bool held, suspended;
    int status; /* 0: not answered yet */
    struct mr_buf answer;
    const char *type;
    bool retry_later; /* adds Retry-After */
};

static void let_go(struct mr_request *request)
{
    if (--request->holders > 0)
        return;
    mr_api_match_fini(&request->match);
    mr_buf_fini(&request->body);
    mr_buf_fini(&request->answer);
    free(request->method);
    free(request->path);
    free(request);
}

struct mr_dispatcher *mr_request_dispatcher(const struct mr_request *request)
{
    return request->dispatcher;
}

struct mr_sizes *mr_request_sizes(const struct mr_request *request)
{
    return request->source->sizes;
}

const char *mr_request_param(const struct mr_request *request, unsigned i)
{
    return request->match.params[i];
}

struct mr_bytes mr_request_body(const struct mr_request *request)
{
    return (struct mr_bytes){request->body.at ? request->body.at : "", request->body.len};
}

char *mr_request_query(const struct mr_request *request, const char *name)
{
    const char *raw =
        MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
    char *text = mr_strdup(raw);

    if (text && !mr_api_unescape(text)) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- answering ---- */

static enum MHD_Result send_answer(struct mr_request *request)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        request->answer.len, request->answer.at, MHD_RESPMEM_MUST_COPY);

    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", request->type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (request->match.allow[0])
        MHD_add_response_header(response, "Allow", request->match.allow);
    if (request->status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"millrace\"");
    if (request->retry_later) {
        char seconds[16];

        snprintf(seconds, sizeof(seconds), "%d", RETRY_AFTER_S);
        MHD_add_response_header(response, "Retry-After", seconds);
    }
    enum MHD_Result queued =
        MHD_queue_response(request->connection, (unsigned)request->status, response);
    MHD_destroy_response(response);
    return queued;
}

static bool changes_state(const struct mr_request *request)
{
    return strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0;
}

/* What may have changed something is logged, and seen by whoever looks next. */
static void note_change(const struct mr_request *request)
{
    if (!changes_state(request))
        return;
    mr_sizes_expire(request->source->sizes);
    mr_log_info("control.asked", "method=%s path=%s status=%d", request->method, request->path,
                request->status);
}

/* The only place where a held request goes on. */
static void wake(struct mr_request *request)
{
    if (request->suspended) {
        request->suspended = false;
        mr_list_remove(&request->node);
        MHD_resume_connection(request->connection);
        request->source->resumed(request->source->arg);
    }
}

static void answered(struct mr_request *request, int status, const char *type)
{
    bool was_held = request->held;

    request->held = false;
    if (request->status == 0) {
        request->status = status;
        request->type = type;
        note_change(request);
        wake(request);
    }
    if (was_held)
        let_go(request);
}

void mr_request_text(struct mr_request *request, int status, const char *type,
                     struct mr_buf *taken)
{
    if (request->status == 0) {
        mr_buf_fini(&request->answer);
        request->answer = *taken;
        *taken = (struct mr_buf){0};
    }
    mr_buf_fini(taken);
    answered(request, status, type);
}

void mr_request_json(struct mr_request *request, int status, json_t *taken)
{
    struct mr_buf text = {0};
    char *json = json_dumps(taken, JSON_COMPACT);

    json_decref(taken);
    if (!json) {
        mr_request_problem(request, 500, "the answer cannot be written as JSON");
        return;
    }
    mr_buf_text(&text, json);
    mr_buf_char(&text, '\n');
    free(json);
    mr_request_text(request, status, "application/json", &text);
}

void mr_request_problem(struct mr_request *request, int status, const char *format, ...)
{
    char detail[1024];
    struct mr_buf text = {0};
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    mr_api_problem(status, detail, &text);
    if (request->status == 0)
        request->retry_later = status == 503;
    mr_request_text(request, status, MR_API_PROBLEM, &text);
}

void mr_request_redis_problem(struct mr_request *request, enum mr_code code, const char *what)
{
    switch (code) {
    case MR_EUNKNOWN:
    case MR_ETIMEDOUT:
        mr_request_problem(request, 504,
                           "%s: the connection to Redis was lost before it answered; nobody "
                           "knows whether it was done",
                           what);
        break;
    case MR_EFAULT:
        mr_request_problem(request, 502, "%s: Redis refuses it; the log says why", what);
        break;
    default:
        mr_request_problem(request, 503, "%s: Redis does not serve now; nothing was done",
                           what);
        break;
    }
}

void mr_request_hold(struct mr_request *request)
{
    request->held = true;
    request->holders++;
}

bool mr_request_is_gone(const struct mr_request *request)
{
    return request->status != 0;
}

void mr_request_abandon_all(struct mr_list *held)
{
    while (!mr_list_empty(held)) {
        struct mr_request *request = mr_list_entry(held->next, struct mr_request, node);

        bool changes = changes_state(request);

        request->status = changes ? 504 : 503;
        mr_api_problem(request->status,
                       changes ? "the dispatcher stops; nobody knows whether it was done"
                               : "the dispatcher stops",
                       &request->answer);
        request->type = MR_API_PROBLEM;
        wake(request);
    }
}

/* ---- the head ---- */

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result count_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    struct mr_claim *claim = cls;

    (void)kind;
    (void)value;
    claim->n_content_lengths += strcasecmp(name, "Content-Length") == 0;
    claim->n_hosts += strcasecmp(name, "Host") == 0;
    return MHD_YES;
}

static struct mr_claim read_claim(const struct mr_request *request, bool open)
{
    struct MHD_Connection *connection = request->connection;
    struct mr_claim claim = {
        .local = request->source->local,
        .open = open,
        .method = request->method,
        .host = header(connection, "Host"),
        .origin = header(connection, "Origin"),
        .fetch_site = header(connection, "Sec-Fetch-Site"),
        .authorization = header(connection, "Authorization"),
        .has_transfer_encoding = header(connection, "Transfer-Encoding") != NULL,
    };

    MHD_get_connection_values(connection, MHD_HEADER_KIND, count_header, &claim);
    return claim;
}

static bool peer_is_allowed(const struct mr_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info && mr_access_peer_allowed(info->connect_fd);
}

static bool body_is_too_long(const struct mr_request *request)
{
    const char *length = header(request->connection, "Content-Length");

    return length && (strlen(length) > 10 || strtoull(length, NULL, 10) > (size_t)BODY_MAX);
}

/* Refuses what the head alone condemns: who asks first, then what for. */
static void judge_head(struct mr_request *request)
{
    enum mr_code found = mr_api_match(request->method, request->path, &request->match);
    bool open = found == MR_OK && mr_api_route(request->match.call)->open;
    struct mr_claim claim = read_claim(request, open);
    struct mr_err why;
    int status = mr_access_check(request->source->access, &claim, &why);

    if (request->source->local && !peer_is_allowed(request))
        mr_request_problem(request, 403, "this socket serves root and the dispatcher's user");
    else if (status)
        mr_request_problem(request, status, "%s", why.text);
    else if (found == MR_ENOTFOUND)
        mr_request_problem(request, 404, "there is nothing at this path");
    else if (found == MR_EREFUSED)
        mr_request_problem(request, 405, "this path is for %s", request->match.allow);
    else if (found != MR_OK)
        mr_request_problem(request, 400, "the path holds a broken %% escape");
    else if (body_is_too_long(request))
        mr_request_problem(request, 413, "a body may have %d bytes", BODY_MAX);
}

static struct mr_request *begin(const struct mr_request_source *source,
                                struct MHD_Connection *connection, const char *url,
                                const char *method)
{
    struct mr_request *request = mr_zalloc(sizeof(*request));

    request->source = source;
    request->dispatcher = source->dispatcher;
    request->connection = connection;
    request->holders = 1;
    request->method = mr_strdup(method);
    request->path = mr_strdup(url);
    mr_list_init(&request->node);
    judge_head(request);
    return request;
}

/* ---- the body, and the turn of the route ---- */

static enum MHD_Result take_body(struct mr_request *request, const char *bytes, size_t *len)
{
    if (request->dropped == 0 && request->body.len + *len <= BODY_MAX)
        mr_buf_add(&request->body, bytes, *len);
    else
        request->dropped += *len;
    *len = 0;
    return request->dropped > DROPPED_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result run(struct mr_request *request)
{
    if (request->dropped > 0)
        mr_request_problem(request, 413, "a body may have %d bytes", BODY_MAX);
    else
        request->source->run(request, request->match.call);

    if (request->status)
        return send_answer(request);
    request->suspended = true;
    mr_list_push_back(request->source->held, &request->node);
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

enum MHD_Result mr_request_on_access(void *cls, struct MHD_Connection *connection,
                                     const char *url, const char *method, const char *version,
                                     const char *upload, size_t *upload_size, void **state)
{
    struct mr_request *request = *state;

    (void)version;
    if (!request) {
        *state = request = begin(cls, connection, url, method);
        return request->status ? send_answer(request) : MHD_YES;
    }
    if (*upload_size > 0)
        return take_body(request, upload, upload_size);
    return request->status ? send_answer(request) : run(request);
}

void mr_request_on_completed(void *cls, struct MHD_Connection *connection, void **state,
                             enum MHD_RequestTerminationCode how)
{
    struct mr_request *request = *state;

    (void)cls;
    (void)connection;
    (void)how;
    if (!request)
        return;
    *state = NULL;
    request->connection = NULL;
    let_go(request);
}
