#include "jobs/sms/sending.h"

#include "jobs/sms/callback.h"
#include "jobs/sms/service.h"
#include "proto/base/duration.h"
#include "proto/base/mem.h"
#include "worker/handler.h"

#include <stdlib.h>

enum { ANSWER_MAX = 64 * 1024, AWAY_MS = 2000, WARN = 1, INFO = 2, DEBUG = 3 };

struct sending {
    struct mr_service *service;
    struct mr_job *job;
    struct mr_message message;
    char *callback; /* NULL: none */
    unsigned asked; /* the provider that is asked, or was last */
    bool pinned;    /* an earlier attempt asked it, and nobody knows what came of that */
    struct mr_http_call *call; /* NULL: nobody is asked */
    bool cancelled, over;
    struct mr_reply reply; /* what speaks for all that were asked so far */
    struct mr_record record;
    enum mr_code code; /* of the errand that was done last, with its err */
    struct mr_err err;
};

/* ---- it ends ---- */

/* The callback that says so still needs it, and frees it: see leave. */
static void finish(struct sending *s, struct mr_outcome outcome)
{
    s->over = true;
    mr_job_finish(s->job, outcome);
}

static void free_sending(struct sending *s)
{
    mr_message_fini(&s->message);
    free(s->callback);
    free(s);
}

/* The end of each callback: the job is over, or goes on with the next one. */
static void leave(struct sending *s)
{
    if (s->over)
        free_sending(s);
    else
        mr_job_leave(s->job);
}

static void count(const struct sending *s)
{
    const struct mr_service *service = s->service;
    const struct mr_service_kind *kind = service->kind;

    if (s->reply.end == MR_REPLY_SENT) {
        mr_host_counter(service->host, kind->sent, 1);
        if (kind->sent_segments)
            mr_host_counter(service->host, kind->sent_segments, s->message.segments);
        mr_job_log(s->job, DEBUG, "sms.sent", "provider=%s sid=%s segments=%u",
                   service->providers.at[s->asked].name, s->reply.id, s->message.segments);
    } else if (s->reply.end == MR_REPLY_UNKNOWN) {
        mr_host_counter(service->host, service->hold ? "sms_held" : "sms_unknown", 1);
    }
}

static void finish_as_replied(struct sending *s)
{
    const struct mr_service *service = s->service;
    const struct mr_reply_policy policy = {.named = *mr_job_uuid(s->job) != '\0',
                                           .hold = service->hold,
                                           .recorded = service->mysql != NULL,
                                           .roll = mr_random_u32(&s->service->dice)};

    count(s);
    if (s->reply.end < MR_REPLY_UNKNOWN)
        mr_service_give_back(s->service, &s->message);
    finish(s, mr_reply_outcome(&s->reply, &policy));
}

/* ---- the record ---- */

static void on_ended(void *arg)
{
    struct sending *s = arg;

    mr_job_enter(s->job);
    if (s->code != MR_OK) {
        mr_host_counter(s->service->host, "sms_not_recorded", 1);
        mr_job_log(s->job, WARN, "sms.not_recorded", "reason=%s", s->err.text);
    }
    finish_as_replied(s);
    leave(s);
}

/* A no of the one that may have sent it before says nothing of that. */
static void run_end(void *arg)
{
    struct sending *s = arg;
    struct mr_reply reply = s->reply;

    if (s->pinned && mr_reply_is_safe(&reply))
        reply.end = MR_REPLY_UNKNOWN;
    s->code = mr_record_end(s->service->mysql, &s->record, &reply, &s->err);
}

static void conclude(struct sending *s)
{
    if (s->service->mysql)
        mr_errands_send(s->service->errands, run_end, on_ended, s);
    else
        finish_as_replied(s);
}

/* The record could not be asked or told before a provider was: nothing was sent. */
static void finish_without_record(struct sending *s)
{
    uint32_t roll = mr_random_u32(&s->service->dice);

    if (s->code == MR_EDOWN || s->code == MR_EBUSY)
        finish(s, mr_outcome_release(AWAY_MS + roll % AWAY_MS, "sms.record: %s", s->err.text));
    else
        finish(s, mr_outcome_retry("sms.record: %s", s->err.text));
}

static void name_provider(struct sending *s)
{
    const struct mr_provider *provider = &s->service->providers.at[s->asked];

    s->record.provider = provider->name;
    s->record.sender = mr_provider_sender(provider, &s->message);
}

/* ---- a provider is asked ---- */

