#include "jobs/email/relay.h"

#include "jobs/email/token.h"
#include "jobs/services/members.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum {
    LOOK_UP_MS = 100, /* who waits looks so often whether it should stop */
    PROBED_MS = 500   /* who meets a relay that another one tries comes back so soon */
};

struct mr_relay {
    const char *name;
    const struct mr_relay_rules *rules;
    struct mr_smtp_server server;
    char *url;
    struct mr_token *token; /* NULL: the password is in server */
    unsigned connections;
    uv_mutex_t lock;
    uv_cond_t freed;            /* a connection, or the circuit */
    unsigned n_active;          /* under lock */
    struct mr_smtp_line **idle; /* under lock: a stack, so that few stay open */
    unsigned n_idle;            /* under lock */
    struct mr_circuit circuit;  /* under lock */
};

/* ---- what the configuration says ---- */

/* What a person wrote in the url goes, then tls. "tls" from the first byte is another scheme in libcurl's words. */
static char *url_of(const char *url, const char *tls, const char *ehlo)
{
    bool whole = strcmp(tls, "tls") == 0 || strncmp(url, "smtps://", 8) == 0;
    const char *rest = strstr(url, "://");

    rest = rest ? rest + 3 : url;
    return mr_asprintf("%s://%.*s/%s", whole ? "smtps" : "smtp", (int)strcspn(rest, "/"), rest,
                       ehlo ? ehlo : "");
}

static long use_ssl_of(const char *tls)
{
    if (strcmp(tls, "off") == 0)
        return CURLUSESSL_NONE;
    return strcmp(tls, "opportunistic") == 0 ? CURLUSESSL_TRY : CURLUSESSL_ALL;
}

static const char *login_options_of(const char *auth)
{
    static const struct {
        const char *auth, *option;
    } known[] = {
        {"plain",   "AUTH=PLAIN"  },
        {"login",   "AUTH=LOGIN"  },
        {"xoauth2", "AUTH=XOAUTH2"},
    };

    for (size_t i = 0; auth && i < MR_COUNT(known); i++)
        if (strcmp(known[i].auth, auth) == 0)
            return known[i].option;
    return NULL;
}

static void read_options(struct mr_relay *relay, const json_t *options)
{
    const char *tls = mr_members_text(options, "tls", NULL),
               *auth = mr_members_text(options, "auth", NULL);
    const char *token_file = mr_members_text(options, "token_file", NULL);

    tls = tls ? tls : "starttls"; /* in clear only where somebody asked for it */
    relay->url = url_of(mr_members_text(options, "url", NULL), tls, relay->rules->ehlo);
    relay->connections = (unsigned)mr_members_number(options, "connections", 4);
    relay->token = token_file ? mr_token_new(token_file) : NULL;
    relay->server = (struct mr_smtp_server){
        .url = relay->url,
        .use_ssl = use_ssl_of(tls),
        .username = mr_members_text(options, "username", NULL),
        .password = mr_members_text(options, "password", NULL),
        .login_options = login_options_of(auth),
        .bearer = auth && strcmp(auth, "xoauth2") == 0,
        .ca_file = mr_members_text(options, "ca_file", NULL),
        .connect_timeout_ms = relay->rules->connect_timeout_ms,
        .timeout_ms = relay->rules->timeout_ms,
    };
}

enum mr_code mr_relay_new(const char *name, const json_t *options,
                          const struct mr_relay_rules *rules, struct mr_relay **out,
                          struct mr_err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return mr_fail(err, MR_EIO, "libcurl could not be initialised");
    struct mr_relay *relay = mr_zalloc(sizeof(*relay));
    relay->name = name;
    relay->rules = rules;
    read_options(relay, options);
    relay->idle = mr_zalloc_array(relay->connections, sizeof(*relay->idle));
    uv_mutex_init(&relay->lock);
    uv_cond_init(&relay->freed);
    *out = relay;
    return MR_OK;
}

void mr_relay_free(struct mr_relay *relay)
{
    if (!relay)
        return;
    while (relay->n_idle > 0)
        mr_smtp_line_close(relay->idle[--relay->n_idle]);
    curl_global_cleanup();
    free(relay->idle);
    mr_token_free(relay->token);
    uv_cond_destroy(&relay->freed);
    uv_mutex_destroy(&relay->lock);
    free(relay->url);
    free(relay);
}

const char *mr_relay_name(const struct mr_relay *relay)
{
    return relay->name;
}

/* ---- a turn ---- */

/* Somebody's turn, from the question to the answer. */
struct turn {
    struct mr_relay *relay;
    const struct mr_smtp_watch *watch;
    uint64_t until_ms;         /* it waits */
    bool probe;                /* it asks for all */
    struct mr_smtp_line *line; /* an idle one, NULL where there is none */
};

static uint64_t passed_for_ms(const struct mr_relay *relay, uint64_t now_ms)
{
    uint64_t until_ms = relay->circuit.until_at_ms;

    return until_ms > now_ms ? until_ms - now_ms : 1;
}

