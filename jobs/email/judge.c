#include "jobs/email/judge.h"

#include "proto/base/mem.h"

#include <stdlib.h>

/* The connection of an earlier mail may have been closed for idleness, with a word (421) or without. */
static bool is_stale(const struct mr_smtp_dialogue *d, const struct mr_smtp_facts *facts)
{
    bool bye = d->answered == MR_SMTP_MAIL && d->last.code == 421;

    return facts->reused && (!d->heard || bye);
}

/* 530, 534, 535, 538: the server wants to know us better. That is for an operator to mend, and no fault of the mail. */
static bool is_about_login(const struct mr_smtp_dialogue *d, CURLcode result)
{
    int code = d->last.code;

    return result == CURLE_LOGIN_DENIED || code == 530 || code == 534 || code == 535 ||
           code == 538;
}

static bool is_about_tls(CURLcode result)
{
    return result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_USE_SSL_FAILED ||
           result == CURLE_SSL_CONNECT_ERROR || result == CURLE_SSL_CACERT_BADFILE;
}

static enum mr_smtp_fate fate_of(int code)
{
    if (code >= 200 && code < 300)
        return MR_SMTP_TAKEN;
    return code >= 500 ? MR_SMTP_REFUSED : MR_SMTP_LATER;
}

/* Behind one that it took, 552 is an old word for "too many at once" (RFC 5321, 4.5.3.1.10). */
static enum mr_smtp_fate fate_at_rcpt(int code, bool any_taken)
{
    return code == 552 && any_taken ? MR_SMTP_LATER : fate_of(code);
}

/* For all to whom the server had not said no before. */
static void decide(struct mr_smtp_dialogue *d, enum mr_smtp_fate fate, const char *said)
{
    bool any_taken = false;

    for (unsigned i = 0; i < d->n_recipients; i++) {
        struct mr_smtp_recipient *recipient = &d->recipients[i];

        if (recipient->said) {
            recipient->fate = fate_at_rcpt(recipient->code, any_taken);
            continue;
        }
        any_taken = true;
        recipient->fate = fate;
        if (fate != MR_SMTP_TAKEN)
            recipient->said = mr_strdup(said);
    }
}

/* Nothing has happened to anybody, whatever the server said at RCPT. */
static void decide_none(struct mr_smtp_dialogue *d, const char *said)
{
    for (unsigned i = 0; i < d->n_recipients; i++) {
        free(d->recipients[i].said);
        d->recipients[i].said = mr_strdup(said);
        d->recipients[i].fate = MR_SMTP_LATER;
    }
}

/* Why the relay counts as away; the server's own words where it had some. */
static enum mr_smtp_end call_away(struct mr_smtp_dialogue *d, const struct mr_smtp_facts *facts,
                                  struct mr_buf *reason)
{
    const char *said = d->last.code >= 400 ? d->last.text : facts->why;
    size_t from = reason->len;

    if (is_about_login(d, facts->result))
        mr_buf_printf(reason,
                      "the mail server does not let us in (email.tls, email.username, "
                      "email.password): %s",
                      said);
    else if (is_about_tls(facts->result))
        mr_buf_printf(reason,
                      "no trusted TLS with the mail server (email.tls, email.ca_file): %s",
                      facts->why);
    else if (d->endless)
        mr_buf_text(reason, "the mail server's reply does not end");
    else if (d->last.code >= 400)
        mr_buf_printf(reason, "the mail server is not at our service: %s", said);
    else
        mr_buf_printf(reason, "the mail server could not be reached or went away: %s", said);
    decide_none(d, reason->at + from);
    return MR_SMTP_AWAY;
}

static enum mr_smtp_end lose(struct mr_smtp_dialogue *d, const struct mr_smtp_facts *facts,
                             struct mr_buf *reason)
{
    mr_buf_printf(reason,
                  "the mail server has got the message, and whether it took it is unknown: %s",
                  facts->stopped ? "it had not answered when we had to stop" : facts->why);
    decide(d, MR_SMTP_UNKNOWN, "no answer to the message");
    return MR_SMTP_LOST;
}

/* The last no, one for good before one for now. */
static void say_no(const struct mr_smtp_dialogue *d, struct mr_buf *reason)
{
    const struct mr_smtp_recipient *worst = NULL;

    for (unsigned i = 0; i < d->n_recipients; i++) {
        const struct mr_smtp_recipient *recipient = &d->recipients[i];

        if (recipient->fate == MR_SMTP_REFUSED ||
            (recipient->fate == MR_SMTP_LATER && (!worst || worst->fate == MR_SMTP_LATER)))
            worst = recipient;
    }
    if (worst)
        mr_buf_printf(reason, "the mail server refused it for %s: %s",
                      worst->fate == MR_SMTP_REFUSED ? "good" : "now", worst->said);
}

static bool any(const struct mr_smtp_dialogue *d, enum mr_smtp_fate fate)
{
    for (unsigned i = 0; i < d->n_recipients; i++)
        if (d->recipients[i].fate == fate)
            return true;
    return false;
}

/* It has said its last word on the mail. */
static enum mr_smtp_end answer(struct mr_smtp_dialogue *d, const struct mr_smtp_facts *facts,
                               struct mr_buf *reason)
{
    bool has_message = d->answered == MR_SMTP_BODY || d->answered == MR_SMTP_ANSWER;
    int code = d->last.code;

    if (has_message && (code < 200 || (code >= 300 && code < 400)))
        return lose(d, facts, reason); /* no answer to a message */
    if (d->answered == MR_SMTP_BODY && code == 421)
        return call_away(d, facts, reason); /* before it had all of it */
    if (!has_message && (code == 421 || is_about_login(d, facts->result)))
        return call_away(d, facts, reason);
    decide(d, d->answered == MR_SMTP_RCPT ? MR_SMTP_LATER : fate_of(code), d->last.text);
    if (!has_message && fate_of(code) == MR_SMTP_TAKEN)
        decide_none(d, d->last.text); /* "250" to DATA */
    say_no(d, reason);
    return !has_message && any(d, MR_SMTP_LATER) ? MR_SMTP_PUT_OFF : MR_SMTP_ANSWERED;
}

enum mr_smtp_end mr_smtp_judge(struct mr_smtp_dialogue *d, const struct mr_smtp_facts *facts,
                               struct mr_buf *reason)
{
    if (d->stage == MR_SMTP_ANSWER)
        return lose(d, facts, reason);
    if (is_stale(d, facts)) {
        decide_none(d, facts->why);
        return MR_SMTP_STALE;
    }
    if (d->stage == MR_SMTP_OVER)
        return answer(d, facts, reason);
    if (!facts->stopped)
        return call_away(d, facts, reason);
    mr_buf_text(reason, "told to stop before the mail server had the message");
    decide_none(d, reason->at);
    return MR_SMTP_STOPPED;
}
