#include "jobs/sms/message.h"

#include "jobs/sms/segments.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

enum {
    NUMBER_LEAST = 7, /* digits of a telephone number with its country (E.164) */
    NUMBER_MOST = 15,
    NAME_MOST = 11, /* characters of a sender that is a word */
    CODE_LEAST = 3, /* digits of a short number */
    CODE_MOST = 8,
    UUID_MOST = 200,
};

/* JSON strings may hold \u0000, behind which we would not look. */
static enum mr_code check_string(const char *member, const json_t *value, const char **out,
                                 struct mr_err *err)
{
    if (!value || json_is_null(value))
        return mr_fail(err, MR_EINVAL, "data.%s is missing", member);
    if (!json_is_string(value))
        return mr_fail(err, MR_EINVAL, "data.%s must be a string", member);
    if (strlen(json_string_value(value)) != json_string_length(value))
        return mr_fail(err, MR_EINVAL, "data.%s must not hold a NUL", member);
    *out = json_string_value(value);
    return MR_OK;
}

/*
 * No blanks, hyphens or brackets: a number that was typed so was not checked by whoever pushed it, and a message to the wrong
 * person cannot be called back. The number itself is not repeated: the reason of a failure is read by more people than the job.
 */
static enum mr_code check_number(const char *name, const char *number, struct mr_err *err)
{
    if (number[0] != '+')
        return mr_fail(err, MR_EINVAL,
                       "%s must begin with + and the country, as in +12025550123", name);
    size_t digits = strspn(number + 1, DIGITS);
    if (number[1 + digits] != '\0')
        return mr_fail(err, MR_EINVAL,
                       "%s: behind the + only digits may stand, and nothing between them: "
                       "character %zu is none",
                       name, digits + 2);
    if (number[1] == '0')
        return mr_fail(err, MR_EINVAL, "%s: no country begins with 0", name);
    if (digits < NUMBER_LEAST || digits > NUMBER_MOST)
        return mr_fail(err, MR_EINVAL,
                       "%s has %zu digits; a number with its country has %d to %d", name,
                       digits, NUMBER_LEAST, NUMBER_MOST);
    return MR_OK;
}

enum mr_code mr_message_check_sender(const char *name, const char *sender, bool numbers_only,
                                     struct mr_err *err)
{
    size_t len = strlen(sender), digits = strspn(sender, DIGITS);

    if (sender[0] == '+' || numbers_only)
        return check_number(name, sender, err);
    if (digits == len && len >= CODE_LEAST && len <= CODE_MOST)
        return MR_OK;
    if (len <= NAME_MOST && strspn(sender, LETTERS DIGITS " ") == len &&
        strpbrk(sender, LETTERS))
        return MR_OK;
    return mr_fail(err, MR_EINVAL,
                   "%s is no sender: a number (+12025550123), a short number of %d to %d "
                   "digits, or a name of at most %d letters, digits and blanks",
                   name, CODE_LEAST, CODE_MOST, NAME_MOST);
}

static bool is_allowed(const json_t *senders, const char *sender)
{
    json_t *one;
    size_t i;

    json_array_foreach(senders, i, one)
    {
        if (strcmp(json_string_value(one), sender) == 0)
            return true;
    }
    return json_array_size(senders) == 0;
}

/* Who sends it: data says so, or the configuration. */
static enum mr_code read_sender(json_t *data, const struct mr_message_channel *channel,
                                const char **out, struct mr_err *err)
{
    json_t *value = json_object_get(data, "from");
    enum mr_code code;

    if (!value || json_is_null(value)) {
        *out = channel->from;
        return channel->from ? mr_message_check_sender(channel->from_option, channel->from,
                                                       channel->numbers_only, err)
                             : mr_fail(err, MR_EINVAL,
                                       "nobody to send it from: data.from is missing and %s is "
                                       "not configured",
                                       channel->from_option);
    }
    if ((code = check_string("from", value, out, err)) != MR_OK ||
        (code = mr_message_check_sender("data.from", *out, channel->numbers_only, err)) !=
            MR_OK)
        return code;
    if (!is_allowed(channel->senders, *out) && (!channel->from || strcmp(channel->from, *out)))
        return mr_fail(err, MR_EINVAL, "data.from is none of sms.senders");
    return MR_OK;
}

/* Characters, not bytes; -1 when it is no UTF-8. */
static long count_characters(const char *text)
{
    long n = 0;

    for (size_t left = strlen(text); left > 0; n++) {
        size_t len = mr_str_utf8(text, left);

        if (len == 0)
            return -1;
        text += len;
        left -= len;
    }
    return n;
}

static enum mr_code check_text(const char *text, const struct mr_message_channel *channel,
                               unsigned *out_segments, struct mr_err *err)
{
    long characters = count_characters(text);

    if (characters < 0)
        return mr_fail(err, MR_EINVAL, "the text is not valid UTF-8");
    if (strspn(text, " \t\r\n") == strlen(text))
        return mr_fail(err, MR_EINVAL, "the text is empty");
    if (characters > MR_MESSAGE_CHARACTERS)
        return mr_fail(err, MR_EINVAL, "the text has %ld characters; a message holds %d",
                       characters, MR_MESSAGE_CHARACTERS);
    *out_segments = 1;
    if (channel->max_segments == 0)
        return MR_OK;
    struct mr_segments segments = mr_segments_count(text);
    if (segments.n > channel->max_segments)
        return mr_fail(err, MR_EINVAL,
                       "the text takes %u segments of %s; sms.max_segments allows %u",
                       segments.n,
                       segments.alphabet == MR_ALPHABET_GSM
                           ? "160 characters"
                           : "70 characters, since it has some outside of the GSM alphabet",
                       channel->max_segments);
    *out_segments = segments.n;
    return MR_OK;
}

enum mr_code mr_message_read(json_t *data, const char *text,
                             const struct mr_message_channel *channel, struct mr_message *out,
                             struct mr_err *err)
{
    const char *to = NULL, *from = NULL;
    unsigned segments = 0;
    enum mr_code code;

    if (!json_is_object(data))
        return mr_fail(err, MR_EINVAL, "data must be an object");
    if ((code = check_string("to", json_object_get(data, "to"), &to, err)) != MR_OK ||
        (code = check_number("data.to", to, err)) != MR_OK ||
        (code = read_sender(data, channel, &from, err)) != MR_OK)
        return code;
    if (!text &&
        (code = check_string("text", json_object_get(data, "text"), &text, err)) != MR_OK)
        return code;
    if ((code = check_text(text, channel, &segments, err)) != MR_OK)
        return code;
    *out = (struct mr_message){
        .to = mr_strdup(to),
        .from = mr_strdup(from),
        .text = mr_strdup(text),
        .chosen = from != channel->from,
        .segments = segments,
    };
    return MR_OK;
}

void mr_message_fini(struct mr_message *message)
{
    free(message->to);
    free(message->from);
    free(message->text);
    *message = (struct mr_message){0};
}

enum mr_code mr_message_check_uuid(const char *uuid, struct mr_err *err)
{
    size_t len = strlen(uuid);

    if (len > UUID_MOST || strspn(uuid, LETTERS DIGITS "-_.:") != len)
        return mr_fail(err, MR_EINVAL,
                       "uuid: only up to %d letters, digits, '-', '_', '.' and ':' can name a "
                       "message",
                       UUID_MOST);
    return MR_OK;
}
