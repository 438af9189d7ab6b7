#include "jobs/sms/record.h"

#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SHOWN_BEFORE = 5, /* characters of a masked number */
    SHOWN_BEHIND = 2,
    AGAIN_MS = 1000,
    LOCK_WAIT_S = 5,
    END_TRIES = 3,
    END_AGAIN_MS = 300,
    END_STATEMENT_MS = 5000,
};

static const char *const reply_states[] = {
    [MR_REPLY_NONE] = "waiting",    [MR_REPLY_NOT_HERE] = "refused",
    [MR_REPLY_UNABLE] = "waiting",  [MR_REPLY_LATER] = "waiting",
    [MR_REPLY_REFUSED] = "refused", [MR_REPLY_UNKNOWN] = "unknown",
    [MR_REPLY_SENT] = "ok",
};

void mr_record_name_receiver(struct mr_record *record, const char *number, const char *secret)
{
    size_t len = strlen(number);

    for (size_t i = 0; i < len && i < sizeof(record->receiver) - 1; i++)
        record->receiver[i] = i < SHOWN_BEFORE || i + SHOWN_BEHIND >= len ? number[i] : '*';
    mr_digest_hmac(secret, number, record->receiver_hash);
}

enum mr_record_step mr_record_decide(const struct mr_record_found *found,
                                     const struct mr_record_policy *policy)
{
    if (!found->same)
        return MR_RECORD_CLASH;
    if (mr_bytes_is(found->state, "ok"))
        return MR_RECORD_DONE;
    if (mr_bytes_is(found->state, "refused") || mr_bytes_is(found->state, "waiting"))
        return MR_RECORD_ASK;
    if (mr_bytes_is(found->state, "sending") && found->age_ms < policy->busy_ms)
        return MR_RECORD_WAIT;
    return policy->hold ? MR_RECORD_HOLD : MR_RECORD_AGAIN;
}

static int64_t integer_of(struct mr_bytes value)
{
    char text[24];

    if (!value.at || value.len >= sizeof(text))
        return 0;
    memcpy(text, value.at, value.len);
    text[value.len] = '\0';
    return strtoll(text, NULL, 10);
}

static enum mr_code on_integer(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    (void)err;
    *(int64_t *)arg = integer_of(row->values[0]);
    return MR_OK;
}

/* ---- limits, over all workers ---- */

/* A limit of one name, and the lock under which it is looked at: of two that look at once the second one sees the first. */
struct limit {
    const struct mr_rate *rate;
    const char *sql, *name;
    char lock[64];
};

enum { LIMITS = 2 };

#define NTH_LATEST_AGE(column)                                                                 \
    "SELECT TIMESTAMPDIFF(MICROSECOND, asked_at, CURRENT_TIMESTAMP(3)) DIV 1000 "              \
    "FROM millrace_notifications WHERE " column " = ? AND "                                    \
    "asked_at > CURRENT_TIMESTAMP(3) - INTERVAL ? MICROSECOND AND "                            \
    "state IN ('sending', 'ok', 'unknown') ORDER BY asked_at DESC LIMIT 1 OFFSET ?"

static void list_limits(const struct mr_record_policy *policy, const struct mr_record *record,
                        struct limit out[LIMITS])
{
    out[0] = (struct limit){.rate = &policy->per_number,
                            .sql = NTH_LATEST_AGE("receiver_hash"),
                            .name = record->receiver_hash};
    out[1] = (struct limit){
        .rate = &policy->per_sender, .sql = NTH_LATEST_AGE("sender"), .name = record->sender};
    for (unsigned i = 0; i < LIMITS; i++)
        snprintf(out[i].lock, sizeof(out[i].lock), "millrace-sms-%u-%.40s", i, out[i].name);
}

/* Always in the same order, so nobody waits for one who waits for him. */
static enum mr_code lock_limits(struct mr_mysql_conn *conn, const struct limit limits[LIMITS],
                                bool *out_locked, struct mr_err *err)
{
    enum mr_code code = MR_OK;
    int64_t locked = 1;

    for (unsigned i = 0; i < LIMITS && code == MR_OK && locked == 1; i++) {
        const struct mr_sql_value values[] = {mr_sql_text(limits[i].lock),
                                              mr_sql_int(LOCK_WAIT_S)};

        if (limits[i].rate->n > 0)
            code = mr_mysql_query(conn, "SELECT GET_LOCK(?, ?)", values, MR_COUNT(values), NULL,
                                  on_integer, &locked, err);
    }
    *out_locked = locked == 1;
    return code;
}

/* What cannot be unlocked ends with its connection. */
static void unlock_limits(struct mr_mysql_conn *conn, const struct limit limits[LIMITS])
{
    int64_t released;

    for (unsigned i = 0; i < LIMITS; i++) {
        const struct mr_sql_value value = mr_sql_text(limits[i].lock);

        if (limits[i].rate->n > 0)
            mr_mysql_query(conn, "SELECT RELEASE_LOCK(?)", &value, 1, NULL, on_integer,
                           &released, NULL);
    }
}

