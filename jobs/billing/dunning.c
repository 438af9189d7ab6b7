#include "jobs/billing/dunning.h"

#include "proto/base/mem.h"

#include <string.h>

/* One cell: what now becomes of it. */
typedef struct mr_period_move action(const struct mr_dunning *dunning,
                                     struct mr_period_move now);

static struct mr_period_move stay(const struct mr_dunning *dunning, struct mr_period_move now)
{
    (void)dunning;
    return now;
}

static struct mr_period_move be_paid(const struct mr_dunning *dunning,
                                     struct mr_period_move now)
{
    (void)dunning;
    now.state = MR_PERIOD_PAID;
    return now;
}

static struct mr_period_move dun(const struct mr_dunning *dunning, struct mr_period_move now)
{
    if (now.step >= dunning->n) {
        now.state = MR_PERIOD_UNPAID;
        now.mail = MR_DUNNING_SUSPENDED_MAIL;
        return now;
    }
    now.state = MR_PERIOD_DUNNED;
    now.mail = MR_DUNNING_REFUSED_MAIL;
    now.days = dunning->days[now.step++];
    return now;
}

/* clang-format off */
static action *const actions[MR_PERIOD_STATES][MR_PERIOD_EVENTS] = {
    /*                     PAYS     REFUSES */
    [MR_PERIOD_BILLED] = { be_paid, dun  },
    [MR_PERIOD_DUNNED] = { be_paid, dun  },
    [MR_PERIOD_PAID]   = { stay,    stay },
    [MR_PERIOD_UNPAID] = { be_paid, stay },
};
/* clang-format on */

struct mr_period_move mr_dunning_move(const struct mr_dunning *dunning,
                                      enum mr_period_state state, unsigned step,
                                      enum mr_period_event event)
{
    return actions[state][event](dunning,
                                 (struct mr_period_move){.state = state, .step = step});
}

enum mr_subscription_state mr_dunning_standing(int64_t n_dunned, int64_t n_unpaid)
{
    if (n_unpaid > 0)
        return MR_SUBSCRIPTION_SUSPENDED;
    return n_dunned > 0 ? MR_SUBSCRIPTION_PAST_DUE : MR_SUBSCRIPTION_ACTIVE;
}

/* ---- names ---- */

static const char *const period_names[MR_PERIOD_STATES] = {"billed", "dunned", "paid",
                                                           "unpaid"};
static const char *const subscription_names[MR_SUBSCRIPTION_STATES] = {
    "trialing", "active", "past_due", "suspended", "ended"};

static unsigned find(const char *const *names, unsigned n, const char *name, size_t len)
{
    unsigned i = 0;

    while (i < n && (strlen(names[i]) != len || memcmp(names[i], name, len) != 0))
        i++;
    return i;
}

const char *mr_period_state_name(enum mr_period_state state)
{
    return period_names[state];
}

enum mr_period_state mr_period_state_of(const char *name, size_t len)
{
    return (enum mr_period_state)find(period_names, MR_PERIOD_STATES, name, len);
}

const char *mr_subscription_state_name(enum mr_subscription_state state)
{
    return subscription_names[state];
}

enum mr_subscription_state mr_subscription_state_of(const char *name, size_t len)
{
    return (enum mr_subscription_state)find(subscription_names, MR_SUBSCRIPTION_STATES, name,
                                            len);
}

/* ---- configuration ---- */

void mr_dunning_read(const json_t *days, struct mr_dunning *out)
{
    static const struct mr_dunning usual = {
        .days = {3, 7, 14},
          .n = 3
    };
    size_t n = json_array_size(days);

    *out = usual;
    if (!json_is_array(days))
        return;
    out->n = (unsigned)(n < MR_DUNNING_DAYS ? n : MR_DUNNING_DAYS);
    for (unsigned i = 0; i < out->n; i++)
        out->days[i] = (unsigned)json_integer_value(json_array_get(days, i));
}
