/*
 * email.send: one mail over SMTP, to each recipient once. What a server refuses for now is tried again, for good is dead, and what it
 * may have taken without saying so is neither: jobs/email/judge.h tells them apart.
 */
#include "jobs/email/from_template.h"
#include "jobs/email/mail.h"
#include "jobs/email/mask.h"
#include "jobs/email/message.h"
#include "jobs/email/relays.h"
#include "jobs/email/rest.h"
#include "jobs/services/members.h"
#include "jobs/services/storage.h"
#include "jobs/services/template_store.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "worker/handler.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUSY_MS = 500,    /* then a mail that found no free connection comes back */
    STORAGE_MS = 5000 /* then a mail comes back whose files' storage cannot be reached */
};

/* Module state. Strings are borrowed from the configuration. */
struct office {
    struct mr_relays *relays;
    struct mr_template_store *templates;
    const json_t *config;
    struct mr_storage *storage; /* of attached files; NULL: no_storage says why there is none */
    struct mr_err no_storage;
    struct mr_mail_rules rules;
    uint64_t again_ms;
};

/* One mail on its way, on a thread of its own. */
struct sending {
    struct office *office;
    struct mr_job *job;
    json_t *data; /* borrowed */
    struct mr_rest_only only;
    bool hold; /* where nobody knows whether it arrived */
    struct mr_mail mail;
    struct mr_buf message;
    struct mr_smtp_mail parcel; /* mail as it travels */
};

static void read_rules(struct office *office)
{
    const json_t *config = office->config;

    office->rules = (struct mr_mail_rules){
        .from = mr_members_text(config, "from", NULL),
        .max_recipients = (unsigned)mr_members_number(config, "max_recipients", 100),
        .max_size = (uint64_t)mr_members_number(config, "max_size_bytes", 25 * 1024 * 1024),
    };
    office->again_ms = (uint64_t)mr_members_number(config, "again_ms", 60000);
}

static enum mr_code open_office(struct mr_host *host, void **out_state, struct mr_err *err)
{
    json_t *config = mr_host_config(host, "email");
    struct mr_relays *relays;
    enum mr_code code = mr_relays_new(host, config, &relays, err);

    if (code != MR_OK)
        return code;
    struct office *office = mr_zalloc(sizeof(*office));

    office->relays = relays;
    office->templates = mr_template_store_new(
        json_string_value(json_object_get(mr_host_config(host, "templates"), "dir")));
    office->config = config;
    read_rules(office);
    /* Mails without stored files need none. */
    if (mr_storage_get(host, &office->storage, &office->no_storage) != MR_OK)
        office->storage = NULL;
    *out_state = office;
    return MR_OK;
}

static void close_office(void *state)
{
    struct office *office = state;

    mr_relays_free(office->relays);
    mr_template_store_free(office->templates);
    free(office);
}

/* ---- what the job asks for ---- */

/* The job's own word, that of its queue, that of all. */
static enum mr_code read_policy(struct sending *s, struct mr_err *err)
{
    json_t *own = json_object_get(s->data, "on_unknown");
    const json_t *queues = json_object_get(s->office->config, "queues");
    const json_t *queue = json_object_get(queues, mr_job_queue(s->job));
    const char *policy = json_string_value(own);

    if (own && !json_is_null(own) &&
        (!policy || (strcmp(policy, "retry") != 0 && strcmp(policy, "hold") != 0)))
        return mr_fail(err, MR_EINVAL, "data.on_unknown must be \"retry\" or \"hold\"");
    if (!policy)
        policy = json_string_value(json_object_get(queue, "unknown"));
    if (!policy)
        policy = json_string_value(json_object_get(s->office->config, "unknown"));
    s->hold = policy && strcmp(policy, "hold") == 0;
    return MR_OK;
}

static enum mr_code read_mail(struct sending *s, struct mr_err *err)
{
    json_t *whole = NULL;
    enum mr_code code = mr_mail_from_template(s->data, s->office->templates, &whole, err);

    if (code == MR_OK)
        code = mr_mail_read(whole, &s->office->rules, s->only.mail, mr_clock_wall_ms(),
                            &s->mail, err);
    json_decref(whole);
    return code;
}

