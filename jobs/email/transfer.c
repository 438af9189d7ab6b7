#include "jobs/email/transfer.h"

#include "jobs/email/mask.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* TOGETHER commands go out at once: their replies fit into any socket's buffer. A message goes out in chunks. */
enum { TOGETHER = 50, CHUNK_BYTES = 64 << 10 };

/* One mail on its way, on the caller's stack. */
struct transfer {
    struct mr_smtp_line *line;
    const struct mr_smtp_mail *mail;
    struct mr_smtp_dialogue dialogue;
    struct mr_smtp_time time;
    uint64_t end_ms;   /* on the monotonic clock: its time is up */
    struct mr_buf out; /* what goes out next */
    char why[CURL_ERROR_SIZE];
};

/* What is in out goes out, all of it. */
static CURLcode flush(struct transfer *t)
{
    struct mr_bytes bytes = {t->out.at, t->out.len};
    CURLcode result = mr_smtp_line_write(t->line, bytes, &t->dialogue, &t->time);

    mr_buf_clear(&t->out);
    return result;
}

/* ---- MAIL, RCPT for RCPT, DATA ---- */

static void add_command(struct transfer *t, unsigned n)
{
    const struct mr_smtp_mail *mail = t->mail;

    if (n > mail->n_recipients)
        mr_buf_text(&t->out, "DATA\r\n");
    else if (n > 0)
        mr_buf_printf(&t->out, "RCPT TO:<%s>\r\n", mail->recipients[n - 1]);
    else if (mr_smtp_line_has_size(t->line)) /* it may refuse it before it travels */
        mr_buf_printf(&t->out, "MAIL FROM:<%s> SIZE=%zu\r\n", mail->sender, mail->message.len);
    else
        mr_buf_printf(&t->out, "MAIL FROM:<%s>\r\n", mail->sender);
}

static CURLcode hear(struct transfer *t, unsigned n_replies)
{
    CURLcode result = CURLE_OK;

    for (; n_replies > 0 && result == CURLE_OK && t->dialogue.stage != MR_SMTP_OVER;
         n_replies--) {
        result = mr_smtp_line_hear(t->line, &t->dialogue, &t->time);
        t->time.until_ms = t->end_ms;
    }
    return result;
}

/*
 * One at a time, or together where the server takes that. It may want the message then although it refused every recipient: this line is
 * given up, as after any other no, and nothing was sent.
 */
static CURLcode ask(struct transfer *t)
{
    unsigned together = mr_smtp_line_has_pipelining(t->line) ? TOGETHER : 1;
    unsigned n_commands = t->mail->n_recipients + 2, n = 0;
    CURLcode result = CURLE_OK;

    while (n < n_commands && result == CURLE_OK && t->dialogue.stage != MR_SMTP_OVER) {
        unsigned first = n;

        for (; n < n_commands && n < first + together; n++)
            add_command(t, n);
        result = flush(t);
        if (result == CURLE_OK)
            result = hear(t, n - first);
    }
    return result;
}

/* ---- the message ---- */

/* Lines up to a chunk; a dot in front of a line is doubled (RFC 5321, 4.5.2). Gives what is left. */
static struct mr_bytes add_lines(struct transfer *t, struct mr_bytes left)
{
    while (left.len > 0 && t->out.len < CHUNK_BYTES) {
        const char *end = memchr(left.at, '\n', left.len);
        size_t len = end ? (size_t)(end + 1 - left.at) : left.len;

        if (left.at[0] == '.')
            mr_buf_char(&t->out, '.');
        mr_buf_add(&t->out, left.at, len);
        left = (struct mr_bytes){left.at + len, left.len - len};
    }
    return left;
}

static bool ends_whole(struct mr_bytes message)
{
    return message.len >= 2 && memcmp(message.at + message.len - 2, "\r\n", 2) == 0;
}

/* A server that hangs up in the midst of a message mostly says why, and its words are here although nothing more goes out. */
static CURLcode hear_why(struct transfer *t, CURLcode failed)
{
    hear(t, 1);
    return t->dialogue.stage == MR_SMTP_OVER ? CURLE_OK : failed;
}

static void hand_over(struct transfer *t)
{
    const struct mr_smtp_watch *watch = t->time.watch;

    if (watch->handed)
        watch->handed(watch->arg);
    mr_smtp_dialogue_handed(&t->dialogue);
}

/* From the moment in which the last bytes may have left, the server may have it. */
static CURLcode send_message(struct transfer *t)
{
    struct mr_bytes left = t->mail->message;
    CURLcode result = CURLE_OK;

    do {
        left = add_lines(t, left);
        if (left.len == 0) {
            mr_buf_text(&t->out, ends_whole(t->mail->message) ? ".\r\n" : "\r\n.\r\n");
            hand_over(t);
        }
        result = flush(t);
    } while (left.len > 0 && result == CURLE_OK);
    return result == CURLE_OK ? hear(t, 1) : hear_why(t, result);
}

