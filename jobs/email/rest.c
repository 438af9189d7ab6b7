#include "jobs/email/rest.h"

#include "worker/handler.h"

#include <string.h>

enum { UUID_MAX = 100 }; /* as mr_job_push has it */

enum mr_code mr_rest_read(json_t *data, const char *uuid, struct mr_rest_only *out,
                          struct mr_err *err)
{
    json_t *only = json_object_get(data, "only");
    json_t *mail = json_object_get(only, "mail"), *to = json_object_get(only, "to");

    if (!only || json_is_null(only)) {
        *out = (struct mr_rest_only){.mail = uuid};
        return MR_OK;
    }
    if (!json_is_string(mail) || !json_is_array(to) || json_array_size(to) == 0)
        return mr_fail(err, MR_EINVAL,
                       "data.only must be {mail, to: [address, ...]}: the mail server "
                       "had taken the mail for the others");
    *out = (struct mr_rest_only){
        .mail = json_string_value(mail),
        .to = to,
    };
    return MR_OK;
}

static bool names(const json_t *to, const char *recipient)
{
    for (size_t i = 0; i < json_array_size(to); i++) {
        const char *address = json_string_value(json_array_get(to, i));

        if (address && strcmp(address, recipient) == 0)
            return true;
    }
    return false;
}

unsigned mr_rest_choose(const struct mr_rest_only *only, char **recipients, unsigned n)
{
    unsigned n_chosen = 0;

    if (!only->to)
        return n;
    for (unsigned i = 0; i < n; i++) {
        char *recipient = recipients[i];

        if (!names(only->to, recipient))
            continue;
        recipients[i] = recipients[n_chosen];
        recipients[n_chosen++] = recipient;
    }
    return n_chosen;
}

/* ---- what is left goes on as jobs ---- */

static json_t *addresses_of(const struct mr_smtp_mail *mail,
                            const struct mr_smtp_result *result, enum mr_smtp_fate fate)
{
    json_t *to = json_array();

    for (unsigned i = 0; i < result->n_recipients; i++)
        if (result->recipients[i].fate == fate)
            json_array_append_new(to, json_string(mail->recipients[i]));
    return to;
}

/* The same mail, to these alone. Takes to. */
static json_t *data_for(json_t *data, const struct mr_rest_only *only, json_t *to)
{
    json_t *copy = json_copy(data);

    json_object_set_new(copy, "only", json_pack("{s:s, s:o}", "mail", only->mail, "to", to));
    return copy;
}

/* Nothing where there is nobody of that fate. */
static enum mr_code push(struct mr_job *job, json_t *data, const struct mr_rest_only *only,
                         json_t *to, const char *name, struct mr_push *push, struct mr_err *err)
{
    if (json_array_size(to) == 0) {
        json_decref(to);
        return MR_OK;
    }
    /* A name that would be too long is a new one: what is divided so often comes to an end. */
    bool named = strlen(mr_job_uuid(job)) + 1 + strlen(name) <= UUID_MAX;

    push->job = mr_job_name(job);
    push->name = named ? name : NULL;
    push->data = data_for(data, only, to);
    enum mr_code code = mr_job_push(job, push, err);
    json_decref(push->data);
    return code;
}

enum mr_code mr_rest_push(struct mr_job *job, json_t *data, const struct mr_rest_only *only,
                          const struct mr_smtp_mail *mail, const struct mr_smtp_result *result,
                          uint64_t again_ms, struct mr_err *err)
{
    struct mr_push later = {.delay_ms = again_ms, .tries = mr_job_max_tries(job)};
    struct mr_push refused = {.tries = 1};
    enum mr_code code =
        push(job, data, only, addresses_of(mail, result, MR_SMTP_LATER), "later", &later, err);

    if (code == MR_OK)
        code = push(job, data, only, addresses_of(mail, result, MR_SMTP_REFUSED), "refused",
                    &refused, err);
    return code;
}