static enum mr_code fetch(void *arg, const char *key, uint64_t max_bytes,
                          enum mr_code (*on_bytes)(void *to, const void *bytes, size_t len,
                                                   struct mr_err *err),
                          void *to, struct mr_err *err)
{
    const struct sending *s = arg;

    if (!s->office->storage)
        return mr_fail(err, MR_EFAULT, "attachment %.200s: %s", key,
                       s->office->no_storage.text);
    return mr_storage_read(s->office->storage, key, s->job, max_bytes, on_bytes, to, err);
}

static enum mr_code pack(struct sending *s, struct mr_err *err)
{
    unsigned n = mr_rest_choose(&s->only, s->mail.recipients, s->mail.n_recipients);

    if (n == 0)
        return mr_fail(err, MR_EINVAL, "data.only.to names none of the mail's recipients");
    enum mr_code code =
        mr_mail_message(&s->mail, fetch, s, s->office->rules.max_size, &s->message, err);
    if (code != MR_OK)
        return code;
    s->parcel = (struct mr_smtp_mail){
        .sender = s->mail.sender,
        .recipients = (const char *const *)s->mail.recipients,
        .n_recipients = n,
        .message = {s->message.at, s->message.len},
    };
    return MR_OK;
}

static enum mr_code read_job(struct sending *s, struct mr_err *err)
{
    s->data = mr_job_data(s->job, err);
    if (!s->data)
        return MR_EINVAL;
    enum mr_code code = mr_rest_read(s->data, mr_job_uuid(s->job), &s->only, err);

    if (code == MR_OK)
        code = read_policy(s, err);
    if (code == MR_OK)
        code = read_mail(s, err);
    if (code == MR_OK)
        code = pack(s, err);
    return code;
}

static void sending_fini(struct sending *s)
{
    mr_mail_fini(&s->mail);
    mr_buf_fini(&s->message);
}

/* ---- what became of it ---- */

static void count(const struct sending *s, const char *name, unsigned n)
{
    if (n > 0)
        mr_host_counter(mr_job_host(s->job), name, n);
}

/* A line for each of them who did not get it, and how many they are. */
static void record(const struct sending *s, const struct mr_smtp_result *result,
                   enum mr_smtp_fate fate, const char *event, const char *counter)
{
    unsigned n = 0;

    for (unsigned i = 0; i < result->n_recipients; i++) {
        if (result->recipients[i].fate != fate)
            continue;
        char *address = mr_mask_addresses(s->parcel.recipients[i]);

        mr_job_log(s->job, 1, event, "recipient=%s said=%s", address,
                   result->recipients[i].said);
        free(address);
        n++;
    }
    count(s, counter, n);
}

static void record_all(const struct sending *s, const struct mr_smtp_result *result)
{
    record(s, result, MR_SMTP_REFUSED, "email.recipient_refused", "email_recipients_refused");
    record(s, result, MR_SMTP_LATER, "email.recipient_deferred", "email_recipients_deferred");
}

/*
 * Some have it, or some are refused for good and others for now: this job has done what it can, and others go on with the rest. Where
 * they could not be pushed, a second mail to those who have it would be worse than a dead letter.
 */
static struct mr_outcome divide(const struct sending *s, const struct mr_smtp_result *result)
{
    struct mr_err err;

    if (mr_rest_push(s->job, s->data, &s->only, &s->parcel, result, s->office->again_ms,
                     &err) != MR_OK)
        return mr_outcome_fail("not all recipients have it, and no job could be pushed for the "
                               "others (%s): %s",
                               err.text, result->reason);
    return mr_outcome_done();
}

static unsigned n_of(const struct mr_smtp_result *result, enum mr_smtp_fate fate)
{
    unsigned n = 0;

    for (unsigned i = 0; i < result->n_recipients; i++)
        n += result->recipients[i].fate == fate;
    return n;
}

static struct mr_outcome judge_answer(const struct sending *s,
                                      const struct mr_smtp_result *result)
{
    unsigned n = result->n_recipients;

    if (n_of(result, MR_SMTP_TAKEN) == n)
        return mr_outcome_done();
    record_all(s, result);
    if (n_of(result, MR_SMTP_REFUSED) == n)
        return mr_outcome_fail("%s", result->reason);
    if (n_of(result, MR_SMTP_LATER) == n)
        return mr_outcome_retry("%s", result->reason);
    return divide(s, result);
}

