/*
 * email.send: one mail over SMTP. 4xx answers are tried again, 5xx ones are for good, and nothing else is called either.
 */
#include "jobs/email/from_template.h"
#include "jobs/email/mail.h"
#include "jobs/services/curl_pool.h"
#include "jobs/services/template_store.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "worker/handler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Module state: where mail goes. Strings are borrowed from the configuration, but the url. */
struct relay {
    struct mr_curl_pool *lines;
    struct mr_template_store *templates;
    char *url;
    const char *from, *username, *password, *ca_file;
    long use_ssl;
    long timeout_ms;
};

/* One mail on its way, on a thread of its own. */
struct sending {
    const struct relay *relay;
    struct mr_job *job;
    CURL *easy;
    struct mr_mail mail;
    struct curl_slist *recipients, *headers;
    curl_mime *mime;
    char answer[512]; /* the last line with which the server said no */
    char trouble[CURL_ERROR_SIZE];
};

static const char *text_of(json_t *config, const char *name)
{
    return json_string_value(json_object_get(config, name));
}

/* What a person wrote in the url goes, then email.tls. "tls" from the first byte is another scheme in libcurl's words. */
static char *url_of(const char *url, const char *tls, const char *ehlo)
{
    bool whole = strcmp(tls, "tls") == 0 || strncmp(url, "smtps://", 8) == 0;
    const char *rest = strstr(url, "://");

    rest = rest ? rest + 3 : url;
    return mr_asprintf("%s://%.*s/%s", whole ? "smtps" : "smtp", (int)strcspn(rest, "/"), rest,
                       ehlo ? ehlo : "");
}

static enum mr_code open_relay(struct mr_host *host, void **out_state, struct mr_err *err)
{
    json_t *config = mr_host_config(host, "email");
    const char *tls = config ? text_of(config, "tls") : NULL;
    struct mr_curl_pool *lines;

    if (!config || !text_of(config, "url"))
        return mr_fail(err, MR_EINVAL,
                       "email.url is not configured: no server to send mail to");
    enum mr_code code = mr_curl_pool_new(&lines, err);
    if (code != MR_OK)
        return code;
    struct relay *relay = mr_zalloc(sizeof(*relay));
    json_int_t timeout_ms = json_integer_value(json_object_get(config, "timeout_ms"));

    tls = tls ? tls : "starttls"; /* in clear only where somebody asked for it */
    relay->lines = lines;
    relay->templates = mr_template_store_new(text_of(mr_host_config(host, "templates"), "dir"));
    relay->url = url_of(text_of(config, "url"), tls, text_of(config, "ehlo"));
    relay->from = text_of(config, "from");
    relay->username = text_of(config, "username");
    relay->password = text_of(config, "password");
    relay->ca_file = text_of(config, "ca_file");
    relay->use_ssl = strcmp(tls, "off") == 0 ? CURLUSESSL_NONE : CURLUSESSL_ALL;
    relay->timeout_ms = timeout_ms > 0 ? (long)timeout_ms : 30000;
    *out_state = relay;
    return MR_OK;
}

static void close_relay(void *state)
{
    struct relay *relay = state;

    mr_curl_pool_free(relay->lines);
    mr_template_store_free(relay->templates);
    free(relay->url);
    free(relay);
}

/* ---- one mail ---- */

static void sending_fini(struct sending *s)
{
    mr_curl_pool_give(s->relay->lines, s->easy);
    curl_mime_free(s->mime);
    curl_slist_free_all(s->recipients);
    curl_slist_free_all(s->headers);
    mr_mail_fini(&s->mail);
}

/* Answers in the SMTP dialogue come through here; the last refusal is what a person wants to read. */
static size_t on_line(char *bytes, size_t size, size_t n, void *arg)
{
    struct sending *s = arg;
    size_t len = size * n;

    if (len > 3 && (bytes[0] == '4' || bytes[0] == '5')) {
        size_t kept = len < sizeof(s->answer) - 1 ? len : sizeof(s->answer) - 1;

        while (kept > 0 && (unsigned char)bytes[kept - 1] <= ' ')
            kept--;
        memcpy(s->answer, bytes, kept);
        s->answer[kept] = '\0';
    }
    return len;
}

static void add_part(curl_mime *mime, const char *text, const char *type)
{
    curl_mimepart *part = curl_mime_addpart(mime);

    curl_mime_data(part, text, CURL_ZERO_TERMINATED);
    curl_mime_type(part, type);
    curl_mime_encoder(part, "quoted-printable");
}

/* The two are one text twice: the reader's program shows the last that it understands. */
static void add_bodies(struct sending *s)
{
    bool both = s->mail.text && s->mail.html;
    curl_mime *bodies = both ? curl_mime_init(s->easy) : s->mime;

    if (s->mail.text)
        add_part(bodies, s->mail.text, "text/plain; charset=utf-8");
    if (s->mail.html)
        add_part(bodies, s->mail.html, "text/html; charset=utf-8");
    if (both) {
        curl_mimepart *part = curl_mime_addpart(s->mime);

        curl_mime_subparts(part, bodies);
        curl_mime_type(part, "multipart/alternative");
    }
}