static void on_answer(void *arg, const struct mr_http_answer *answer);

static struct mr_http_call *post(struct sending *s, const struct mr_provider *provider,
                                 const struct mr_posting *posting)
{
    const struct mr_http_request request = {
        .method = posting->method,
        .url = posting->url,
        .headers = (const char *const *)posting->headers,
        .body = {posting->body.at, posting->body.len},
        .username = provider->account,
        .password = provider->token,
        .ca_file = provider->ca_file,
        .peer_max = provider->connections,
        .limits = mr_http_limits_within(&provider->limits, provider->timeout_ms, s->job),
        .timeout_ms = provider->timeout_ms,
        .body_max = ANSWER_MAX,
    };

    return mr_http_send(s->service->http, &request, on_answer, s);
}

/*
 * The next delivery of a message that is to be held must know of this one, should we be killed before it is settled. A record tells
 * it more.
 */
static bool is_held_by_mark(const struct sending *s)
{
    return s->service->hold && !s->service->mysql;
}

/* False when the provider cannot be told this message at all; out says why. */
static bool ask(struct sending *s, struct mr_reply *out)
{
    const struct mr_provider *provider = &s->service->providers.at[s->asked];
    const struct mr_order order = {.message = &s->message,
                                   .channel = s->service->kind->channel,
                                   .uuid = mr_job_uuid(s->job),
                                   .callback = s->callback};
    struct mr_posting posting;
    struct mr_err err;
    enum mr_code code = mr_provider_write(provider, &order, &posting, &err);

    if (code == MR_OK) {
        if (is_held_by_mark(s))
            mr_job_mark(s->job, MR_JOB_HANDED);
        s->call = post(s, provider, &posting);
    } else {
        *out = (struct mr_reply){.after_ms = -1};
        mr_reply_say(out, MR_REPLY_NOT_HERE, "%s", err.text);
    }
    mr_posting_fini(&posting);
    return code == MR_OK;
}

/* Of several that sent nothing the one with the best prospects speaks, and says who it is. */
static void keep(struct sending *s, const struct mr_reply *reply)
{
    const struct mr_providers *providers = &s->service->providers;

    if (reply->end <= s->reply.end)
        return;
    s->reply = *reply;
    if (providers->n > 1 && reply->end != MR_REPLY_SENT)
        mr_reply_say(&s->reply, reply->end, "%s: %s", providers->at[s->asked].name,
                     reply->words);
}

/* The next one may be asked only if it is sure that nobody has sent it. */
static bool may_ask_another(const struct sending *s)
{
    return mr_reply_is_safe(&s->reply) && !s->pinned && !s->cancelled &&
           s->asked + 1 < s->service->providers.n;
}

static void choose_another(struct sending *s, const struct mr_reply *reply)
{
    const struct mr_provider *provider = &s->service->providers.at[s->asked++];

    mr_host_counter(s->service->host, "sms_failed_over", 1);
    mr_job_log(s->job, INFO, "sms.failed_over", "from=%s to=%s reason=%s", provider[0].name,
               provider[1].name, reply->words);
    name_provider(s);
}

static void on_turned(void *arg);

static void run_turn(void *arg)
{
    struct sending *s = arg;

    s->code = mr_record_turn(s->service->mysql, s->job, &s->record, &s->err);
}

/* reply: of the one that was asked. Goes on until another one is being asked or written down, or there is none. */
static void go_on(struct sending *s, struct mr_reply *reply)
{
    do {
        keep(s, reply);
        if (!may_ask_another(s)) {
            conclude(s);
            return;
        }
        choose_another(s, reply);
        if (s->service->mysql) {
            mr_errands_send(s->service->errands, run_turn, on_turned, s);
            return;
        }
    } while (!ask(s, reply));
}

static void on_answer(void *arg, const struct mr_http_answer *answer)
{
    struct sending *s = arg;
    struct mr_reply reply;

    mr_job_enter(s->job);
    s->call = NULL;
    mr_provider_read(&s->service->providers.at[s->asked], answer, &s->message, &reply);
    go_on(s, &reply);
    leave(s);
}

static void ask_or_go_on(struct sending *s)
{
    struct mr_reply reply;

    if (!ask(s, &reply))
        go_on(s, &reply);
}

static void on_turned(void *arg)
{
    struct sending *s = arg;

    mr_job_enter(s->job);
    if (s->code == MR_OK)
        ask_or_go_on(s);
    else
        finish_without_record(s);
    leave(s);
}

