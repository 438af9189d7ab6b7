#include "jobs/report/output.h"

struct mr_cell mr_line_cell(const struct mr_line *line, unsigned i)
{
    if (line->label.at && line->label_at == i)
        return (struct mr_cell){.bytes = line->label, .type = MR_REPORT_TEXT, .bare = true};
    return line->cells[i];
}

const struct mr_output_kind *mr_output_kind_of(enum mr_report_format format)
{
    static const struct mr_output_kind *const kinds[] = {
        [MR_FORMAT_CSV] = &mr_output_csv,
        [MR_FORMAT_JSONL] = &mr_output_jsonl,
        [MR_FORMAT_XLSX] = &mr_output_xlsx,
        [MR_FORMAT_PDF] = &mr_output_pdf,
    };

    return kinds[format];
}

enum mr_code mr_output_open(enum mr_report_format format, const struct mr_output_plan *plan,
                            struct mr_output **out, struct mr_err *err)
{
    const struct mr_output_kind *kind = mr_output_kind_of(format);
    enum mr_code code = kind->open(plan, out, err);

    if (code == MR_OK) {
        (*out)->kind = kind;
        (*out)->plan = *plan;
    }
    return code;
}

enum mr_code mr_output_titles(struct mr_output *output, struct mr_err *err)
{
    return output->kind->titles(output, err);
}

enum mr_code mr_output_line(struct mr_output *output, const struct mr_line *line,
                            struct mr_err *err)
{
    return output->kind->line(output, line, err);
}

enum mr_code mr_output_finish(struct mr_output *output, const struct mr_chart_points *points,
                              struct mr_err *err)
{
    return output->kind->finish(output, points, err);
}

void mr_output_close(struct mr_output *output)
{
    if (output)
        output->kind->close(output);
}