static void write_message(struct sending *s)
{
    s->mime = curl_mime_init(s->easy);
    add_bodies(s);
    for (unsigned i = 0; i < s->mail.n_headers; i++)
        s->headers = curl_slist_append(s->headers, s->mail.headers[i]);
    for (unsigned i = 0; i < s->mail.n_recipients; i++)
        s->recipients = curl_slist_append(s->recipients, s->mail.recipients[i]);
    curl_easy_setopt(s->easy, CURLOPT_MIMEPOST, s->mime);
    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->headers);
    curl_easy_setopt(s->easy, CURLOPT_MAIL_FROM, s->mail.sender);
    curl_easy_setopt(s->easy, CURLOPT_MAIL_RCPT, s->recipients);
}

/* curl asks at least once a second, wherever it waits. */
static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    const struct sending *s = arg;

    (void)down_total, (void)down, (void)up_total, (void)up;
    return mr_job_cancelled(s->job);
}

static void write_options(struct sending *s)
{
    const struct relay *relay = s->relay;

    curl_easy_setopt(s->easy, CURLOPT_URL, relay->url);
    curl_easy_setopt(s->easy, CURLOPT_USE_SSL, relay->use_ssl);
    curl_easy_setopt(s->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2); /* at least */
    /* The job's own deadline, where that is sooner, makes it cancelled. */
    curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, relay->timeout_ms);
    curl_easy_setopt(s->easy, CURLOPT_HEADERFUNCTION, on_line);
    curl_easy_setopt(s->easy, CURLOPT_HEADERDATA, s);
    curl_easy_setopt(s->easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(s->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(s->easy, CURLOPT_XFERINFODATA, s);
    curl_easy_setopt(s->easy, CURLOPT_ERRORBUFFER, s->trouble);
    curl_easy_setopt(s->easy, CURLOPT_UPLOAD, 1L);
    if (relay->username) {
        curl_easy_setopt(s->easy, CURLOPT_USERNAME, relay->username);
        curl_easy_setopt(s->easy, CURLOPT_PASSWORD, relay->password ? relay->password : "");
    }
    if (relay->ca_file)
        curl_easy_setopt(s->easy, CURLOPT_CAINFO, relay->ca_file);
}

/* 530, 534, 535, 538: the server wants to know us better. That is for an operator to mend, and no fault of the mail. */
static bool is_about_login(long response)
{
    return response == 530 || response == 534 || response == 535 || response == 538;
}

/* No to MAIL, RCPT, DATA or the message; before those the server spoke of itself, or of us. */
static bool is_about_mail(const struct sending *s, CURLcode result, long response)
{
    curl_off_t uploaded = 0;

    curl_easy_getinfo(s->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    return (result == CURLE_SEND_ERROR || uploaded > 0) && !is_about_login(response);
}

/*
 * ok, refused or unknown. A connection that broke after the message may have delivered it: the mail is tried again with the
 * same Message-ID, since a mail twice hurts less than none (RFC 5321, 4.2.5 and 6.1).
 */
static struct mr_outcome judge(const struct sending *s, CURLcode result)
{
    const char *why = *s->trouble ? s->trouble : curl_easy_strerror(result);
    long response = 0;

    if (result == CURLE_OK)
        return mr_outcome_done();
    if (result == CURLE_ABORTED_BY_CALLBACK)
        return mr_outcome_retry("told to stop before the mail server had answered");
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &response);
    if (result == CURLE_LOGIN_DENIED || is_about_login(response))
        return mr_outcome_retry("the mail server does not let us in (email.tls, "
                                "email.username, email.password): %s",
                                *s->answer ? s->answer : why);
    if (response >= 500 && *s->answer && is_about_mail(s, result, response))
        return mr_outcome_fail("the mail server refused it for good: %s", s->answer);
    if (response >= 400 && *s->answer)
        return mr_outcome_retry("the mail server refused it for now: %s", s->answer);
    if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_USE_SSL_FAILED ||
        result == CURLE_SSL_CONNECT_ERROR || result == CURLE_SSL_CACERT_BADFILE)
        return mr_outcome_retry(
            "no trusted TLS with the mail server (email.tls, email.ca_file): %s", why);
    return mr_outcome_retry("the mail server could not be reached or went away: %s", why);
}

/* The mail that data asks for. */
static enum mr_code read_mail(struct sending *s, json_t *data, struct mr_err *err)
{
    json_t *whole = NULL;
    enum mr_code code = mr_mail_from_template(data, s->relay->templates, &whole, err);

    if (code == MR_OK)
        code = mr_mail_read(whole, s->relay->from, mr_job_uuid(s->job), mr_clock_wall_ms(),
                            &s->mail, err);
    json_decref(whole);
    return code;
}

static struct mr_outcome run(void *state, struct mr_job *job)
{
    struct sending s = {.relay = state, .job = job};
    struct mr_err err;
    json_t *data = mr_job_data(job, &err);
    enum mr_code code = data ? read_mail(&s, data, &err) : MR_EINVAL;

    /* A template that is missing or wrong can be mended while the job waits. */
    if (code != MR_OK)
        return code == MR_EINVAL ? mr_outcome_fail("%s", err.text)
                                 : mr_outcome_retry("%s", err.text);
    s.easy = mr_curl_pool_take(s.relay->lines);
    if (!s.easy) {
        mr_mail_fini(&s.mail);
        return mr_outcome_retry("libcurl gives no handle for the mail");
    }
    write_options(&s);
    write_message(&s);
    struct mr_outcome outcome = judge(&s, curl_easy_perform(s.easy));
    sending_fini(&s);
    return outcome;
}

static const struct mr_handler email_send = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "email.send",
    .open = open_relay,
    .close = close_relay,
    .run = run,
};

const struct mr_handler *const mr_handlers[] = {&email_send, NULL};
