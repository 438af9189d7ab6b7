/* The mail servers of the configuration, in order: a mail goes to the first that takes it. */
#ifndef MR_JOBS_EMAIL_RELAYS_H
#define MR_JOBS_EMAIL_RELAYS_H

#include "jobs/email/relay.h"

struct mr_host;
struct mr_relays;

/*
 * Reads the section email, borrowed as long as the relays live: its own url is the relay "default", those of email.relays follow. What
 * changes with a relay is logged and counted at host. MR_EINVAL: there is none.
 */
enum mr_code mr_relays_new(struct mr_host *host, const json_t *email, struct mr_relays **out,
                           struct mr_err *err);
void mr_relays_free(struct mr_relays *relays);

/*
 * As mr_relay_send. The next relay is asked where one is away or says "not now" before it had the message, and never after that.
 * MR_RELAY_SENT: out is what the last relay said that was reached, else the last that was tried. Any thread.
 */
enum mr_relay_turn mr_relays_send(struct mr_relays *relays, const struct mr_smtp_mail *mail,
                                  const struct mr_smtp_watch *watch, struct mr_smtp_result *out,
                                  uint64_t *out_after_ms);

#endif
