#include "proto/replies.h"

#include "proto/base/mem.h"

#include <string.h>

struct rule {
    const char *prefix; /* of the error's text; the longest that fits counts */
    enum mr_redis_action action;
    enum mr_code code;
};

/* "OOM" as a row of its own, since callers ask for it by name. */
#define FULL "OOM "

/* clang-format off */
static const struct rule rules[] = {
    /* The lease was lost: the fence. */
    {"ERR index out of range",           MR_REDIS_FENCE,     MR_EFENCED},
    {"ERR no such key",                  MR_REDIS_FENCE,     MR_EFENCED},
    {"WRONGTYPE ",                       MR_REDIS_FENCE,     MR_EFENCED},

    {"NOSCRIPT ",                        MR_REDIS_LOAD,      MR_EREFUSED},

    /* Not now; nothing was done. */
    {FULL,                               MR_REDIS_RETRY,     MR_EREFUSED},
    {"BUSY ",                            MR_REDIS_RETRY,     MR_EREFUSED},
    {"CLUSTERDOWN ",                     MR_REDIS_RETRY,     MR_EREFUSED},
    {"ERR max number of clients",        MR_REDIS_RETRY,     MR_EREFUSED},
    {"LOADING ",                         MR_REDIS_RETRY,     MR_EREFUSED},
    {"MISCONF ",                         MR_REDIS_RETRY,     MR_EREFUSED},
    {"NOREPLICAS ",                      MR_REDIS_RETRY,     MR_EREFUSED},
    {"TRYAGAIN ",                        MR_REDIS_RETRY,     MR_EREFUSED},

    /* Not here; nothing was done. */
    {"ASK ",                             MR_REDIS_RERESOLVE, MR_EREFUSED},
    {"MASTERDOWN ",                      MR_REDIS_RERESOLVE, MR_EREFUSED},
    {"MOVED ",                           MR_REDIS_RERESOLVE, MR_EREFUSED},
    {"READONLY ",                        MR_REDIS_RERESOLVE, MR_EREFUSED},
    {"UNBLOCKED ",                       MR_REDIS_RERESOLVE, MR_EREFUSED},

    /* Not as configured; nothing was done, and asking again will not help. */
    {"CROSSSLOT ",                       MR_REDIS_STOP,      MR_EFAULT},
    {"DENIED ",                          MR_REDIS_STOP,      MR_EFAULT},
    {"ERR AUTH ",                        MR_REDIS_STOP,      MR_EFAULT},
    {"ERR DB index is out of range",     MR_REDIS_STOP,      MR_EFAULT},
    {"ERR unknown command",              MR_REDIS_STOP,      MR_EFAULT},
    {"ERR unknown subcommand",           MR_REDIS_STOP,      MR_EFAULT},
    {"ERR wrong number of arguments",    MR_REDIS_STOP,      MR_EFAULT},
    {"NOAUTH ",                          MR_REDIS_STOP,      MR_EFAULT},
    {"NOPERM ",                          MR_REDIS_STOP,      MR_EFAULT},
    {"WRONGPASS ",                       MR_REDIS_STOP,      MR_EFAULT},

    /* What our own scripts say before their first write. */
    {"MISTYPE ",                         MR_REDIS_STOP,      MR_EFAULT},
};
/* clang-format on */

static const struct rule unknown = {"", MR_REDIS_UNKNOWN, MR_EUNKNOWN};

static const struct rule *find(const char *text)
{
    const struct rule *best = &unknown;
    size_t best_len = 0;

    for (size_t i = 0; i < MR_COUNT(rules); i++) {
        size_t len = strlen(rules[i].prefix);

        if (len > best_len && strncmp(text, rules[i].prefix, len) == 0) {
            best = &rules[i];
            best_len = len;
        }
    }
    return best;
}

/* Redis adds this to what a command inside a script answered; by then the script may have written. */
static bool from_inside_a_script(const char *text)
{
    return strstr(text, " script: ") != NULL;
}

struct mr_redis_verdict mr_replies_classify(const redisReply *reply)
{
    if (!reply)
        return (struct mr_redis_verdict){MR_REDIS_UNKNOWN, MR_EUNKNOWN, false};
    if (reply->type != REDIS_REPLY_ERROR)
        return (struct mr_redis_verdict){MR_REDIS_OK, MR_OK, false};

    const struct rule *rule = find(reply->str);
    struct mr_redis_verdict verdict = {rule->action, rule->code, false};
    if (!from_inside_a_script(reply->str)) {
        verdict.oom = strcmp(rule->prefix, FULL) == 0;
        return verdict;
    }
    verdict.code = MR_EUNKNOWN;
    if (rule->action != MR_REDIS_RERESOLVE) /* a wrong server is a wrong server all the same */
        verdict.action = MR_REDIS_UNKNOWN;
    return verdict;
}
