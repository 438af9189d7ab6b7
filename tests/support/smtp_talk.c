#include "tests/support/smtp_talk.h"

#include "proto/base/mem.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct mr_relay_rules rules = {
    .timeout_ms = MR_SMTP_TALK_TIMEOUT_MS,
    .connect_timeout_ms = MR_SMTP_TALK_CONNECT_MS,
    .circuit = {.failures = 2, .open_ms = 300}
};
static const char *const recipients[] = {"ann@example.org", "bob@example.org",
                                         "eve@example.org"};
static const struct mr_smtp_watch never = {0};

void mr_smtp_talk_start(struct mr_smtp_talk *talk, const struct mr_smtp_script *script,
                        const char *more)
{
    *talk = (struct mr_smtp_talk){0};
    mr_smtp_scene_start(&talk->scene, script);
    char *text = mr_asprintf("{\"url\": \"smtp://127.0.0.1:%d\"%s%s}", talk->scene.port,
                             *more ? ", " : "", more);
    talk->options = json_loads(text, 0, NULL);
    ck_assert_msg(talk->options != NULL, "the test's own JSON is wrong: %s", text);
    free(text);
    ck_assert_int_eq(mr_relay_new("r", talk->options, &rules, &talk->relay, NULL), MR_OK);
}

void mr_smtp_talk_stop(struct mr_smtp_talk *talk)
{
    mr_smtp_result_fini(&talk->result);
    mr_relay_free(talk->relay);
    mr_smtp_scene_stop(&talk->scene);
    json_decref(talk->options);
}

void mr_smtp_talk_post(struct mr_smtp_talk *talk, const struct mr_smtp_mail *mail,
                       const struct mr_smtp_watch *told)
{
    mr_smtp_result_fini(&talk->result);
    talk->news = (struct mr_relay_news){0};
    talk->turn = mr_relay_send(talk->relay, mail, told ? told : &never, 1000, &talk->result,
                               &talk->news, &talk->after_ms);
}

void mr_smtp_talk_send(struct mr_smtp_talk *talk, unsigned n, const struct mr_smtp_watch *told)
{
    static const char message[] = "Subject: s\r\n\r\n.t\r\n";
    const struct mr_smtp_mail mail = {
        .sender = "shop@example.org",
        .recipients = recipients,
        .n_recipients = n,
        .message = {message, strlen(message)},
    };

    mr_smtp_talk_post(talk, &mail, told);
}

const char *mr_smtp_talk_fates(const struct mr_smtp_talk *talk)
{
    static char letters[8];

    ck_assert_uint_lt(talk->result.n_recipients, sizeof(letters));
    for (unsigned i = 0; i < talk->result.n_recipients; i++)
        letters[i] = "LTR?"[talk->result.recipients[i].fate];
    letters[talk->result.n_recipients] = '\0';
    return letters;
}

const char *mr_smtp_talk_end(const struct mr_smtp_talk *talk)
{
    static const char *const names[] = {"answered", "put off", "away",
                                        "stale",    "stopped", "lost"};

    return names[talk->result.end];
}
