#include "jobs/email/relays.h"

#include "jobs/services/members.h"
#include "proto/base/mem.h"
#include "worker/handler.h"

#include <stdlib.h>

/* Who waits longer for a connection gives its thread to other jobs, and comes back. */
enum { WAIT_MS = 5000 };

struct mr_relays {
    struct mr_host *host;
    struct mr_relay_rules rules;
    struct mr_relay **all; /* in order */
    unsigned n;
};

static void read_rules(struct mr_relay_rules *rules, const json_t *email)
{
    const json_t *circuit = json_object_get(email, "circuit");
    const json_t *failures = json_object_get(circuit, "failures");

    rules->timeout_ms = (uint64_t)mr_members_number(email, "timeout_ms", 30000);
    rules->connect_timeout_ms = (uint64_t)mr_members_number(email, "connect_timeout_ms", 10000);
    rules->ehlo = json_string_value(json_object_get(email, "ehlo"));
    rules->circuit.failures = failures ? (unsigned)json_integer_value(failures) : 3;
    rules->circuit.open_ms = (uint64_t)mr_members_number(circuit, "open_for_ms", 10000);
}

static enum mr_code add(struct mr_relays *relays, const char *name, const json_t *options,
                        struct mr_err *err)
{
    struct mr_relay *relay;
    enum mr_code code = mr_relay_new(name, options, &relays->rules, &relay, err);

    if (code != MR_OK)
        return code;
    relays->all = mr_realloc(relays->all, (relays->n + 1) * sizeof(struct mr_relay *));
    relays->all[relays->n++] = relay;
    return MR_OK;
}

static enum mr_code add_all(struct mr_relays *relays, const json_t *email, struct mr_err *err)
{
    enum mr_code code = MR_OK;
    const char *name;
    json_t *options;

    if (json_object_get(email, "url"))
        code = add(relays, "default", email, err);
    json_object_foreach(json_object_get(email, "relays"), name, options)
    {
        if (code == MR_OK)
            code = add(relays, name, options, err);
    }
    if (code == MR_OK && relays->n == 0)
        code =
            mr_fail(err, MR_EINVAL, "email.url is not configured: no server to send mail to");
    return code;
}

enum mr_code mr_relays_new(struct mr_host *host, const json_t *email, struct mr_relays **out,
                           struct mr_err *err)
{
    struct mr_relays *relays = mr_zalloc(sizeof(*relays));

    relays->host = host;
    read_rules(&relays->rules, email);
    enum mr_code code = add_all(relays, email, err);
    if (code != MR_OK) {
        mr_relays_free(relays);
        return code;
    }
    *out = relays;
    return MR_OK;
}

void mr_relays_free(struct mr_relays *relays)
{
    if (!relays)
        return;
    for (unsigned i = 0; i < relays->n; i++)
        mr_relay_free(relays->all[i]);
    free(relays->all);
    free(relays);
}

/* ---- one mail ---- */

static void tell(const struct mr_relays *relays, const struct mr_relay *relay,
                 const struct mr_smtp_result *result, const struct mr_relay_news *news)
{
    if (result->end == MR_SMTP_AWAY)
        mr_host_counter(relays->host, "email_relay_failed", 1);
    if (result->end == MR_SMTP_LOST && !result->stopped)
        mr_host_counter(relays->host, "email_relay_silent", 1);
    if (!news->changed)
        return;
    mr_host_counter(relays->host, news->away ? "email_circuit_opened" : "email_circuit_closed",
                    1);
    mr_host_gauge(relays->host, "email_circuits_open", news->away ? 1 : -1);
    if (news->away)
        mr_host_log(relays->host, 1, "email.circuit_opened", "relay=%s open_ms=%llu reason=%s",
                    mr_relay_name(relay), (unsigned long long)news->passed_ms, result->reason);
    else
        mr_host_log(relays->host, 2, "email.circuit_closed", "relay=%s", mr_relay_name(relay));
}

static bool may_ask_another(const struct mr_smtp_result *result)
{
    return result->end == MR_SMTP_AWAY || result->end == MR_SMTP_PUT_OFF;
}

/* What a relay that was reached said tells more than that another one was not. Takes fresh. */
static void keep_better(struct mr_smtp_result *kept, bool has_kept,
                        const struct mr_smtp_result *fresh)
{
    struct mr_smtp_result other = *fresh;

    if (has_kept && kept->end == MR_SMTP_PUT_OFF && other.end == MR_SMTP_AWAY) {
        mr_smtp_result_fini(&other);
        return;
    }
    if (has_kept)
        mr_smtp_result_fini(kept);
    *kept = other;
}

/* Of several, a person wants to know which. */
static void name_relay(const struct mr_relays *relays, const struct mr_relay *relay,
                       struct mr_smtp_result *result)
{
    if (relays->n == 1 || !result->reason)
        return;
    char *reason = mr_asprintf("relay %s: %s", mr_relay_name(relay), result->reason);

    free(result->reason);
    result->reason = reason;
}

enum mr_relay_turn mr_relays_send(struct mr_relays *relays, const struct mr_smtp_mail *mail,
                                  const struct mr_smtp_watch *watch, struct mr_smtp_result *out,
                                  uint64_t *out_after_ms)
{
    enum mr_relay_turn turn = MR_RELAY_PASSED;
    bool asked = false;

    *out_after_ms = UINT64_MAX;
    for (unsigned i = 0; i < relays->n; i++) {
        struct mr_relay *relay = relays->all[i];
        struct mr_smtp_result result = {0};
        struct mr_relay_news news = {0};
        uint64_t after_ms = UINT64_MAX;

        turn = mr_relay_send(relay, mail, watch, WAIT_MS, &result, &news, &after_ms);
        if (turn == MR_RELAY_BUSY || turn == MR_RELAY_STOPPED)
            break;
        if (turn == MR_RELAY_PASSED) {
            *out_after_ms = after_ms < *out_after_ms ? after_ms : *out_after_ms;
            continue;
        }
        tell(relays, relay, &result, &news);
        name_relay(relays, relay, &result);
        if (asked || i > 0)
            mr_host_counter(relays->host, "email_failed_over", 1);
        keep_better(out, asked, &result);
        asked = true;
        if (!may_ask_another(out))
            break;
    }
    return asked ? MR_RELAY_SENT : turn;
}