/* Until one more may be sent: until the n-th latest is a whole span old. */
static enum mr_code look_at_limit(struct mr_mysql_conn *conn, const struct limit *limit,
                                  struct mr_record *record, struct mr_err *err)
{
    int64_t span_ms = (int64_t)limit->rate->per_ms, age_ms = -1;
    const struct mr_sql_value values[] = {mr_sql_text(limit->name), mr_sql_int(span_ms * 1000),
                                          mr_sql_int((int64_t)limit->rate->n - 1)};

    if (limit->rate->n == 0)
        return MR_OK;
    enum mr_code code = mr_mysql_query(conn, limit->sql, values, MR_COUNT(values), NULL,
                                       on_integer, &age_ms, err);
    if (code == MR_OK && age_ms >= 0 && span_ms - age_ms > record->wait_ms) {
        record->step = MR_RECORD_WAIT;
        record->wait_ms = span_ms - age_ms;
    }
    return code;
}

/* ---- begin ---- */

enum column { STATE, CHANNEL, HASH, PROVIDER, ASKED, AGE_MS };

/* The row as it was found. */
struct look {
    const struct mr_record_policy *policy;
    struct mr_record *record;
    int64_t asked; /* -1: there is none */
};

static enum mr_code on_found(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct look *look = arg;
    struct mr_record *record = look->record;
    const struct mr_bytes *values = row->values;
    const struct mr_record_found found = {
        .state = values[STATE],
        .same = mr_bytes_is(values[CHANNEL], record->channel) &&
                mr_bytes_is(values[HASH], record->receiver_hash),
        .age_ms = integer_of(values[AGE_MS]),
    };

    (void)err;
    look->asked = integer_of(values[ASKED]);
    snprintf(record->asked, sizeof(record->asked), "%.*s", (int)values[PROVIDER].len,
             values[PROVIDER].at);
    record->step = mr_record_decide(&found, look->policy);
    if (record->step == MR_RECORD_WAIT)
        record->wait_ms = look->policy->busy_ms - found.age_ms;
    return MR_OK;
}

static enum mr_code find(struct mr_mysql_conn *conn, struct look *look, struct mr_err *err)
{
    const struct mr_sql_value uuid = mr_sql_text(look->record->uuid);

    look->asked = -1;
    return mr_mysql_query(
        conn,
        "SELECT state, channel, receiver_hash, provider, asked, TIMESTAMPDIFF(MICROSECOND, "
        "asked_at, CURRENT_TIMESTAMP(3)) DIV 1000 FROM millrace_notifications WHERE uuid = ?",
        &uuid, 1, NULL, on_found, look, err);
}

/* Of several attempts that have seen the same row one changes it. */
static enum mr_code note_asked(struct mr_mysql_conn *conn, const struct mr_record *record,
                               const char *provider, int64_t asked, bool *out_changed,
                               struct mr_err *err)
{
    const struct mr_sql_value values[] = {mr_sql_text(provider), mr_sql_text(record->sender),
                                          mr_sql_text(record->uuid), mr_sql_int(asked)};
    uint64_t changed = 0;
    enum mr_code code = mr_mysql_run(
        conn,
        "UPDATE millrace_notifications SET state = 'sending', provider = ?, sender = ?, "
        "asked = asked + 1, asked_at = CURRENT_TIMESTAMP(3), code = NULL, "
        "message = NULL, ended_at = NULL WHERE uuid = ? AND asked = ?",
        values, MR_COUNT(values), &changed, NULL, err);

    *out_changed = changed == 1;
    return code;
}

static enum mr_code insert(struct mr_mysql_conn *conn, const struct mr_record *record,
                           struct mr_err *err)
{
    const struct mr_sql_value values[] = {mr_sql_text(record->uuid),
                                          mr_sql_text(record->channel),
                                          mr_sql_text(record->receiver),
                                          mr_sql_text(record->receiver_hash),
                                          mr_sql_text(record->sender),
                                          mr_sql_text(record->provider),
                                          mr_sql_int((int64_t)record->segments)};

    return mr_mysql_run(
        conn,
        "INSERT INTO millrace_notifications (uuid, channel, receiver, receiver_hash, "
        "sender, provider, segments, state, asked, asked_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, 'sending', 1, CURRENT_TIMESTAMP(3))",
        values, MR_COUNT(values), NULL, NULL, err);
}

/* Who lost to another attempt looks again when that one may be over. */
static void wait_a_moment(struct mr_record *record)
{
    record->step = MR_RECORD_WAIT;
    record->wait_ms = AGAIN_MS;
}

/* The message is not new: goes on where the row says that it stopped. */
static enum mr_code take_over(struct mr_mysql_conn *conn, struct look *look, struct mr_err *err)
{
    struct mr_record *record = look->record;
    bool again = record->step == MR_RECORD_AGAIN, changed = true;
    enum mr_code code = note_asked(conn, record, again ? record->asked : record->provider,
                                   look->asked, &changed, err);

