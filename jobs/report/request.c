#include "jobs/report/request.h"

#include "jobs/report/catalog.h"
#include "jobs/report/output.h"
#include "proto/base/mem.h"
#include "proto/base/uuid.h"
#include "worker/handler.h"

#include <stdlib.h>
#include <string.h>

/* The uuid names the file and the row. A job without one gets a name of this attempt's own: the worst is a file more. */
static enum mr_code read_uuid(const struct mr_job *job, struct mr_request *out,
                              struct mr_err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_.-";
    const char *uuid = mr_job_uuid(job);
    size_t len = strlen(uuid);

    if (len > MR_REPORT_UUID_MAX || strspn(uuid, letters) != len)
        return mr_fail(err, MR_EINVAL,
                       "uuid: it names the file, so it must be 1 to 64 of A-Z a-z 0-9 _ . -");
    if (len > 0)
        memcpy(out->uuid, uuid, len + 1);
    else
        mr_uuid_make(out->uuid);
    return MR_OK;
}

/* The names under which all that comes of it will be found. */
static enum mr_code read_names(const struct mr_job *job, const json_t *data,
                               struct mr_request *out, struct mr_err *err)
{
    const json_t *name = json_object_get(data, "report");
    const json_t *params = json_object_get(data, "params");

    if (!json_is_string(name) || !mr_catalog_is_name((struct mr_bytes){
                                     json_string_value(name), json_string_length(name)}))
        return mr_fail(err, MR_EINVAL,
                       "data.report must be the name of a report: 1 to 64 of A-Z a-z 0-9 _ -");
    out->name = json_string_value(name);
    out->params = params ? json_dumps(params, JSON_COMPACT | JSON_ENCODE_ANY) : mr_strdup("{}");
    return read_uuid(job, out, err);
}

/* ---- the form ---- */

static enum mr_code read_format(const json_t *data, struct mr_request *out, struct mr_err *err)
{
    const json_t *word = json_object_get(data, "format");
    struct mr_buf known = {0};

    out->format = out->report.formats[0];
    if (!word || json_is_null(word))
        return MR_OK;
    if (json_is_string(word) && mr_report_format_read(json_string_value(word), &out->format) &&
        mr_report_allows(&out->report, out->format))
        return MR_OK;
    for (unsigned i = 0; i < out->report.n_formats; i++)
        mr_buf_printf(&known, "%s%s", i ? ", " : "",
                      mr_report_format_word(out->report.formats[i]));
    mr_fail(err, MR_EINVAL, "data.format must be one of those that %s allows: %s",
            out->report.origin, known.at);
    mr_buf_fini(&known);
    return MR_EINVAL;
}

static enum mr_code read_compress(const json_t *data, struct mr_request *out,
                                  struct mr_err *err)
{
    static const char *const words[] = {
        [MR_COMPRESS_NONE] = "none", [MR_COMPRESS_GZIP] = "gzip", [MR_COMPRESS_ZSTD] = "zstd"};
    const json_t *word = json_object_get(data, "compress");

    out->compress = out->report.compress;
    if (!word || json_is_null(word))
        return MR_OK;
    for (unsigned i = 0; json_is_string(word) && i < MR_COUNT(words); i++)
        if (strcmp(words[i], json_string_value(word)) == 0)
            return out->compress = (enum mr_compress)i, MR_OK;
    return mr_fail(err, MR_EINVAL, "data.compress must be one of none, gzip, zstd");
}

static enum mr_code read_form(const json_t *data, struct mr_request *out, struct mr_err *err)
{
    enum mr_code code = read_format(data, out, err);

    if (code == MR_OK)
        code = read_compress(data, out, err);
    if (code == MR_OK)
        out->place = mr_asprintf("reports/%s-%s%s%s", out->name, out->uuid,
                                 mr_output_kind_of(out->format)->suffix,
                                 mr_compress_suffix(out->compress));
    return code;
}

/* ---- the whole ---- */

enum mr_code mr_request_read(struct mr_job *job, const char *dir, struct mr_request *out,
                             struct mr_err *err)
{
    const json_t *data = mr_job_data(job, err);

    if (!data)
        return MR_EINVAL;
    enum mr_code code = read_names(job, data, out, err);
    if (code == MR_OK)
        code = mr_catalog_read(dir, out->name, &out->report, err);
    if (code == MR_OK && !out->report.archive.from)
        code = read_form(data, out, err);
    if (code == MR_OK && !out->report.archive.from)
        code = mr_report_mailing_read(&out->report, json_object_get(data, "mail"),
                                      &out->mailing, err);
    if (code == MR_OK)
        code = mr_params_read(out->report.params, out->report.n_params,
                              json_object_get(data, "params"), &out->values, err);
    return code;
}

void mr_request_fini(struct mr_request *request)
{
    mr_params_free(request->values, request->report.n_params);
    mr_report_mailing_fini(&request->mailing);
    mr_report_fini(&request->report);
    free(request->params);
    free(request->place);
    *request = (struct mr_request){0};
}
