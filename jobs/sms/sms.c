/*
 * sms.send and whatsapp.send: one text message through a provider with Twilio's API. A job's uuid goes along as the key under
 * which the provider knows a repeated request, so that an answer that was lost sends nothing twice.
 */
#include "jobs/services/form.h"
#include "jobs/services/http_client.h"
#include "jobs/services/template_store.h"
#include "jobs/sms/message.h"
#include "jobs/sms/reply.h"
#include "proto/base/mem.h"
#include "proto/base/random.h"
#include "worker/handler.h"

#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 64 * 1024, TIMEOUT_MS = 15000, CONNECTIONS = 10, SEGMENTS = 6 };

/* What differs between the two kinds. */
struct kind {
    const char *prefix, *from_option;
    bool segments;                    /* the channel is billed by them */
    const char *sent, *sent_segments; /* counters */
};

static const struct kind sms = {
    .prefix = "",
    .from_option = "sms.from",
    .segments = true,
    .sent = "sms_sent",
    .sent_segments = "sms_segments_sent",
};
static const struct kind whatsapp = {
    .prefix = "whatsapp:",
    .from_option = "sms.whatsapp_from",
    .sent = "whatsapp_sent",
};

/* Module state, one a kind. Strings are borrowed from the configuration, but the url. */
struct provider {
    struct mr_host *host;
    struct mr_http_client *http;
    struct mr_template_store *templates;
    const struct kind *kind;
    struct mr_message_channel channel;
    char *url;
    const char *account, *token, *ca_file;
    unsigned connections;
    struct mr_http_limits limits;
    uint64_t timeout_ms;
    struct mr_random dice;
};

/* One message on its way. */
struct sending {
    struct provider *provider;
    struct mr_job *job;
    struct mr_http_call *call;
    struct mr_message message;
};

/* ---- the configuration ---- */

static const char *text_of(json_t *config, const char *name)
{
    return json_string_value(json_object_get(config, name));
}

static unsigned number_of(json_t *config, const char *name, unsigned otherwise)
{
    json_int_t number = json_integer_value(json_object_get(config, name));

    return number > 0 ? (unsigned)number : otherwise;
}

static char *url_of(const char *base, const char *account)
{
    struct mr_buf url = {0};
    size_t len = strlen(base);

    while (len > 0 && base[len - 1] == '/')
        len--;
    mr_buf_add(&url, base, len);
    mr_buf_text(&url, "/2010-04-01/Accounts/");
    mr_form_escape(&url, account);
    mr_buf_text(&url, "/Messages.json");
    return mr_buf_steal(&url);
}

static enum mr_code check_config(json_t *config, struct mr_err *err)
{
    static const char *const needed[] = {"url", "account", "token"};

    for (size_t i = 0; i < MR_COUNT(needed); i++)
        if (!config || !text_of(config, needed[i]))
            return mr_fail(err, MR_EINVAL,
                           "sms.%s is not configured: no provider to send messages with",
                           needed[i]);
    return MR_OK;
}

static enum mr_code open_provider(struct mr_host *host, const struct kind *kind,
                                  void **out_state, struct mr_err *err)
{
    json_t *config = mr_host_config(host, "sms");
    struct mr_http_client *http = NULL;
    enum mr_code code = check_config(config, err);

    if (code == MR_OK)
        code = mr_http_client_get(host, &http, err);
    if (code != MR_OK)
        return code;
    struct provider *provider = mr_zalloc(sizeof(*provider));

    provider->host = host;
    provider->http = http;
    provider->templates =
        mr_template_store_new(text_of(mr_host_config(host, "templates"), "dir"));
    provider->kind = kind;
    provider->channel = (struct mr_message_channel){
        .prefix = kind->prefix,
        .from = text_of(config, strchr(kind->from_option, '.') + 1),
        .from_option = kind->from_option,
        .max_segments = kind->segments ? number_of(config, "max_segments", SEGMENTS) : 0,
    };
    provider->account = text_of(config, "account");
    provider->token = text_of(config, "token");
    provider->ca_file = text_of(config, "ca_file");
    provider->url = url_of(text_of(config, "url"), provider->account);
    provider->connections = number_of(config, "connections", CONNECTIONS);
    provider->timeout_ms = number_of(config, "timeout_ms", TIMEOUT_MS);
    mr_http_limits_read(config, "sms", &provider->limits);
    mr_random_seed(&provider->dice);
    *out_state = provider;
    return MR_OK;
}

static enum mr_code open_sms(struct mr_host *host, void **out_state, struct mr_err *err)
{
    return open_provider(host, &sms, out_state, err);
}

static enum mr_code open_whatsapp(struct mr_host *host, void **out_state, struct mr_err *err)
{
    return open_provider(host, &whatsapp, out_state, err);
}

