/* One mail server: how many connections it gets, and when it is passed over. */
#ifndef MR_JOBS_EMAIL_RELAY_H
#define MR_JOBS_EMAIL_RELAY_H

#include "jobs/email/transfer.h"
#include "jobs/services/circuit.h"
#include "proto/base/err.h"

#include <jansson.h>

/* What all relays have in common. */
struct mr_relay_rules {
    uint64_t timeout_ms, connect_timeout_ms;
    const char *ehlo; /* NULL: the host's name */
    struct mr_circuit_rule circuit;
};

struct mr_relay;

/*
 * options: what is written of one relay ({url, username, password, token_file, auth, tls, ca_file, connections}), checked;
 * borrowed as long as the relay lives, like name and rules. On the loop's thread.
 */
enum mr_code mr_relay_new(const char *name, const json_t *options,
                          const struct mr_relay_rules *rules, struct mr_relay **out,
                          struct mr_err *err);
/* Nobody may be using it. Waits for no server. */
void mr_relay_free(struct mr_relay *relay);
const char *mr_relay_name(const struct mr_relay *relay);

/* What a sender learns, and what became of the circuit with it. */
enum mr_relay_turn {
    MR_RELAY_SENT,    /* out says how it ended */
    MR_RELAY_PASSED,  /* it failed not long ago; out_after_ms: when somebody may ask again */
    MR_RELAY_BUSY,    /* no connection came free in time */
    MR_RELAY_STOPPED, /* told to stop while it waited for one */
};

struct mr_relay_news {
    bool changed; /* it was there and is away now, or the other way round */
    bool away;
    uint64_t passed_ms; /* away: for so long */
};

/*
 * Waits for one of the relay's connections, at most wait_ms and before any of the mail's own time runs, and sends mail over it; over a
 * fresh one where the old one turns out to be none. Any thread.
 */
enum mr_relay_turn mr_relay_send(struct mr_relay *relay, const struct mr_smtp_mail *mail,
                                 const struct mr_smtp_watch *watch, uint64_t wait_ms,
                                 struct mr_smtp_result *out, struct mr_relay_news *out_news,
                                 uint64_t *out_after_ms);

#endif