/* Under lock; MR_RELAY_SENT: it is this one's turn. */
static enum mr_relay_turn await_turn(struct turn *turn, uint64_t *out_after_ms)
{
    struct mr_relay *relay = turn->relay;

    for (;;) {
        uint64_t now_ms = mr_clock_ms();
        enum mr_circuit_gate gate =
            mr_circuit_gate(&relay->circuit, &relay->rules->circuit, now_ms);

        if (gate == MR_CIRCUIT_SHUT) {
            *out_after_ms = passed_for_ms(relay, now_ms);
            return MR_RELAY_PASSED;
        }
        if (gate == MR_CIRCUIT_WAIT) { /* the one that asks tells soon */
            *out_after_ms = PROBED_MS;
            return MR_RELAY_PASSED;
        }
        if (relay->n_active < relay->connections)
            break;
        if (turn->watch->asked && turn->watch->asked(turn->watch->arg))
            return MR_RELAY_STOPPED;
        if (now_ms >= turn->until_ms)
            return MR_RELAY_BUSY;
        uv_cond_timedwait(&relay->freed, &relay->lock, LOOK_UP_MS * UINT64_C(1000000));
    }
    relay->n_active++;
    if (relay->n_idle > 0)
        turn->line = relay->idle[--relay->n_idle];
    turn->probe = mr_circuit_begin(&relay->circuit, &relay->rules->circuit);
    return MR_RELAY_SENT;
}

/* What a mail's end says of the relay. One that takes messages and does not answer costs each mail as much time as one that is away. */
static enum mr_circuit_result circuit_result(const struct mr_smtp_result *result)
{
    switch (result->end) {
    case MR_SMTP_AWAY:
    case MR_SMTP_LOST:
        return result->stopped ? MR_CIRCUIT_NOTHING : MR_CIRCUIT_BAD;
    case MR_SMTP_ANSWERED:
    case MR_SMTP_PUT_OFF:
        return MR_CIRCUIT_GOOD;
    default:
        return MR_CIRCUIT_NOTHING;
    }
}

static void end_turn(const struct turn *turn, const struct mr_smtp_result *result,
                     struct mr_relay_news *out_news)
{
    struct mr_relay *relay = turn->relay;
    uint64_t now_ms = mr_clock_ms();

    uv_mutex_lock(&relay->lock);
    relay->n_active--;
    if (turn->line)
        relay->idle[relay->n_idle++] = turn->line;
    out_news->changed = mr_circuit_end(&relay->circuit, &relay->rules->circuit, turn->probe,
                                       circuit_result(result), now_ms);
    out_news->away = relay->circuit.state != MR_CIRCUIT_CLOSED;
    out_news->passed_ms = out_news->away ? passed_for_ms(relay, now_ms) : 0;
    uv_mutex_unlock(&relay->lock);
    uv_cond_signal(&relay->freed); /* whom it wakes finds the lock free */
}

/* An old connection may be gone without anybody's fault; a fresh one shows what the relay is worth, in the time that is left. */
static void send_mail(struct turn *turn, const struct mr_smtp_mail *mail,
                      struct mr_smtp_result *out)
{
    struct mr_relay *relay = turn->relay;
    struct mr_smtp_server server = relay->server;
    char *token = relay->token ? mr_token_read(relay->token) : NULL;
    uint64_t from_ms = mr_clock_ms();

    if (relay->token && !token) {
        mr_smtp_result_init(out, mail, MR_SMTP_AWAY, "email.token_file cannot be read");
        return;
    }
    if (token)
        server.password = token;
    mr_smtp_transfer(&turn->line, &server, mail, turn->watch, out);
    if (out->end == MR_SMTP_STALE) {
        uint64_t gone_ms = mr_clock_ms() - from_ms;

        server.timeout_ms -= gone_ms < server.timeout_ms ? gone_ms : server.timeout_ms - 1;
        mr_smtp_result_fini(out);
        mr_smtp_transfer(&turn->line, &server, mail, turn->watch, out);
    }
    free(token);
}

enum mr_relay_turn mr_relay_send(struct mr_relay *relay, const struct mr_smtp_mail *mail,
                                 const struct mr_smtp_watch *watch, uint64_t wait_ms,
                                 struct mr_smtp_result *out, struct mr_relay_news *out_news,
                                 uint64_t *out_after_ms)
{
    struct turn turn = {.relay = relay, .watch = watch, .until_ms = mr_clock_ms() + wait_ms};

    uv_mutex_lock(&relay->lock);
    enum mr_relay_turn got = await_turn(&turn, out_after_ms);
    uv_mutex_unlock(&relay->lock);
    if (got != MR_RELAY_SENT)
        return got;
    send_mail(&turn, mail, out);
    end_turn(&turn, out, out_news);
    return MR_RELAY_SENT;
}