/* ---- it begins ---- */

static void wait_for(struct sending *s, uint64_t wait_ms, const char *what)
{
    char span[32];

    mr_duration_print(wait_ms, span);
    finish(s, mr_outcome_release((int64_t)wait_ms, "%s: not for another %s", what, span));
}

static void ask_again(struct sending *s)
{
    const struct mr_providers *providers = &s->service->providers;

    s->asked = mr_providers_find(providers, s->record.asked);
    s->pinned = true;
    if (s->asked < providers->n)
        ask_or_go_on(s);
    else
        finish(s, mr_outcome_retry("nobody knows whether the message was sent: the provider "
                                   "that was asked, %s, is not configured any more",
                                   s->record.asked));
}

static void hold(struct sending *s)
{
    mr_reply_say(&s->reply, MR_REPLY_UNKNOWN, "an earlier attempt asked %s", s->record.asked);
    finish_as_replied(s);
}

static void finish_as_sent_before(struct sending *s)
{
    mr_host_counter(s->service->host, "sms_repeated", 1);
    mr_job_log(s->job, INFO, "sms.sent_before", "provider=%s", s->record.asked);
    finish(s, mr_outcome_done());
}

static void go_by_record(struct sending *s)
{
    switch (s->record.step) {
    case MR_RECORD_ASK:
        ask_or_go_on(s);
        break;
    case MR_RECORD_AGAIN:
        ask_again(s);
        break;
    case MR_RECORD_DONE:
        finish_as_sent_before(s);
        break;
    case MR_RECORD_WAIT:
        wait_for(s, (uint64_t)s->record.wait_ms,
                 "sms.per_number, sms.per_sender, or another attempt under way");
        break;
    case MR_RECORD_HOLD:
        hold(s);
        break;
    case MR_RECORD_CLASH:
        finish(s, mr_outcome_fail(
                      "the uuid is another message's in millrace_notifications: each needs "
                      "one of its own"));
        break;
    }
}

static void on_begun(void *arg)
{
    struct sending *s = arg;

    mr_job_enter(s->job);
    if (s->code == MR_OK)
        go_by_record(s);
    else
        finish_without_record(s);
    leave(s);
}

static void run_begin(void *arg)
{
    struct sending *s = arg;
    const struct mr_service *service = s->service;

    s->code = mr_record_begin(service->mysql, s->job, &service->policy, &s->record, &s->err);
}

static void begin_by_record(struct sending *s)
{
    const struct mr_service *service = s->service;

    s->record.uuid = mr_job_uuid(s->job);
    s->record.channel = service->kind->channel;
    s->record.segments = s->message.segments;
    mr_record_name_receiver(&s->record, s->message.to, service->secret ? service->secret : "");
    name_provider(s);
    mr_errands_send(service->errands, run_begin, on_begun, s);
}

static void hold_doubtful(struct sending *s)
{
    mr_reply_say(&s->reply, MR_REPLY_UNKNOWN,
                 "an earlier delivery was cut off, perhaps while a provider was asked");
    finish_as_replied(s);
}

static void begin(struct sending *s)
{
    struct mr_service *service = s->service;

    if (is_held_by_mark(s) && mr_job_in_doubt(s->job)) {
        hold_doubtful(s);
        return;
    }
    uint64_t wait_ms = mr_service_admit(service, &s->message);

    if (service->callback)
        s->callback = mr_callback_url(service->callback, service->secret, mr_job_uuid(s->job));
    if (wait_ms > 0)
        wait_for(s, wait_ms, "sms.per_number or sms.per_sender");
    else if (service->mysql)
        begin_by_record(s);
    else
        ask_or_go_on(s);
}

void mr_sending_start(struct mr_service *service, struct mr_job *job)
{
    struct sending *s = mr_zalloc(sizeof(*s));
    struct mr_err err;

    s->service = service;
    s->job = job;
    mr_job_set(job, s);
    enum mr_code code = mr_service_read(service, job, &s->message, &err);
    if (code == MR_OK)
        begin(s);
    else /* a template that is missing or wrong can be mended while the job waits */
        finish(s, code == MR_EINVAL ? mr_outcome_fail("%s", err.text)
                                    : mr_outcome_retry("%s", err.text));
    if (s->over)
        free_sending(s);
}

void mr_sending_cancel(struct mr_job *job)
{
    struct sending *s = mr_job_get(job);

    s->cancelled = true;
    if (s->call)
        mr_http_cancel(s->call);
}
