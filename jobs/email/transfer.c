/*
 * Why libcurl, which knows no verdict for each recipient, and no SMTP client of our own: it has been through the TLS, SASL and name
 * look-up of every server there is, and what it does not tell can be seen from outside. With MAIL_RCPT_ALLOWFAILS it goes on as long
 * as one recipient is good; its pre-request callback comes when the server has let us in, and from then on each reply that the header
 * callback sees answers one command: MAIL, RCPT for RCPT, DATA, the message (jobs/email/dialogue.h). It has no PIPELINING and no DSN.
 *
 * Why easy handles on threads and no multi handle on the loop: curl waits for the answer to a message, and says good-bye, blocking.
 */
#include "jobs/email/transfer.h"

#include "jobs/email/mask.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

#if LIBCURL_VERSION_NUM >= 0x080200
#define RCPT_ALLOWFAILS CURLOPT_MAIL_RCPT_ALLOWFAILS
#else
#define RCPT_ALLOWFAILS CURLOPT_MAIL_RCPT_ALLLOWFAILS
#endif

enum { GOODBYE_MS = 1000 }; /* a server has so long for an answer to QUIT that nobody reads */

/* One mail on its way, on the caller's stack. */
struct transfer {
    CURL *easy;
    const struct mr_smtp_server *server;
    const struct mr_smtp_mail *mail;
    const struct mr_smtp_stop *stop;
    struct mr_smtp_dialogue dialogue;
    struct curl_slist *recipients;
    size_t n_handed; /* bytes of the message that curl has */
    uint64_t started_at_ms, stop_at_ms, over_at_ms;
    bool stopped, timed_out;
    char why[CURL_ERROR_SIZE];
};

/* ---- what curl calls ---- */

static size_t on_line(char *bytes, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct mr_bytes line = {bytes, size * n};

    return mr_smtp_dialogue_line(&t->dialogue, line) ? line.len : 0;
}

static int on_let_in(void *arg, char *to, char *from, int to_port, int from_port)
{
    struct transfer *t = arg;

    (void)to, (void)from, (void)to_port, (void)from_port;
    mr_smtp_dialogue_begin(&t->dialogue);
    return CURL_PREREQFUNC_OK;
}

/* What curl has, it may have sent before a connection breaks. */
static size_t on_wanted(char *out, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct mr_bytes message = t->mail->message;
    size_t len = message.len - t->n_handed;

    if (len > size * n)
        len = size * n;
    memcpy(out, message.at + t->n_handed, len);
    t->n_handed += len;
    if (t->n_handed == message.len)
        mr_smtp_dialogue_handed(&t->dialogue);
    return len;
}

/* The answer to a message that is out is worth a little wait: without it, the mail is sent twice or held. */
static bool should_stop(struct transfer *t, uint64_t now_ms)
{
    if (!t->stop->asked || !t->stop->asked(t->stop->arg))
        return false;
    if (t->stop_at_ms == 0)
        t->stop_at_ms = now_ms;
    return t->dialogue.stage != MR_SMTP_ANSWER ||
           now_ms - t->stop_at_ms >= t->stop->patience_ms;
}

/* Some of curl's waits know no time-out of their own, so ours counts too. */
static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct transfer *t = arg;
    uint64_t now_ms = mr_clock_ms();

    (void)down_total, (void)down, (void)up_total, (void)up;
    if (t->dialogue.stage == MR_SMTP_OVER) {
        if (t->over_at_ms == 0)
            t->over_at_ms = now_ms;
        return now_ms - t->over_at_ms >= GOODBYE_MS;
    }
    t->stopped = should_stop(t, now_ms);
    t->timed_out = now_ms - t->started_at_ms > t->server->timeout_ms;
    return t->stopped || t->timed_out;
}

/* ---- what curl is told ---- */

static void write_login(const struct transfer *t)
{
    const struct mr_smtp_server *server = t->server;
    const char *password = server->password ? server->password : "";

    if (!server->username)
        return;
    curl_easy_setopt(t->easy, CURLOPT_USERNAME, server->username);
    if (server->bearer)
        curl_easy_setopt(t->easy, CURLOPT_XOAUTH2_BEARER, password);
    else
        curl_easy_setopt(t->easy, CURLOPT_PASSWORD, password);
    if (server->login_options)
        curl_easy_setopt(t->easy, CURLOPT_LOGIN_OPTIONS, server->login_options);
}

static void write_server(const struct transfer *t)
{
    const struct mr_smtp_server *server = t->server;

    curl_easy_setopt(t->easy, CURLOPT_URL, server->url);
    curl_easy_setopt(t->easy, CURLOPT_USE_SSL, server->use_ssl);
    curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2); /* at least */
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)server->connect_timeout_ms);
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)server->timeout_ms);
    if (server->ca_file)
        curl_easy_setopt(t->easy, CURLOPT_CAINFO, server->ca_file);
    write_login(t);
}

static void write_callbacks(struct transfer *t)
{
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_line);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_let_in);
    curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, on_wanted);
    curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(t->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(t->easy, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->why);
}

static void write_mail(struct transfer *t)
{
    const struct mr_smtp_mail *mail = t->mail;

    for (unsigned i = 0; i < mail->n_recipients; i++)
        t->recipients = curl_slist_append(t->recipients, mail->recipients[i]);
    curl_easy_setopt(t->easy, CURLOPT_MAIL_FROM, mail->sender);
    curl_easy_setopt(t->easy, CURLOPT_MAIL_RCPT, t->recipients);
    curl_easy_setopt(t->easy, RCPT_ALLOWFAILS, 1L);
    curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
    /* Announced by SIZE, so that a server may refuse it before it travels. */
    curl_easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)mail->message.len);
}

/* ---- how it ended ---- */

static bool was_reused(CURL *easy)
{
    long n_connects = 1;

    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &n_connects);
    return n_connects == 0;
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
    if (t->timed_out)
        return "timeout";
    return *t->why ? t->why : curl_easy_strerror(result);
}

static void conclude(struct transfer *t, CURLcode result, struct mr_smtp_result *out)
{
    struct mr_buf reason = {0};
    struct mr_smtp_facts facts = {
        .result = result,
        .why = why(t, result),
        .reused = was_reused(t->easy),
        .stopped = t->stopped,
    };

    out->end = mr_smtp_judge(&t->dialogue, &facts, &reason);
    out->connected = !facts.reused;
    out->reason = reason.at ? mr_mask_addresses(reason.at) : NULL;
    out->recipients = t->dialogue.recipients;
    out->n_recipients = t->dialogue.n_recipients;
    for (unsigned i = 0; i < out->n_recipients; i++)
        mask(&out->recipients[i]);
    mr_buf_fini(&reason);
}

void mr_smtp_transfer(CURL *easy, const struct mr_smtp_server *server,
                      const struct mr_smtp_mail *mail, const struct mr_smtp_stop *stop,
                      struct mr_smtp_result *out)
{
    struct transfer t = {
        .easy = easy,
        .server = server,
        .mail = mail,
        .stop = stop,
        .started_at_ms = mr_clock_ms(),
    };

    mr_smtp_dialogue_init(&t.dialogue, mail->n_recipients);
    write_server(&t);
    write_callbacks(&t);
    write_mail(&t);
    conclude(&t, curl_easy_perform(easy), out);
    curl_slist_free_all(t.recipients);
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
