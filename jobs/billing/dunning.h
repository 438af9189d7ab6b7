/*
 * What becomes of a period whose invoice is to be paid, and with it of its subscription. Pure: a table of state x event.
 *
 *     period    billed ──paid──────────────────────────────► paid
 *                  │ refused                                  ▲
 *                  ▼                                          │
 *               dunned 1 ─► dunned 2 ─► ... ─► dunned n ─paid─┤     a charge on each day of billing.dunning, and a mail
 *                  │ refused, and no day is left              │
 *                  ▼                                          │
 *               unpaid ───────────paid by another charge──────┘
 *
 *     subscription   trialing, active   no period is dunned or unpaid
 *                    past_due           one is dunned
 *                    suspended          one is unpaid: nothing is invoiced until it is paid
 *                    ended              for good
 *
 * Step 0 is the charge on the first day of the period; step k, from 1, follows so many days after the first refusal as the k-th number of billing.dunning says.
 */
#ifndef MR_JOBS_BILLING_DUNNING_H
#define MR_JOBS_BILLING_DUNNING_H

#include "proto/base/err.h"

#include <jansson.h>
#include <stdbool.h>

#define MR_DUNNING_DAYS 20u

/* The days of billing.dunning, each after the one before. */
struct mr_dunning {
    unsigned days[MR_DUNNING_DAYS];
    unsigned n;
};

enum mr_period_state {
    MR_PERIOD_BILLED, /* its invoice is out, nothing was refused yet */
    MR_PERIOD_DUNNED, /* refused at least once, and a charge is still to come */
    MR_PERIOD_PAID,
    MR_PERIOD_UNPAID, /* refused to the last */
    MR_PERIOD_STATES
};

enum mr_period_event { MR_PERIOD_PAYS, MR_PERIOD_REFUSES, MR_PERIOD_EVENTS };

enum mr_dunning_mail { MR_DUNNING_NO_MAIL, MR_DUNNING_REFUSED_MAIL, MR_DUNNING_SUSPENDED_MAIL };

struct mr_period_move {
    enum mr_period_state state;
    unsigned step; /* the charge that is next, or was the last */
    unsigned days; /* DUNNED: when that is, after the first refusal */
    enum mr_dunning_mail mail;
};

/* What state, in which the charge of this step ended so, becomes. What is over stays as it is. */
struct mr_period_move mr_dunning_move(const struct mr_dunning *dunning,
                                      enum mr_period_state state, unsigned step,
                                      enum mr_period_event event);

enum mr_subscription_state {
    MR_SUBSCRIPTION_TRIALING, /* no period was invoiced yet */
    MR_SUBSCRIPTION_ACTIVE,
    MR_SUBSCRIPTION_PAST_DUE,
    MR_SUBSCRIPTION_SUSPENDED,
    MR_SUBSCRIPTION_ENDED,
    MR_SUBSCRIPTION_STATES
};

/* Of a subscription that has been invoiced and not ended, with so many dunned and unpaid periods. */
enum mr_subscription_state mr_dunning_standing(int64_t n_dunned, int64_t n_unpaid);

/* As the tables call them; of a name that is none, the number of states. */
const char *mr_period_state_name(enum mr_period_state state);
enum mr_period_state mr_period_state_of(const char *name, size_t len);
const char *mr_subscription_state_name(enum mr_subscription_state state);
enum mr_subscription_state mr_subscription_state_of(const char *name, size_t len);

/* billing.dunning as the configuration has it, checked; NULL: 3, 7, 14. */
void mr_dunning_read(const json_t *days, struct mr_dunning *out);

#endif
