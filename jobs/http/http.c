/*
 * http.call: one request to any service. The url comes with the job, so only public addresses and those of http.allow are
 * called, and the token of http.token goes to the hosts of http.token_hosts alone.
 */
#include "jobs/http/call.h"
#include "jobs/services/http_guard.h"
#include "jobs/services/members.h"
#include "proto/base/mem.h"
#include "proto/base/random.h"
#include "worker/handler.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TIMEOUT_MS = 5000 };

/* Module state. Strings are borrowed from the configuration, but the token's header. */
struct caller {
    struct mr_http_client *client;
    char *token_header; /* NULL: no token */
    const json_t *token_hosts;
    const char **allow; /* NULL-ended */
    const char *ca_file;
    uint64_t timeout_ms;
    size_t body_max;
    unsigned connections;
    struct mr_http_limits limits;
    struct mr_random dice;
};

/* One job on its way. */
struct attempt {
    struct caller *caller;
    struct mr_job *job;
    struct mr_call wanted;
    struct mr_http_call *call;
};

/* ---- the configuration ---- */

static enum mr_code read_allow(const json_t *list, struct caller *out, struct mr_err *err)
{
    struct mr_http_block block;
    struct mr_err why = {0};
    json_t *item;
    size_t i;

    out->allow = mr_zalloc_array(json_array_size(list) + 1, sizeof(*out->allow));
    json_array_foreach(list, i, item)
    {
        out->allow[i] = json_string_value(item);
        if (mr_http_block_parse(out->allow[i], &block, &why) != MR_OK)
            return mr_fail(err, MR_EINVAL, "http.allow: %s", why.text);
    }
    return MR_OK;
}

static void read_token(struct mr_host *host, const json_t *config, struct caller *out)
{
    const char *token = mr_members_text(config, "token", NULL);

    out->token_hosts = json_object_get(config, "token_hosts");
    if (token)
        out->token_header = mr_asprintf("X-Service-Token: %s", token);
    if (token && json_array_size(out->token_hosts) == 0)
        mr_host_log(host, 1, "http.token_unused", "what=%s",
                    "http.token is set, http.token_hosts is not: nobody gets it");
}

static void close_caller(void *state)
{
    struct caller *caller = state;

    free(caller->token_header);
    free(caller->allow);
    free(caller);
}

static enum mr_code open_caller(struct mr_host *host, void **out_state, struct mr_err *err)
{
    const json_t *config = mr_host_config(host, "http");
    struct caller *caller = mr_zalloc(sizeof(*caller));

    caller->timeout_ms = (uint64_t)mr_members_number(config, "timeout_ms", TIMEOUT_MS);
    caller->connections = (unsigned)mr_members_number(config, "connections", 0);
    caller->body_max = (size_t)mr_members_number(config, "body_max_bytes", 0);
    caller->ca_file = mr_members_text(config, "ca_file", NULL);
    mr_http_limits_read(config, "http", &caller->limits);
    mr_random_seed(&caller->dice);
    read_token(host, config, caller);
    enum mr_code code = read_allow(json_object_get(config, "allow"), caller, err);
    if (code == MR_OK)
        code = mr_http_client_get(host, &caller->client, err);
    if (code == MR_OK)
        *out_state = caller;
    else
        close_caller(caller);
    return code;
}

/* ---- who gets the token ---- */

/* rule: "api.example.org", "api.example.org:8443", "[::1]:8080". Without a port: any. */
static bool is_named(const char *rule, const char *host, unsigned port)
{
    bool bracket = *rule == '[';
    const char *name = rule + bracket;
    size_t len = strcspn(name, bracket ? "]" : ":");
    const char *rest = name + len + (bracket && name[len] == ']');

    /* More than one colon and no bracket is an IPv6 address, whole. */
    if (!bracket && *rest == ':' && strchr(rest + 1, ':'))
        return strcasecmp(rule, host) == 0;
    if (strlen(host) != len || strncasecmp(name, host, len) != 0)
        return false;
    return *rest == '\0' || (*rest == ':' && strtoul(rest + 1, NULL, 10) == port);
}

static bool gets_token(const struct caller *caller, const char *url)
{
    char *host = NULL;
    unsigned port;
    bool named = false;
    json_t *rule;
    size_t i;

    if (!caller->token_header || mr_http_url_host(url, &host, &port, NULL) != MR_OK)
        return false;
    json_array_foreach(caller->token_hosts, i, rule)
    {
        named |= is_named(json_string_value(rule), host, port);
    }
    free(host);
    return named;
}

/* ---- one job ---- */

static void on_answer(void *arg, const struct mr_http_answer *answer)
{
    struct attempt *attempt = arg;
    struct mr_job *job = attempt->job;

    mr_job_enter(job);
    mr_host_counter(mr_job_host(job), mr_call_counter(answer), 1);
    struct mr_outcome outcome =
        mr_call_outcome(&attempt->wanted, answer, mr_random_u32(&attempt->caller->dice));
    mr_call_fini(&attempt->wanted);
    free(attempt);
    mr_job_finish(job, outcome);
}

static struct mr_http_call *send(const struct caller *caller, struct attempt *attempt)
{
    const struct mr_call *wanted = &attempt->wanted;
    /* Borrowed for the sending: theirs, the token, the end. */
    const char **headers = mr_zalloc_array(wanted->n_headers + 2, sizeof(*headers));
    struct mr_http_request request = {
        .method = wanted->method,
        .url = wanted->url,
        .headers = headers,
        .body = wanted->body,
        .ca_file = caller->ca_file,
        .peer_max = caller->connections,
        .limits = mr_http_limits_within(&caller->limits, wanted->timeout_ms, attempt->job),
        .timeout_ms = wanted->timeout_ms,
        .body_max = caller->body_max,
        .from_payload = true,
        .allow = caller->allow,
    };

    for (unsigned i = 0; i < wanted->n_headers; i++)
        headers[i] = wanted->headers[i];
    if (gets_token(caller, wanted->url))
        headers[wanted->n_headers] = caller->token_header;
    struct mr_http_call *call = mr_http_send(caller->client, &request, on_answer, attempt);
    free(headers);
    return call;
}

static void start(void *state, struct mr_job *job)
{
    struct caller *caller = state;
    struct attempt *attempt = mr_zalloc(sizeof(*attempt));
    struct mr_bytes raw;
    struct mr_err err;
    json_t *data = mr_job_data(job, &err);

    raw.at = mr_job_data_raw(job, &raw.len);
    if (!data || mr_call_read(data, raw, mr_job_uuid(job), caller->timeout_ms, &attempt->wanted,
                              &err) != MR_OK) {
        free(attempt);
        mr_job_finish(job, mr_outcome_fail("%s", err.text));
        return;
    }
    attempt->caller = caller;
    attempt->job = job;
    attempt->call = send(caller, attempt);
    mr_job_set(job, attempt);
}

static void cancel(void *state, struct mr_job *job)
{
    struct attempt *attempt = mr_job_get(job);

    (void)state;
    mr_http_cancel(attempt->call);
}

static const struct mr_handler http_call = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "http.call",
    .open = open_caller,
    .close = close_caller,
    .start = start,
    .cancel = cancel,
};

const struct mr_handler *const mr_handlers[] = {&http_call, NULL};
