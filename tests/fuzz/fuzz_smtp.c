/* Any lines of a mail server: taken only where it said so, unknown only where it may have the message, and no address for people. */
#include "jobs/email/judge.h"
#include "jobs/email/mask.h"
#include "proto/base/mem.h"
#include "tests/fuzz/must.h"

#include <stdlib.h>
#include <string.h>

static const CURLcode results[] = {CURLE_OK, CURLE_SEND_ERROR, CURLE_OPERATION_TIMEDOUT,
                                   CURLE_LOGIN_DENIED, CURLE_USE_SSL_FAILED};

static void check_mask(const char *text)
{
    char *masked = mr_mask_addresses(text);

    for (const char *at = masked; (at = strchr(at, '@')); at++)
        must(at - masked >= 3 && memcmp(at - 3, "***", 3) == 0);
    free(masked);
}

static void check_recipient(const struct mr_smtp_dialogue *d, unsigned i, enum mr_smtp_end end)
{
    const struct mr_smtp_recipient *recipient = &d->recipients[i];
    bool good = recipient->code >= 200 && recipient->code < 300;
    bool has_message = d->answered == MR_SMTP_BODY || d->answered == MR_SMTP_ANSWER;

    must((recipient->fate == MR_SMTP_TAKEN) == (recipient->said == NULL));
    must(recipient->fate != MR_SMTP_TAKEN ||
         (good && end == MR_SMTP_ANSWERED && has_message && d->last.code / 100 == 2));
    must(recipient->fate != MR_SMTP_UNKNOWN || (good && end == MR_SMTP_LOST));
    must(recipient->fate == MR_SMTP_LATER || end == MR_SMTP_ANSWERED ||
         end == MR_SMTP_PUT_OFF || end == MR_SMTP_LOST);
}

static void check(const struct mr_smtp_dialogue *d, enum mr_smtp_end end,
                  const struct mr_buf *reason)
{
    unsigned n_taken = 0;

    for (unsigned i = 0; i < d->n_recipients; i++) {
        check_recipient(d, i, end);
        n_taken += d->recipients[i].fate == MR_SMTP_TAKEN;
    }
    must(n_taken == d->n_recipients || end == MR_SMTP_STALE || reason->len > 0);
    if (reason->len > 0)
        check_mask(reason->at);
}

/* A line that begins with "!" is ours: the server lets us in, or the message is handed over. */
static void play(struct mr_smtp_dialogue *d, struct mr_bytes script)
{
    while (script.len > 0) {
        const char *end = memchr(script.at, '\n', script.len);
        size_t len = end ? (size_t)(end - script.at) + 1 : script.len;

        if (script.at[0] != '!')
            mr_smtp_dialogue_line(d, (struct mr_bytes){script.at, len});
        else if (d->stage == MR_SMTP_GREETING)
            mr_smtp_dialogue_begin(d);
        else
            mr_smtp_dialogue_handed(d);
        script = (struct mr_bytes){script.at + len, script.len - len};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mr_smtp_dialogue d;
    struct mr_buf reason = {0};

    if (len < 1)
        return 0;
    struct mr_smtp_facts facts = {
        .result = results[(bytes[0] >> 4) % MR_COUNT(results)],
        .why = "libcurl's words",
        .reused = bytes[0] & 4,
        .stopped = bytes[0] & 8,
    };

    mr_smtp_dialogue_init(&d, 1 + (bytes[0] & 3));
    play(&d, (struct mr_bytes){(const char *)bytes + 1, len - 1});
    enum mr_smtp_end end = mr_smtp_judge(&d, &facts, &reason);
    check(&d, end, &reason);
    mr_buf_fini(&reason);
    mr_smtp_dialogue_fini(&d);
    return 0;
}
