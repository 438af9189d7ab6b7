/* Any bytes as a report's definition: refused with a line, or a statement with a parameter for each of its places. */
#include "jobs/report/definition.h"
#include "tests/fuzz/must.h"

#include <stdlib.h>
#include <string.h>

static void check_places(const struct mr_report *report)
{
    const struct mr_statement *statement = &report->rows.statement;

    must(report->n_columns > 0 || report->archive.from);
    for (unsigned i = 0; i < statement->n_places; i++) {
        must(report->rows.bound[i] < report->n_params);
        must(strcmp(report->params[report->rows.bound[i]].name, statement->places[i].name) ==
             0);
    }
}

/* What a definition writes as a default must be what its parameter takes. */
static void check_defaults(const struct mr_report *report)
{
    struct mr_param_value value = {0};

    for (unsigned i = 0; i < report->n_params; i++) {
        const struct mr_param *param = &report->params[i];

        if (!param->fallback)
            continue;
        must(mr_param_read_text(param, param->fallback, &value, NULL) == MR_OK);
        mr_buf_fini(&value.text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mr_config_errors errors = {0};
    struct mr_report report;

    if (mr_report_parse((const char *)bytes, len, "fuzz", &report, &errors) == MR_OK) {
        check_places(&report);
        check_defaults(&report);
        mr_report_fini(&report);
    } else {
        must(errors.n_lines > 0);
    }
    mr_config_errors_fini(&errors);
    return 0;
}
