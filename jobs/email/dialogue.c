#include "jobs/email/dialogue.h"

#include "proto/base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* RFC 5321 knows 512 bytes a line and no end of lines; no server needs as many as this. */
enum { REPLY_BYTES_MAX = 64 << 10 };

void mr_smtp_dialogue_init(struct mr_smtp_dialogue *d, unsigned n_recipients)
{
    *d = (struct mr_smtp_dialogue){
        .recipients = mr_zalloc_array(n_recipients, sizeof(*d->recipients)),
        .n_recipients = n_recipients,
    };
}

void mr_smtp_dialogue_fini(struct mr_smtp_dialogue *d)
{
    if (!d)
        return;
    for (unsigned i = 0; i < d->n_recipients; i++)
        free(d->recipients[i].said);
    free(d->recipients);
    *d = (struct mr_smtp_dialogue){0};
}

void mr_smtp_dialogue_begin(struct mr_smtp_dialogue *d)
{
    d->stage = MR_SMTP_MAIL;
    d->last = d->arriving = (struct mr_smtp_reply){0};
    d->arriving_bytes = 0;
}

void mr_smtp_dialogue_handed(struct mr_smtp_dialogue *d)
{
    if (d->stage == MR_SMTP_BODY)
        d->stage = MR_SMTP_ANSWER;
}

static bool is_yes(int code)
{
    return code >= 200 && code < 300;
}

/* The server goes on to the message where it took at least one of them; so does libcurl. */
static enum mr_smtp_stage on_recipient(struct mr_smtp_dialogue *d,
                                       const struct mr_smtp_reply *reply)
{
    struct mr_smtp_recipient *recipient = &d->recipients[d->n_asked++];

    recipient->code = reply->code;
    if (!is_yes(reply->code))
        recipient->said = mr_strdup(reply->text);
    if (d->n_asked < d->n_recipients)
        return MR_SMTP_RCPT;
    return mr_smtp_dialogue_count(d).good > 0 ? MR_SMTP_DATA : MR_SMTP_OVER;
}

/* What a reply at this stage leads to. */
static enum mr_smtp_stage next_stage(struct mr_smtp_dialogue *d,
                                     const struct mr_smtp_reply *reply)
{
    switch (d->stage) {
    case MR_SMTP_MAIL:
        return is_yes(reply->code) ? MR_SMTP_RCPT : MR_SMTP_OVER;
    case MR_SMTP_RCPT:
        return on_recipient(d, reply);
    case MR_SMTP_DATA:
        return reply->code == 354 ? MR_SMTP_BODY : MR_SMTP_OVER;
    case MR_SMTP_BODY: /* it did not wait for the end, which it may do to say no */
    case MR_SMTP_ANSWER:
        return MR_SMTP_OVER;
    default:
        return d->stage;
    }
}

/* The code of a line, and whether more lines of the reply follow; 0 for what is no line of a reply. */
static int code_of(struct mr_bytes line, bool *out_more)
{
    for (size_t i = 0; i < 3; i++)
        if (i >= line.len || !isdigit((unsigned char)line.at[i]))
            return 0;
    *out_more = line.len > 3 && line.at[3] == '-';
    return (line.at[0] - '0') * 100 + (line.at[1] - '0') * 10 + (line.at[2] - '0');
}

/* The first line as it is; of the others what is behind their code. What cannot be printed is a space. */
static void add_text(struct mr_smtp_reply *reply, struct mr_bytes line)
{
    size_t len = strlen(reply->text), from = len > 0 ? 3 : 0;

    for (size_t i = from; i < line.len && len < MR_SMTP_REPLY_MAX; i++) {
        unsigned char c = (unsigned char)line.at[i];

        reply->text[len++] = (char)(c < ' ' || c > '~' || (i == 3 && c == '-') ? ' ' : c);
    }
    while (len > 0 && reply->text[len - 1] == ' ')
        len--;
    reply->text[len] = '\0';
}

bool mr_smtp_dialogue_line(struct mr_smtp_dialogue *d, struct mr_bytes line)
{
    bool more = false;
    int code = code_of(line, &more);

    if (d->stage == MR_SMTP_OVER)
        return true; /* the answer to a good-bye */
    d->arriving_bytes += line.len;
    if (d->arriving_bytes > REPLY_BYTES_MAX) {
        d->endless = true;
        return false;
    }
    if (code > 0)
        add_text(&d->arriving, line);
    if (code == 0 || more)
        return true;
    d->arriving.code = code;
    d->n_replies++;
    d->heard = d->stage != MR_SMTP_GREETING;
    d->answered = d->stage;
    d->stage = next_stage(d, &d->arriving);
    d->last = d->arriving;
    d->arriving = (struct mr_smtp_reply){0};
    d->arriving_bytes = 0;
    return true;
}

struct mr_smtp_count mr_smtp_dialogue_count(const struct mr_smtp_dialogue *d)
{
    struct mr_smtp_count count = {0};

    for (unsigned i = 0; i < d->n_recipients; i++) {
        int code = d->recipients[i].code;

        if (is_yes(code))
            count.good++;
        else if (code >= 500)
            count.refused++;
        else if (code > 0)
            count.later++;
    }
    return count;
}
