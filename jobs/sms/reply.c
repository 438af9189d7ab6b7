#include "jobs/sms/reply.h"

#include "proto/base/mem.h"

#include <jansson.h>
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
    struct mr_buf text; /* "21211: The 'To' number ... is not valid", or what stands for it */
};

/* ---- reading ---- */

/* "whatsapp:+49..." and "+49..." alike: the number. */
static const char *bare(const char *number)
{
    const char *colon = strchr(number, ':');

    return colon ? colon + 1 : number;
}

/* The bytes at the beginning of said that repeat what the job says; 0 when there are none. */
static size_t repeats(const char *said, const struct mr_message *message)
{
    const char *const hidden[] = {bare(message->to), bare(message->from), message->text};

    for (size_t i = 0; i < MR_COUNT(hidden); i++) {
        size_t len = strlen(hidden[i]);

        if (len >= HIDDEN_LEAST && strncmp(said, hidden[i], len) == 0)
            return len;
    }
    return 0;
}

static void add_words(struct mr_buf *out, const char *said, const struct mr_message *message)
{
    const char *end = said + mr_str_cut(said, WORDS_MAX);

    while (said < end) {
        size_t len = repeats(said, message);

        if (len > 0)
            mr_buf_text(out, "(...)");
        else
            mr_buf_char(out, *said);
        said += len ? len : 1;
    }
}

static struct words read_words(json_t *body, const struct mr_message *message)
{
    const char *said = json_string_value(json_object_get(body, "message"));
    struct words words = {.json = json_is_object(body),
                          .code = json_integer_value(json_object_get(body, "code"))};

    if (words.code != 0)
        mr_buf_printf(&words.text, "%" JSON_INTEGER_FORMAT ": ", words.code);
    if (said)
        add_words(&words.text, said, message);
    else
        mr_buf_text(&words.text,
                    words.json ? "without a message" : "with a body that is no JSON");
    return words;
}

/* ---- judging ---- */

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

static struct mr_outcome unknown(bool named, const char *why)
{
    return mr_outcome_retry("nobody knows whether the message was sent: %s; %s", why,
                            named ? "asked for again under the same key"
                                  : "the job has no uuid, so trying again may send it twice");
}

static struct mr_outcome unknown_status(bool named, long status, const struct words *words)
{
    char why[WORDS_MAX + 80];

    snprintf(why, sizeof(why), "the provider answered %ld, %s", status, words->text.at);
    return unknown(named, why);
}

static struct mr_outcome judge_status(const struct mr_http_answer *answer,
                                      const struct words *words, bool named, uint32_t roll)
{
    long status = answer->status;

    if (status == 429 || (status == 503 && answer->retry_after_ms >= 0))
        return mr_outcome_release(busy_ms(answer->retry_after_ms, roll),
                                  "the provider takes nothing for now: %ld, %s", status,
                                  words->text.at);
    if (status == 401 || status == 403)
        return mr_outcome_retry(
            "the provider does not let us in (sms.account, sms.token): %ld, %s", status,
            words->text.at);
    if (status / 100 == 2 || status == 408 || status == 409 || status / 100 == 5)
        return unknown_status(named, status, words);
    if (status / 100 == 4 && status != 404 && status != 405 && words->code != 0)
        return mr_outcome_fail("the provider refused it for good: %s", words->text.at);
    return mr_outcome_retry("nothing sent: what answers at sms.url does not take messages for "
                            "sms.account: %ld, %s",
                            status, words->text.at);
}

static struct mr_outcome judge_answered(const struct mr_http_answer *answer,
                                        const struct mr_message *message, bool named,
                                        uint32_t roll, char out_sid[MR_REPLY_SID])
{
    json_t *body =
        json_loadb(answer->body.at ? answer->body.at : "", answer->body.len, 0, NULL);
    const char *sid = json_string_value(json_object_get(body, "sid"));
    struct mr_outcome outcome;

    if (answer->status / 100 == 2 && sid && *sid) {
        snprintf(out_sid, MR_REPLY_SID, "%s", sid);
        outcome = mr_outcome_done();
    } else {
        struct words words = read_words(body, message);

        outcome = judge_status(answer, &words, named, roll);
        mr_buf_fini(&words.text);
    }
    json_decref(body);
    return outcome;
}

struct mr_outcome mr_reply_judge(const struct mr_http_answer *answer,
                                 const struct mr_message *message, bool named, uint32_t roll,
                                 char out_sid[MR_REPLY_SID])
{
    out_sid[0] = '\0';
    switch (answer->end) {
    case MR_HTTP_ANSWERED:
        return judge_answered(answer, message, named, roll, out_sid);
    case MR_HTTP_NOT_SENT:
        return mr_outcome_retry("not sent: %s", answer->trouble);
    case MR_HTTP_HELD:
        return mr_outcome_release(busy_ms(answer->retry_after_ms, roll), "not sent: %s",
                                  answer->trouble);
    case MR_HTTP_REFUSED:
        return mr_outcome_retry("not sent, sms.url has to be mended: %s", answer->trouble);
    case MR_HTTP_UNKNOWN:
        break;
    }
    return unknown(named, answer->trouble);
}
