#include "jobs/sms/reply.h"

#include "jobs/sms/twilio_codes.h"
#include "proto/base/mem.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    BUSY_MS = 5000, /* where the provider says no time */
    BUSY_LEAST_MS = 1000,
    BUSY_MOST_MS = 60 * 60 * 1000, /* nobody reads a code that comes a day late */
    JITTER_PCT = 20,
    WORDS_MAX = 300, /* of the provider, in a reason */
    HIDDEN_LEAST = 4 /* characters; a shorter text is in every sentence */
};

/* What the body says. */
struct words {
    bool json; /* an object */
    json_int_t code;
    const struct mr_twilio_code *known; /* NULL: not one of ours */
    struct mr_buf text; /* "21211: The 'To' number ... is not valid", or what stands for it */
};

void mr_reply_say(struct mr_reply *out, enum mr_reply_end end, const char *format, ...)
{
    va_list args;

    out->end = end;
    va_start(args, format);
    size_t len = (size_t)vsnprintf(out->words, sizeof(out->words), format, args);
    va_end(args);
    if (len >= sizeof(out->words)) /* whatever was cut, it was a character's end */
        out->words[mr_str_cut(out->words, sizeof(out->words) - 2)] = '\0';
}

/* ---- words ---- */

/* The bytes at the beginning of said that repeat what the job says; 0 when there are none. */
static size_t repeats(const char *said, const struct mr_reply_context *context)
{
    const char *to = context->message->to;
    const char *const hidden[] = {to, to + (*to == '+'), context->sender,
                                  context->message->text};

    for (size_t i = 0; i < MR_COUNT(hidden); i++) {
        size_t len = strlen(hidden[i]);

        if (len >= HIDDEN_LEAST && strncmp(said, hidden[i], len) == 0)
            return len;
    }
    return 0;
}

void mr_reply_add_words(struct mr_buf *out, const char *said,
                        const struct mr_reply_context *context)
{
    const char *end = said + mr_str_cut(said, WORDS_MAX);

    while (said < end) {
        size_t len = repeats(said, context);

        if (len > 0)
            mr_buf_text(out, "(...)");
        else
            mr_buf_char(out, *said);
        said += len ? len : 1;
    }
}

static struct words read_words(json_t *body, const struct mr_reply_context *context)
{
    const char *said = json_string_value(json_object_get(body, "message"));
    struct words words = {.json = json_is_object(body),
                          .code = json_integer_value(json_object_get(body, "code"))};

    words.known = mr_twilio_code_find(words.code);
    if (words.code != 0)
        mr_buf_printf(&words.text, "%" JSON_INTEGER_FORMAT ": ", words.code);
    if (said)
        mr_reply_add_words(&words.text, said, context);
    else
        mr_buf_text(&words.text,
                    words.json ? "without a message" : "with a body that is no JSON");
    if (words.known)
        mr_buf_printf(&words.text, " (%s)", words.known->meaning);
    return words;
}

/* ---- judging ---- */

bool mr_reply_read_silence(const struct mr_http_answer *answer,
                           const struct mr_reply_context *context, struct mr_reply *out)
{
    if (answer->end == MR_HTTP_ANSWERED)
        return false;
    if (answer->end == MR_HTTP_UNKNOWN)
        mr_reply_say(out, MR_REPLY_UNKNOWN, "%s", answer->trouble);
    else if (answer->end == MR_HTTP_REFUSED)
        mr_reply_say(out, MR_REPLY_UNABLE, "not sent, %s.url has to be mended: %s",
                     context->section, answer->trouble);
    else
        mr_reply_say(out, answer->end == MR_HTTP_HELD ? MR_REPLY_LATER : MR_REPLY_UNABLE,
                     "not sent: %s", answer->trouble);
    out->after_ms = answer->retry_after_ms;
    return true;
}

bool mr_reply_read_doorkeeper(const struct mr_http_answer *answer,
                              const struct mr_reply_context *context, const char *words,
                              struct mr_reply *out)
{
    long status = answer->status;

    out->after_ms = answer->retry_after_ms;
    if (status == 429 || (status == 503 && answer->retry_after_ms >= 0))
        mr_reply_say(out, MR_REPLY_LATER, "the provider takes nothing for now: %ld, %s", status,
                     words);
    else if (status == 401 || status == 403)
        mr_reply_say(out, MR_REPLY_UNABLE,
                     "the provider does not let us in (%s.account, %s.token): %ld, %s",
                     context->section, context->section, status, words);
    else if (status / 100 == 2 || status == 303 || status == 408 || status == 409 ||
             status / 100 == 5) /* 303: done, and seen elsewhere */
        mr_reply_say(out, MR_REPLY_UNKNOWN, "the provider answered %ld, %s", status, words);
    else
        return false;
    return true;
}

