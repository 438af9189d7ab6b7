/*
 * What became of each message, in the table millrace_notifications: a row before a provider is asked, its answer behind. So a message
 * whose answer is known is never sent twice, one of which nobody knows is asked for at the same provider again, or left to a
 * person, and limits hold for all workers together.
 */
#ifndef MR_JOBS_SMS_RECORD_H
#define MR_JOBS_SMS_RECORD_H

#include "jobs/services/digest.h"
#include "jobs/services/mysql.h"
#include "jobs/sms/reply.h"
#include "proto/base/rate.h"

enum { MR_RECORD_PROVIDER = 101, MR_RECORD_MASKED = 24 };

/* What there is to do about a message. */
enum mr_record_step {
    MR_RECORD_ASK,   /* nothing was sent so far: any provider may be asked */
    MR_RECORD_AGAIN, /* it may have been sent by the one provider that the record names */
    MR_RECORD_DONE,  /* it was sent */
    MR_RECORD_WAIT, /* another attempt may still be under way, or a limit is reached: wait_ms */
    MR_RECORD_HOLD, /* nobody knows whether it was sent, and a person shall decide */
    MR_RECORD_CLASH, /* the uuid is another message's */
};

/* What is done about a row as it was found; pure. */
struct mr_record_found {
    struct mr_bytes state; /* 'sending', 'ok', 'refused', 'unknown', 'waiting' */
    bool same;             /* channel and receiver are this message's */
    int64_t age_ms;        /* since a provider was asked last */
};
struct mr_record_policy {
    int64_t busy_ms; /* an attempt may be under way for so long */
    bool hold;
    struct mr_rate per_number, per_sender;
};
enum mr_record_step mr_record_decide(const struct mr_record_found *found,
                                     const struct mr_record_policy *policy);

/* One message; the strings of the first group are borrowed. Zero-initialise the rest. */
struct mr_record {
    const char *uuid, *channel, *sender, *provider; /* the first that would be asked */
    unsigned segments;
    char receiver[MR_RECORD_MASKED]; /* see mr_record_name_receiver */
    char receiver_hash[MR_DIGEST_HEX];
    enum mr_record_step step;       /* as begin found it */
    int64_t wait_ms;                /* WAIT */
    int64_t n_asked;                /* how often a provider was, this attempt included */
    char asked[MR_RECORD_PROVIDER]; /* AGAIN, HOLD: the provider that was asked */
};

/* "+4917*****67", and a hash of the number under secret ("" for none). */
void mr_record_name_receiver(struct mr_record *record, const char *number, const char *secret);

/*
 * These block: on a thread. They fail as mysql.h says. begin finds out what there is to do, and writes down that provider is about to be
 * asked (ASK, AGAIN); turn does the same for another provider; end writes down what came of it, and tries to for a while, whatever
 * becomes of the job.
 */
enum mr_code mr_record_begin(struct mr_mysql *mysql, struct mr_job *job,
                             const struct mr_record_policy *policy, struct mr_record *record,
                             struct mr_err *err);
enum mr_code mr_record_turn(struct mr_mysql *mysql, struct mr_job *job,
                            struct mr_record *record, struct mr_err *err);
enum mr_code mr_record_end(struct mr_mysql *mysql, const struct mr_record *record,
                           const struct mr_reply *reply, struct mr_err *err);

#endif