    record->n_asked = look->asked + 1;
    if (code == MR_OK && !changed)
        wait_a_moment(record);
    return code;
}

static enum mr_code take_new(struct mr_mysql_conn *conn, struct mr_record *record,
                             struct mr_err *err)
{
    enum mr_code code = insert(conn, record, err);

    record->n_asked = 1;
    if (code == MR_EEXIST)
        wait_a_moment(record);
    return code == MR_EEXIST ? MR_OK : code;
}

/* Limits are for what was not sent so far. */
static enum mr_code begin(struct mr_mysql_conn *conn, const struct limit limits[LIMITS],
                          struct look *look, struct mr_err *err)
{
    struct mr_record *record = look->record;
    enum mr_code code = find(conn, look, err);

    for (unsigned i = 0; i < LIMITS && code == MR_OK && record->step == MR_RECORD_ASK; i++)
        code = look_at_limit(conn, &limits[i], record, err);
    if (code != MR_OK)
        return code;
    if (record->step == MR_RECORD_ASK && look->asked < 0)
        return take_new(conn, record, err);
    if (record->step == MR_RECORD_ASK || record->step == MR_RECORD_AGAIN)
        return take_over(conn, look, err);
    return MR_OK;
}

enum mr_code mr_record_begin(struct mr_mysql *mysql, struct mr_job *job,
                             const struct mr_record_policy *policy, struct mr_record *record,
                             struct mr_err *err)
{
    struct look look = {.policy = policy, .record = record};
    struct mr_mysql_conn *conn = NULL;
    struct limit limits[LIMITS];
    bool locked = false;
    enum mr_code code = mr_mysql_take(mysql, MR_MYSQL_WRITE, job, &conn, err);

    if (code != MR_OK)
        return code;
    record->step = MR_RECORD_ASK;
    record->wait_ms = 0;
    list_limits(policy, record, limits);
    code = lock_limits(conn, limits, &locked, err);
    if (code == MR_OK && locked)
        code = begin(conn, limits, &look, err);
    else if (code == MR_OK)
        wait_a_moment(record);
    unlock_limits(conn, limits);
    mr_mysql_give(conn);
    return code;
}

/* ---- turn and end ---- */

enum mr_code mr_record_turn(struct mr_mysql *mysql, struct mr_job *job,
                            struct mr_record *record, struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    bool changed = false;
    enum mr_code code = mr_mysql_take(mysql, MR_MYSQL_WRITE, job, &conn, err);

    if (code == MR_OK)
        code = note_asked(conn, record, record->provider, record->n_asked, &changed, err);
    mr_mysql_give(conn);
    if (code == MR_OK && !changed)
        return mr_fail(err, MR_EBUSY,
                       "millrace_notifications: another attempt is at this message");
    record->n_asked++;
    return code;
}

/* NULL for an empty text. */
static struct mr_sql_value text_or_null(const char *text)
{
    return mr_sql_text(*text ? text : NULL);
}

/* Not as part of the job: when its time is over, what became of it is still worth knowing. */
static enum mr_code end_once(struct mr_mysql *mysql, const struct mr_record *record,
                             const struct mr_reply *reply, struct mr_err *err)
{
    const struct mr_sql_value values[] = {mr_sql_text(reply_states[reply->end]),
                                          text_or_null(reply->id),
                                          text_or_null(reply->code),
                                          text_or_null(reply->words),
                                          mr_sql_text(record->uuid),
                                          mr_sql_int(record->n_asked)};
    struct mr_mysql_conn *conn = NULL;
    enum mr_code code = mr_mysql_take(mysql, MR_MYSQL_WRITE, NULL, &conn, err);

    if (code == MR_OK) {
        mr_mysql_limit(conn, END_STATEMENT_MS);
        code = mr_mysql_run(
            conn,
            "UPDATE millrace_notifications SET state = ?, provider_id = COALESCE(?, "
            "provider_id), code = ?, message = ?, ended_at = "
            "CURRENT_TIMESTAMP(3) WHERE uuid = ? AND asked = ?",
            values, MR_COUNT(values), NULL, NULL, err);
    }
    mr_mysql_give(conn);
    return code;
}

static bool may_pass(enum mr_code code)
{
    return code == MR_EDOWN || code == MR_EBUSY || code == MR_EUNKNOWN || code == MR_ETIMEDOUT;
}

enum mr_code mr_record_end(struct mr_mysql *mysql, const struct mr_record *record,
                           const struct mr_reply *reply, struct mr_err *err)
{
    const struct timespec pause = {.tv_nsec = END_AGAIN_MS * 1000000L};
    enum mr_code code = MR_OK;

    for (unsigned n = 0; n < END_TRIES; n++) {
        code = end_once(mysql, record, reply, err);
        if (!may_pass(code))
            break;
        nanosleep(&pause, NULL);
    }
    return code;
}