#define HELD                                                                                   \
    "held, as email.unknown says: look for the mail's Message-ID in the mail server's log, "   \
    "then drop this dead letter or retry it: "

/* The server may have taken it. A mail twice hurts less than none (RFC 5321, 4.2.5 and 6.1), unless somebody decided otherwise. */
static struct mr_outcome judge_lost(const struct sending *s,
                                    const struct mr_smtp_result *result)
{
    bool some = n_of(result, MR_SMTP_UNKNOWN) < result->n_recipients;

    record_all(s, result);
    if (!s->hold) {
        count(s, "email_unknown_retried", 1);
        return mr_outcome_retry("%s", result->reason);
    }
    count(s, "email_unknown_held", 1);
    return mr_outcome_hold(HELD "%s%s", result->reason,
                           some ? "; some of its recipients were refused before, and "
                                  "do not have it"
                                : "");
}

/* The delivery before this one was killed when the message was out. */
static struct mr_outcome hold_doubtful(const struct sending *s)
{
    count(s, "email_unknown_held", 1);
    return mr_outcome_hold(HELD "its worker was killed, or lost with its host, when the mail "
                                "server may have had the message");
}

static struct mr_outcome judge(const struct sending *s, const struct mr_smtp_result *result)
{
    switch (result->end) {
    case MR_SMTP_ANSWERED:
    case MR_SMTP_PUT_OFF:
        return judge_answer(s, result);
    case MR_SMTP_LOST:
        return judge_lost(s, result);
    default:
        return mr_outcome_retry("%s",
                                result->reason ? result->reason : "the connection is gone");
    }
}

/* The next delivery of a mail that is to be held must know of this one, should we be killed before it is settled. */
static void note_handed(void *arg)
{
    const struct sending *s = arg;

    if (s->hold)
        mr_job_mark(s->job, MR_JOB_HANDED);
}

static bool is_cancelled(const void *sending)
{
    return mr_job_cancelled(((const struct sending *)sending)->job);
}

static struct mr_outcome deliver(struct sending *s)
{
    const struct mr_smtp_watch watch = {is_cancelled, note_handed, s,
                                        mr_job_grace_ms(s->job) / 2};
    struct mr_smtp_result result = {0};
    uint64_t after_ms;

    switch (mr_relays_send(s->office->relays, &s->parcel, &watch, &result, &after_ms)) {
    case MR_RELAY_PASSED:
        return mr_outcome_release((int64_t)after_ms,
                                  "no mail server answers; the next is asked in %" PRIu64 " ms",
                                  after_ms);
    case MR_RELAY_BUSY:
        return mr_outcome_release(BUSY_MS, "all connections to the mail server are in use");
    case MR_RELAY_STOPPED:
        return mr_outcome_retry("told to stop before a connection to the mail server was free");
    case MR_RELAY_SENT:
        break;
    }
    struct mr_outcome outcome = judge(s, &result);
    mr_smtp_result_fini(&result);
    return outcome;
}

static struct mr_outcome run(void *state, struct mr_job *job)
{
    struct sending s = {.office = state, .job = job};
    struct mr_err err;
    enum mr_code code = read_job(&s, &err);
    struct mr_outcome outcome;

    if (code == MR_OK && s.hold && mr_job_in_doubt(job))
        outcome = hold_doubtful(&s);
    else if (code == MR_OK)
        outcome = deliver(&s);
    else if (code == MR_EINVAL)
        outcome = mr_outcome_fail("%s", err.text);
    else if (code == MR_EDOWN)
        outcome = mr_outcome_release(STORAGE_MS, "%s", err.text);
    else /* a template or a file that is missing or wrong can be mended while the job waits */
        outcome = mr_outcome_retry("%s", err.text);
    sending_fini(&s);
    return outcome;
}

static const struct mr_handler email_send = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "email.send",
    .open = open_office,
    .close = close_office,
    .run = run,
};

const struct mr_handler *const mr_handlers[] = {&email_send, NULL};
