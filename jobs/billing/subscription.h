/* A subscription and its periods as the database has them, and the steps they take there. */
#ifndef MR_JOBS_BILLING_SUBSCRIPTION_H
#define MR_JOBS_BILLING_SUBSCRIPTION_H

#include "jobs/billing/dunning.h"
#include "jobs/billing/period.h"
#include "jobs/services/mysql.h"

#include <jansson.h>

#define MR_SUBSCRIPTION_ID 40u

/* Zero-initialised is empty. Strings are owned. */
struct mr_subscription {
    char *id, *customer, *currency;
    char *series, *source; /* NULL: the house's; not charged */
    struct mr_cycle cycle;
    char period_start[MR_DAY],
        period_end[MR_DAY]; /* of the one invoiced last; start "" before the first */
    enum mr_subscription_state state;
    bool cancel;   /* at period_end */
    int64_t now_s; /* the database's clock when it was read */
};

/* A period that was invoiced. */
struct mr_period {
    char start[MR_DAY], end[MR_DAY];
    char *invoice; /* owned */
    char *source;  /* owned; what this step's charge is asked from, NULL: not decided yet */
    enum mr_period_state state;
    unsigned step;
    int64_t first_refused_at_s; /* unix time; 0: never */
    char *invoiced_by,
        *moved_by; /* owned; uuids of the jobs that invoiced it, and made its latest step */
};

/* Whether it can name one, as part of a job's uuid. MR_EINVAL names place ("data.subscription"). */
enum mr_code mr_subscription_check_id(const char *id, const char *place, struct mr_err *err);

/*
 * The subscription, locked to the end of the transaction: whatever changes one, or a period of it, does that first. MR_EINVAL: there is none, or
 * its row cannot be one.
 */
enum mr_code mr_subscription_lock(struct mr_mysql_conn *conn, const char *id,
                                  struct mr_subscription *out, struct mr_err *err);
void mr_subscription_fini(struct mr_subscription *subscription);

/* Its lines, as billing.invoice takes them, the period printed behind each text; a new reference. */
enum mr_code mr_subscription_lines(struct mr_mysql_conn *conn, const char *id,
                                   const char *start, const char *end, json_t **out,
                                   struct mr_err *err);

#define MR_NEXT_NEVER INT64_MAX
#define MR_NEXT_AS_IT_IS INT64_MIN
/* Its state and period; when billing.renew looks at it next, unix time. */
enum mr_code mr_subscription_update(struct mr_mysql_conn *conn,
                                    const struct mr_subscription *subscription,
                                    int64_t next_at_s, struct mr_err *err);
/* The state that its periods give it; trialing and ended stay. */
enum mr_code mr_subscription_stand(struct mr_mysql_conn *conn,
                                   struct mr_subscription *subscription, struct mr_err *err);

/* The period that begins at start; MR_ENOTFOUND when none was invoiced. */
enum mr_code mr_period_find(struct mr_mysql_conn *conn, const char *id, const char *start,
                            struct mr_period *out, struct mr_err *err);
/* The one whose invoice this is. */
enum mr_code mr_period_find_invoice(struct mr_mysql_conn *conn, const char *invoice,
                                    struct mr_period *out, struct mr_err *err);
void mr_period_fini(struct mr_period *period);
/* A new one, of this start, end, invoice, state and invoiced_by. */
enum mr_code mr_period_insert(struct mr_mysql_conn *conn, const char *id,
                              const struct mr_period *period, int64_t next_at_s,
                              struct mr_err *err);
/* Its state, step, source, first refusal and moved_by; when billing.renew looks whether its charge is still to be made. */
enum mr_code mr_period_update(struct mr_mysql_conn *conn, const char *id,
                              const struct mr_period *period, int64_t next_at_s,
                              struct mr_err *err);
/* Those that are unpaid and have been paid in another way, or credited, are paid. */
enum mr_code mr_period_settle(struct mr_mysql_conn *conn, const char *id, struct mr_err *err);

/* ---- names that make every step happen once; out holds MR_SUBSCRIPTION_UUID bytes ---- */

#define MR_SUBSCRIPTION_UUID 65

/* "renew-ID-20260131": the invoice of the period that was to begin at this day. */
void mr_subscription_renew_uuid(const char *id, const char *day, char *out);
/* "dun-ID-20260131-2": the charge of this step. */
void mr_subscription_dun_uuid(const char *id, const char *start, unsigned step, char *out);

#endif