static void close_provider(void *state)
{
    struct provider *provider = state;

    mr_template_store_free(provider->templates);
    free(provider->url);
    free(provider);
}

/* ---- one message ---- */

static void count(const struct sending *s, const char *sid)
{
    const struct provider *provider = s->provider;

    mr_host_counter(provider->host, provider->kind->sent, 1);
    if (provider->kind->sent_segments)
        mr_host_counter(provider->host, provider->kind->sent_segments, s->message.segments);
    mr_job_log(s->job, 3, "sms.sent", "sid=%s segments=%u", sid, s->message.segments);
}

static void on_answer(void *arg, const struct mr_http_answer *answer)
{
    struct sending *s = arg;
    struct mr_job *job = s->job;
    char sid[MR_REPLY_SID];

    mr_job_enter(job);
    struct mr_outcome outcome = mr_reply_judge(answer, &s->message, *mr_job_uuid(job) != '\0',
                                               mr_random_u32(&s->provider->dice), sid);
    if (outcome.kind == MR_OUTCOME_DONE)
        count(s, sid);
    mr_message_fini(&s->message);
    free(s);
    mr_job_finish(job, outcome);
}

static void post(struct sending *s)
{
    const struct provider *provider = s->provider;
    const char *uuid = mr_job_uuid(s->job);
    char *key = mr_asprintf("Idempotency-Key: %s", uuid);
    const char *const headers[] = {MR_FORM_TYPE, *uuid ? key : NULL, NULL};
    struct mr_buf form = {0};

    mr_message_form(&s->message, &form);
    struct mr_http_request request = {
        .url = provider->url,
        .headers = headers,
        .body = {form.at, form.len},
        .username = provider->account,
        .password = provider->token,
        .ca_file = provider->ca_file,
        .peer_max = provider->connections,
        .limits = mr_http_limits_within(&provider->limits, provider->timeout_ms, s->job),
        .timeout_ms = provider->timeout_ms,
        .body_max = ANSWER_MAX,
    };
    s->call = mr_http_send(provider->http, &request, on_answer, s);
    mr_buf_fini(&form);
    free(key);
}

/* A file ends in a line end that nobody means to send. */
static void cut_line_ends(struct mr_buf *text)
{
    mr_buf_char(text, '\n'); /* so that there are bytes, also of an empty text */
    while (text->len > 0 && strchr("\r\n", text->at[text->len - 1]))
        text->at[--text->len] = '\0';
}

/* Renders data {template, vars?}; out stays without bytes where data names no template. */
static enum mr_code render(const struct provider *provider, json_t *data, struct mr_buf *out,
                           struct mr_err *err)
{
    const char *name;
    json_t *vars;
    enum mr_code code = mr_template_store_asked(data, &name, &vars, err);

    if (code != MR_OK || !name)
        return code;
    if (json_object_get(data, "text"))
        return mr_fail(err, MR_EINVAL, "data.text and data.template: only one of them");
    code = mr_template_store_render(provider->templates, name, "text", MR_TEMPLATE_TEXT, vars,
                                    out, err);
    if (code == MR_OK)
        cut_line_ends(out);
    return code;
}

static enum mr_code read_job(const struct provider *provider, struct mr_job *job,
                             struct mr_message *out, struct mr_err *err)
{
    json_t *data = mr_job_data(job, err);
    struct mr_buf text = {0};

    if (!data)
        return MR_EINVAL;
    enum mr_code code = mr_message_check_uuid(mr_job_uuid(job), err);
    if (code == MR_OK)
        code = render(provider, data, &text, err);
    if (code == MR_OK)
        code = mr_message_read(data, text.at, &provider->channel, out, err);
    mr_buf_fini(&text);
    return code;
}

static void start(void *state, struct mr_job *job)
{
    struct sending *s = mr_zalloc(sizeof(*s));
    struct mr_err err;

    s->provider = state;
    s->job = job;
    enum mr_code code = read_job(s->provider, job, &s->message, &err);
    if (code != MR_OK) {
        free(s);
        /* A template that is missing or wrong can be mended while the job waits. */
        mr_job_finish(job, code == MR_EINVAL ? mr_outcome_fail("%s", err.text)
                                             : mr_outcome_retry("%s", err.text));
        return;
    }
    mr_job_set(job, s);
    post(s);
}

static void cancel(void *state, struct mr_job *job)
{
    struct sending *s = mr_job_get(job);

    (void)state;
    mr_http_cancel(s->call);
}

static const struct mr_handler sms_send = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "sms.send",
    .open = open_sms,
    .close = close_provider,
    .start = start,
    .cancel = cancel,
};

static const struct mr_handler whatsapp_send = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "whatsapp.send",
    .open = open_whatsapp,
    .close = close_provider,
    .start = start,
    .cancel = cancel,
};

const struct mr_handler *const mr_handlers[] = {&sms_send, &whatsapp_send, NULL};