/* A refusal with a code of the provider's own. */
static void refuse(const struct words *words, struct mr_reply *out)
{
    enum mr_reply_end end = words->known ? words->known->end : MR_REPLY_REFUSED;

    snprintf(out->code, sizeof(out->code), "%" JSON_INTEGER_FORMAT, words->code);
    if (end == MR_REPLY_REFUSED)
        mr_reply_say(out, end, "the provider refused it for good: %s", words->text.at);
    else if (end == MR_REPLY_NOT_HERE)
        mr_reply_say(out, end, "this provider refused it for good: %s", words->text.at);
    else
        mr_reply_say(out, end, "the provider takes nothing for now: %s", words->text.at);
}

static void judge_status(const struct mr_http_answer *answer, const struct words *words,
                         const struct mr_reply_context *context, struct mr_reply *out)
{
    long status = answer->status;
    bool coded = words->code != 0 && status != 404 && status != 405;

    if (status == 403 && words->known && words->known->end != MR_REPLY_UNABLE)
        refuse(words, out);
    else if (mr_reply_read_doorkeeper(answer, context, words->text.at, out))
        return;
    else if (status / 100 == 4 && coded)
        refuse(words, out);
    else
        mr_reply_say(out, MR_REPLY_UNABLE,
                     "nothing sent: what answers at %s.url does not take messages for "
                     "%s.account: %ld, %s",
                     context->section, context->section, status, words->text.at);
}

void mr_reply_read(const struct mr_http_answer *answer, const struct mr_reply_context *context,
                   struct mr_reply *out)
{
    *out = (struct mr_reply){.after_ms = -1};
    if (mr_reply_read_silence(answer, context, out))
        return;
    json_t *body =
        json_loadb(answer->body.at ? answer->body.at : "", answer->body.len, 0, NULL);
    const char *sid = json_string_value(json_object_get(body, "sid"));
    if (answer->status / 100 == 2 && sid && *sid) {
        out->end = MR_REPLY_SENT;
        snprintf(out->id, sizeof(out->id), "%.*s", (int)mr_str_cut(sid, MR_REPLY_ID - 1), sid);
    } else {
        struct words words = read_words(body, context);

        judge_status(answer, &words, context, out);
        mr_buf_fini(&words.text);
    }
    json_decref(body);
}

/* ---- the job ---- */

bool mr_reply_is_safe(const struct mr_reply *reply)
{
    return reply->end < MR_REPLY_REFUSED;
}

/* Those who were told the same moment do not all come back at it. */
static int64_t busy_ms(int64_t asked_ms, uint32_t roll)
{
    int64_t ms = asked_ms < 0 ? BUSY_MS : asked_ms;

    if (ms < BUSY_LEAST_MS)
        ms = BUSY_LEAST_MS;
    if (ms > BUSY_MOST_MS)
        ms = BUSY_MOST_MS;
    return ms + (int64_t)((uint64_t)ms * JITTER_PCT / 100 * roll / UINT32_MAX);
}

static struct mr_outcome hold(const struct mr_reply *reply, bool recorded)
{
    return mr_outcome_hold(
        "held for a person: nobody knows whether the message was sent: %s; %s", reply->words,
        recorded
            ? "look for it at the provider, set state in millrace_notifications to 'ok' or "
              "'refused', and retry this job"
            : "look for it at the provider; retried, this job sends it (again)");
}

struct mr_outcome mr_reply_outcome(const struct mr_reply *reply,
                                   const struct mr_reply_policy *policy)
{
    switch (reply->end) {
    case MR_REPLY_SENT:
        return mr_outcome_done();
    case MR_REPLY_REFUSED:
    case MR_REPLY_NOT_HERE:
        return mr_outcome_fail("%s", reply->words);
    case MR_REPLY_LATER:
        return mr_outcome_release(busy_ms(reply->after_ms, policy->roll), "%s", reply->words);
    case MR_REPLY_UNABLE:
    case MR_REPLY_NONE:
        return mr_outcome_retry("%s", reply->words);
    case MR_REPLY_UNKNOWN:
        break;
    }
    if (policy->hold)
        return hold(reply, policy->recorded);
    return mr_outcome_retry("nobody knows whether the message was sent: %s; %s", reply->words,
                            policy->named
                                ? "asked for again under the same key"
                                : "the job has no uuid, so trying again may send it twice");
}