/* ---- from line to result ---- */

/* Whether anybody is still there is known soon, so that time is left for a fresh line. */
static void use_again(struct transfer *t, const struct mr_smtp_server *server)
{
    uint64_t known_ms = mr_clock_ms() + server->connect_timeout_ms;

    t->time.until_ms = known_ms < t->end_ms ? known_ms : t->end_ms;
    mr_smtp_dialogue_begin(&t->dialogue);
}

static CURLcode deliver(struct transfer *t, const struct mr_smtp_server *server)
{
    CURLcode result = CURLE_OK;

    if (t->line)
        use_again(t, server);
    else
        result = mr_smtp_line_open(server, &t->dialogue, &t->time, &t->line, t->why);
    if (result == CURLE_OK)
        result = ask(t);
    if (result == CURLE_OK && t->dialogue.stage == MR_SMTP_BODY)
        result = send_message(t);
    return result;
}

/* After a yes or no to the message the server waits for the next mail; after anything else nobody knows what it waits for. */
static bool is_good_for_more(const struct transfer *t)
{
    const struct mr_smtp_dialogue *d = &t->dialogue;

    return d->stage == MR_SMTP_OVER && d->answered == MR_SMTP_ANSWER && d->last.code != 421 &&
           mr_smtp_line_is_quiet(t->line);
}

/* From here on people may read them. */
static void mask(struct mr_smtp_recipient *recipient)
{
    char *masked = recipient->said ? mr_mask_addresses(recipient->said) : NULL;

    free(recipient->said);
    recipient->said = masked;
}

static const char *why(const struct transfer *t, CURLcode result)
{
    if (t->time.timed_out)
        return "timeout";
    if (result == CURLE_GOT_NOTHING)
        return "it hung up";
    return *t->why ? t->why : curl_easy_strerror(result);
}

/* Takes the dialogue's recipients. */
static void conclude(struct transfer *t, CURLcode result, bool reused,
                     struct mr_smtp_result *out)
{
    struct mr_buf reason = {0};
    struct mr_smtp_facts facts = {
        .result = result,
        .why = why(t, result),
        .reused = reused,
        .stopped = t->time.stopped,
    };

    out->end = mr_smtp_judge(&t->dialogue, &facts, &reason);
    out->connected = !reused;
    out->stopped = t->time.stopped;
    out->reason = reason.at ? mr_mask_addresses(reason.at) : NULL;
    out->recipients = t->dialogue.recipients;
    out->n_recipients = t->dialogue.n_recipients;
    for (unsigned i = 0; i < out->n_recipients; i++)
        mask(&out->recipients[i]);
    mr_buf_fini(&reason);
}

void mr_smtp_transfer(struct mr_smtp_line **line, const struct mr_smtp_server *server,
                      const struct mr_smtp_mail *mail, const struct mr_smtp_watch *watch,
                      struct mr_smtp_result *out)
{
    struct transfer t = {
        .line = *line,
        .mail = mail,
        .time = {.watch = watch},
        .end_ms = mr_clock_ms() + server->timeout_ms,
    };

    t.time.until_ms = t.end_ms;
    mr_smtp_dialogue_init(&t.dialogue, mail->n_recipients);
    CURLcode result = deliver(&t, server);
    conclude(&t, result, *line != NULL, out);
    if (t.line && !is_good_for_more(&t)) {
        mr_smtp_line_close(t.line);
        t.line = NULL;
    }
    *line = t.line;
    mr_buf_fini(&t.out);
}

void mr_smtp_result_init(struct mr_smtp_result *out, const struct mr_smtp_mail *mail,
                         enum mr_smtp_end end, const char *reason)
{
    *out = (struct mr_smtp_result){
        .end = end,
        .recipients = mr_zalloc_array(mail->n_recipients, sizeof(*out->recipients)),
        .n_recipients = mail->n_recipients,
        .reason = mr_strdup(reason),
    };
    for (unsigned i = 0; i < mail->n_recipients; i++)
        out->recipients[i] =
            (struct mr_smtp_recipient){.said = mr_strdup(reason), .fate = MR_SMTP_LATER};
}

void mr_smtp_result_fini(struct mr_smtp_result *result)
{
    if (!result)
        return;
    for (unsigned i = 0; i < result->n_recipients; i++)
        free(result->recipients[i].said);
    free(result->recipients);
    free(result->reason);
    *result = (struct mr_smtp_result){0};
}
