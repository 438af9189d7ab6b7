/* A report's parameters: what a job may give for each, and how that is bound to the statement. Pure. */
#ifndef MR_JOBS_REPORT_PARAMS_H
#define MR_JOBS_REPORT_PARAMS_H

#include "jobs/report/types.h"
#include "jobs/services/mysql.h"

#include <jansson.h>
#include <stdbool.h>

/* One parameter, as its definition declares it. Texts are owned by the definition. */
struct mr_param {
    char *name;
    enum mr_report_type type;
    bool required;      /* false: a job may leave it out, and then it is SQL's NULL */
    char *fallback;     /* what it is where a job leaves it out, or NULL */
    char *min, *max;    /* of an integer, a date or a datetime; NULL: no bound */
    char **choices;     /* of a text */
    unsigned n_choices; /* 0: any */
};

/* A value that has been checked; owns its text, which sql borrows. */
struct mr_param_value {
    struct mr_buf text;
    struct mr_sql_value sql;
};

/*
 * Whether text (as a definition writes a default) may be the value of param, and the value. MR_EINVAL: err says what it must be,
 * to be put behind the parameter's name.
 */
enum mr_code mr_param_read_text(const struct mr_param *param, const char *text,
                                struct mr_param_value *out, struct mr_err *err);
/*
 * The values of all n parameters out of a job's data.params (NULL: none given), in the order of params: an array, the caller's.
 * MR_EINVAL names the member: unknown, missing, of another type, out of its bounds. A value is never shown.
 */
enum mr_code mr_params_read(const struct mr_param *params, unsigned n, const json_t *given,
                            struct mr_param_value **out, struct mr_err *err);
void mr_params_free(struct mr_param_value *values, unsigned n);

#endif
