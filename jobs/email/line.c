/*
 * Why libcurl, and why only for the way in: it has been through the TLS, SASL and name look-up of every server there is. What it makes of a mail
 * itself tells too little: no verdict for each recipient, a last answer that it waits for blocking, no PIPELINING (a mail costs four
 * round trips then, not two). With CONNECT_ONLY it hands over a connection that is encrypted and logged in.
 */
#include "jobs/email/line.h"

#include "proto/base/clock.h"
#include "proto/base/mem.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    ROOM = 32 << 10,  /* more than a TLS record: what curl has read, we have */
    LOOK_UP_MS = 200, /* so often somebody is asked whether to stop */
};

struct mr_smtp_line {
    CURL *easy;
    curl_socket_t fd;
    bool pipelining, size;
    size_t len; /* of bytes that no reply has taken yet */
    char bytes[ROOM];
};

/* What curl's callbacks need while it connects. */
struct opening {
    struct mr_smtp_line *line;
    struct mr_smtp_dialogue *dialogue;
    struct mr_smtp_time *time;
};

/* The answer to a message that is out is worth a little wait: without it, the mail is sent twice or held. */
static bool is_up(struct mr_smtp_time *time, const struct mr_smtp_dialogue *d)
{
    uint64_t now_ms = mr_clock_ms();
    bool asked = time->watch->asked && time->watch->asked(time->watch->arg);

    if (asked && time->stop_at_ms == 0)
        time->stop_at_ms = now_ms;
    time->stopped = asked && (d->stage != MR_SMTP_ANSWER ||
                              now_ms - time->stop_at_ms >= time->watch->patience_ms);
    time->timed_out = now_ms >= time->until_ms;
    return time->stopped || time->timed_out;
}

/* ---- the way in ---- */

static bool offers(struct mr_bytes line, const char *word)
{
    size_t len = strlen(word);

    return line.len > 4 + len && strncasecmp(line.at + 4, word, len) == 0 &&
           (unsigned char)line.at[4 + len] <= ' ';
}

/* A greeting begins anew, also the one behind STARTTLS: what was offered in clear does not count. */
static void note_offers(struct mr_smtp_line *line, struct mr_bytes said)
{
    if (said.len >= 3 && memcmp(said.at, "220", 3) == 0)
        line->pipelining = line->size = false;
    else if (offers(said, "PIPELINING"))
        line->pipelining = true;
    else if (offers(said, "SIZE"))
        line->size = true;
}

static size_t on_line(char *bytes, size_t size, size_t n, void *arg)
{
    struct opening *opening = arg;
    struct mr_bytes line = {bytes, size * n};

    note_offers(opening->line, line);
    return mr_smtp_dialogue_line(opening->dialogue, line) ? line.len : 0;
}

/* At least once a second. */
static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct opening *opening = arg;

    (void)down_total, (void)down, (void)up_total, (void)up;
    return is_up(opening->time, opening->dialogue);
}

static void write_login(CURL *easy, const struct mr_smtp_server *server)
{
    const char *password = server->password ? server->password : "";

    if (!server->username)
        return;
    curl_easy_setopt(easy, CURLOPT_USERNAME, server->username);
    if (server->bearer)
        curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, password);
    else
        curl_easy_setopt(easy, CURLOPT_PASSWORD, password);
    if (server->login_options)
        curl_easy_setopt(easy, CURLOPT_LOGIN_OPTIONS, server->login_options);
}

static void write_server(CURL *easy, const struct mr_smtp_server *server)
{
    curl_easy_setopt(easy, CURLOPT_URL, server->url);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name server that does not answer must not hold a job that was told to stop. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(easy, CURLOPT_USE_SSL, server->use_ssl);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2); /* at least */
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)server->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)server->timeout_ms);
    if (server->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, server->ca_file);
    write_login(easy, server);
}

static CURLcode connect_by_curl(struct opening *opening, char *why)
{
    CURL *easy = opening->line->easy;

    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, opening);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, opening);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
    CURLcode result = curl_easy_perform(easy);

    /* They end with this call; the handle stays. */
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, NULL);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    return result;
}

CURLcode mr_smtp_line_open(const struct mr_smtp_server *server, struct mr_smtp_dialogue *d,
                           struct mr_smtp_time *time, struct mr_smtp_line **out, char *why)
{
    struct mr_smtp_line *line = mr_zalloc(sizeof(*line));
    struct opening opening = {line, d, time};

