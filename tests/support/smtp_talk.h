/* One mail after the other to one relay, whose server plays a script: what became of the last one. */
#ifndef MR_TESTS_SMTP_TALK_H
#define MR_TESTS_SMTP_TALK_H

#include "jobs/email/relay.h"
#include "tests/support/smtp_scene.h"

enum { MR_SMTP_TALK_TIMEOUT_MS = 1200, MR_SMTP_TALK_CONNECT_MS = 600 };

/* What a server says. */
#define LATER "451 4.3.0 not now\r\n"
#define NO "550 5.1.1 no such user\r\n"
#define BYE "421 4.3.2 closing\r\n"
#define RCPTS(...) .rcpt = {__VA_ARGS__}

struct mr_smtp_talk {
    struct mr_smtp_scene scene;
    struct mr_relay *relay;
    json_t *options;
    /* Of the last mail. */
    enum mr_relay_turn turn;
    struct mr_smtp_result result;
    struct mr_relay_news news;
    uint64_t after_ms;
};

/* more: further options of the relay as JSON, or "". Two failures in a row open its circuit, for 300 ms. */
void mr_smtp_talk_start(struct mr_smtp_talk *talk, const struct mr_smtp_script *script,
                        const char *more);
void mr_smtp_talk_stop(struct mr_smtp_talk *talk);
/* A short mail to the first n of ann, bob and eve. told may be NULL: nobody tells it to stop. */
void mr_smtp_talk_send(struct mr_smtp_talk *talk, unsigned n, const struct mr_smtp_watch *told);
void mr_smtp_talk_post(struct mr_smtp_talk *talk, const struct mr_smtp_mail *mail,
                       const struct mr_smtp_watch *told);
/* A letter for each recipient: T taken, L later, R refused, ? unknown. Valid until the next call. */
const char *mr_smtp_talk_fates(const struct mr_smtp_talk *talk);
/* "answered", "put off", "away", "stale", "stopped" or "lost". */
const char *mr_smtp_talk_end(const struct mr_smtp_talk *talk);

#endif
