#include "jobs/sms/service.h"

#include "jobs/services/members.h"
#include "proto/base/mem.h"
#include "worker/handler.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { SEGMENTS = 6, NS_PER_MS = 1000000, BUSY_SLACK_MS = 2000, RECORD_THREADS = 8 };

/* ---- the configuration ---- */

static struct mr_rate read_rate(const json_t *config, const char *name)
{
    const char *text = mr_members_text(config, name, NULL);
    struct mr_rate rate = {0};

    if (text)
        mr_rate_parse(text, &rate, NULL);
    return rate;
}

/* With a record it is counted there, by all workers together. */
static struct mr_quota *quota_of(const struct mr_service *service, const struct mr_rate *rate)
{
    return rate->n && !service->mysql ? mr_quota_new(rate) : NULL;
}

/* As long as the slowest provider may take over one message. */
static int64_t busy_ms(const struct mr_providers *providers)
{
    uint64_t longest_ms = 0;

    for (unsigned i = 0; i < providers->n; i++) {
        const struct mr_provider *provider = &providers->at[i];
        uint64_t wait_ms = provider->limits.wait_ms;
        uint64_t span_ms = provider->timeout_ms + (wait_ms ? wait_ms : provider->timeout_ms);

        if (span_ms > longest_ms)
            longest_ms = span_ms;
    }
    return (int64_t)longest_ms + BUSY_SLACK_MS;
}

static enum mr_code open_record(struct mr_host *host, const json_t *config,
                                struct mr_service *out, struct mr_err *err)
{
    const char *unknown = mr_members_text(config, "unknown", NULL);

    out->hold = unknown && strcmp(unknown, "hold") == 0;
    out->policy = (struct mr_record_policy){
        .busy_ms = busy_ms(&out->providers),
        .hold = out->hold,
        .per_number = read_rate(config, "per_number"),
        .per_sender = read_rate(config, "per_sender"),
    };
    if (!json_is_true(json_object_get(config, "record")))
        return MR_OK;
    enum mr_code code = mr_mysql_get(host, &out->mysql, err);
    if (code == MR_OK)
        out->errands = mr_errands_new(mr_host_loop(host), RECORD_THREADS);
    return code;
}

/* Where neither data nor the channel names a sender, a provider's own has to do. */
static void read_channel(const json_t *config, struct mr_service *out)
{
    const struct mr_service_kind *kind = out->kind;
    json_int_t segments = json_integer_value(json_object_get(config, "max_segments"));

    out->channel = (struct mr_message_channel){
        .name = kind->channel,
        .from = mr_members_text(config, strchr(kind->from_option, '.') + 1, NULL),
        .from_option = kind->from_option,
        .senders = json_object_get(config, "senders"),
        .numbers_only = !kind->segments,
        .max_segments = !kind->segments ? 0
                        : segments > 0  ? (unsigned)segments
                                        : SEGMENTS};
    for (unsigned i = 0; !out->channel.from && i < out->providers.n; i++)
        out->channel.from = out->providers.at[i].from;
}

static void read_rest(struct mr_host *host, const json_t *config, struct mr_service *out)
{
    out->templates =
        mr_template_store_new(mr_members_text(mr_host_config(host, "templates"), "dir", NULL));
    out->per_number = quota_of(out, &out->policy.per_number);
    out->per_sender = quota_of(out, &out->policy.per_sender);
    out->callback = mr_members_text(config, "callback", NULL);
    out->secret = mr_members_text(config, "secret", NULL);
    mr_random_seed(&out->dice);
    read_channel(config, out);
}

enum mr_code mr_service_new(struct mr_host *host, const struct mr_service_kind *kind,
                            struct mr_service **out, struct mr_err *err)
{
    json_t *config = mr_host_config(host, "sms");
    struct mr_service *service = mr_zalloc(sizeof(*service));

    service->host = host;
    service->kind = kind;
    enum mr_code code = mr_providers_read(config, kind->channel, &service->providers, err);
    if (code == MR_OK)
        code = mr_http_client_get(host, &service->http, err);
    if (code == MR_OK)
        code = open_record(host, config, service, err);
    if (code == MR_OK) {
        read_rest(host, config, service);
        *out = service;
    } else {
        mr_service_free(service);
    }
    return code;
}

void mr_service_free(struct mr_service *service)
{
    if (!service)
        return;
    mr_errands_close(service->errands);
    mr_template_store_free(service->templates);
    mr_quota_free(service->per_number);
    mr_quota_free(service->per_sender);
    if (service->providers.at)
        mr_providers_fini(&service->providers);
    free(service);
}

/* ---- a job ---- */

/* A file ends in a line end that nobody means to send. */
static void cut_line_ends(struct mr_buf *text)
{
    mr_buf_char(text, '\n'); /* so that there are bytes, also of an empty text */
    while (text->len > 0 && strchr("\r\n", text->at[text->len - 1]))
        text->at[--text->len] = '\0';
}

/* Renders data {template, vars?}; out stays without bytes where data names no template. */
static enum mr_code render(const struct mr_service *service, json_t *data, struct mr_buf *out,
                           struct mr_err *err)
{
    const char *name;
    json_t *vars;
    enum mr_code code = mr_template_store_asked(data, &name, &vars, err);

    if (code != MR_OK || !name)
        return code;
    if (json_object_get(data, "text"))
        return mr_fail(err, MR_EINVAL, "data.text and data.template: only one of them");
    code = mr_template_store_render(service->templates, name, "text", MR_TEMPLATE_TEXT, vars,
                                    out, err);
    if (code == MR_OK)
        cut_line_ends(out);
    return code;
}

enum mr_code mr_service_read(const struct mr_service *service, struct mr_job *job,
                             struct mr_message *out, struct mr_err *err)
{
    json_t *data = mr_job_data(job, err);
    struct mr_buf text = {0};

    if (!data)
        return MR_EINVAL;
    enum mr_code code = mr_message_check_uuid(mr_job_uuid(job), err);
    if (code == MR_OK && service->mysql && *mr_job_uuid(job) == '\0')
        code = mr_fail(err, MR_EINVAL,
                       "the job has no uuid, by which sms.record would know the message");
    if (code == MR_OK)
        code = render(service, data, &text, err);
    if (code == MR_OK)
        code = mr_message_read(data, text.at, &service->channel, out, err);
    mr_buf_fini(&text);
    return code;
}

static uint64_t wait_ns(const struct mr_quota *quota, const char *name, uint64_t now_ns)
{
    return quota ? mr_quota_wait_ns(quota, name, now_ns) : 0;
}

uint64_t mr_service_admit(struct mr_service *service, const struct mr_message *message)
{
    const char *sender = mr_provider_sender(&service->providers.at[0], message);
    uint64_t now_ns = uv_hrtime();
    uint64_t number_ns = wait_ns(service->per_number, message->to, now_ns);
    uint64_t sender_ns = wait_ns(service->per_sender, sender, now_ns);
    uint64_t longer_ns = number_ns > sender_ns ? number_ns : sender_ns;

    if (longer_ns > 0)
        return (longer_ns + NS_PER_MS - 1) / NS_PER_MS;
    if (service->per_number)
        mr_quota_take(service->per_number, message->to, now_ns);
    if (service->per_sender)
        mr_quota_take(service->per_sender, sender, now_ns);
    return 0;
}

void mr_service_give_back(struct mr_service *service, const struct mr_message *message)
{
    if (service->per_number)
        mr_quota_give(service->per_number, message->to);
    if (service->per_sender)
        mr_quota_give(service->per_sender,
                      mr_provider_sender(&service->providers.at[0], message));
}