    line->easy = curl_easy_init();
    if (!line->easy) {
        free(line);
        return CURLE_OUT_OF_MEMORY;
    }
    write_server(line->easy, server);
    CURLcode result = connect_by_curl(&opening, why);
    if (result == CURLE_OK)
        result = curl_easy_getinfo(line->easy, CURLINFO_ACTIVESOCKET, &line->fd);
    if (result != CURLE_OK) {
        curl_easy_cleanup(line->easy);
        free(line);
        return result;
    }
    mr_smtp_dialogue_begin(d);
    *out = line;
    return CURLE_OK;
}

/* curl itself says none on a connection that it handed over, so nobody waits for the answer. */
void mr_smtp_line_close(struct mr_smtp_line *line)
{
    size_t n;

    if (!line)
        return;
    curl_easy_send(line->easy, "QUIT\r\n", strlen("QUIT\r\n"), &n);
    curl_easy_cleanup(line->easy);
    free(line);
}

bool mr_smtp_line_has_pipelining(const struct mr_smtp_line *line)
{
    return line->pipelining;
}

bool mr_smtp_line_has_size(const struct mr_smtp_line *line)
{
    return line->size;
}

bool mr_smtp_line_is_quiet(const struct mr_smtp_line *line)
{
    return line->len == 0;
}

/* ---- bytes both ways ---- */

/* Until the socket is ready for it, or the mail's time is up. */
static CURLcode await(const struct mr_smtp_line *line, short events,
                      const struct mr_smtp_dialogue *d, struct mr_smtp_time *time)
{
    struct pollfd ready = {.fd = line->fd, .events = events};

    while (!is_up(time, d)) {
        uint64_t left_ms = time->until_ms - mr_clock_ms();

        if (poll(&ready, 1, left_ms < LOOK_UP_MS ? (int)left_ms : LOOK_UP_MS) > 0)
            return CURLE_OK;
    }
    return CURLE_OPERATION_TIMEDOUT;
}

CURLcode mr_smtp_line_write(struct mr_smtp_line *line, struct mr_bytes bytes,
                            const struct mr_smtp_dialogue *d, struct mr_smtp_time *time)
{
    while (bytes.len > 0) {
        size_t n = 0;
        CURLcode result = curl_easy_send(line->easy, bytes.at, bytes.len, &n);

        if (result == CURLE_AGAIN)
            result = await(line, POLLOUT, d, time);
        if (result != CURLE_OK)
            return result;
        bytes = (struct mr_bytes){bytes.at + n, bytes.len - n};
    }
    return CURLE_OK;
}

/* Hands over the lines that are there, up to the end of a reply; what is behind it stays. False: one has no end. */
static bool take_lines(struct mr_smtp_line *line, struct mr_smtp_dialogue *d)
{
    unsigned before = d->n_replies;
    size_t at = 0;
    bool good = true;

    for (const char *end; good && d->n_replies == before &&
                          (end = memchr(line->bytes + at, '\n', line->len - at));) {
        size_t len = (size_t)(end + 1 - line->bytes) - at;

        good = mr_smtp_dialogue_line(d, (struct mr_bytes){line->bytes + at, len});
        at += len;
    }
    line->len -= at;
    memmove(line->bytes, line->bytes + at, line->len);
    if (line->len == ROOM)
        d->endless = true;
    return good && line->len < ROOM;
}

CURLcode mr_smtp_line_hear(struct mr_smtp_line *line, struct mr_smtp_dialogue *d,
                           struct mr_smtp_time *time)
{
    unsigned before = d->n_replies;

    while (take_lines(line, d) && d->n_replies == before) {
        size_t n = 0;
        CURLcode result = await(line, POLLIN, d, time);

        if (result == CURLE_OK)
            result = curl_easy_recv(line->easy, line->bytes + line->len, ROOM - line->len, &n);
        if (result == CURLE_OK && n == 0)
            return CURLE_GOT_NOTHING;
        if (result != CURLE_OK && result != CURLE_AGAIN)
            return result;
        line->len += n;
    }
    return d->endless ? CURLE_WEIRD_SERVER_REPLY : CURLE_OK;
}
