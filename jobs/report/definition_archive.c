/* A definition that moves old rows instead of reading them. */
#include "jobs/report/definition_own.h"
#include "proto/base/mem.h"

#include <ctype.h>
#include <string.h>

enum { IDENTIFIER_MAX = 64 };

/* What stands between backticks without any quoting of our own. */
static bool is_identifier(struct mr_bytes name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.at[i]) && name.at[i] != '_' && name.at[i] != '$')
            return false;
    return name.len >= 1 && name.len <= IDENTIFIER_MAX;
}

/* calls, or shop.calls */
static bool is_table(const char *name)
{
    const char *dot = strchr(name, '.');

    if (!dot)
        return is_identifier(mr_bytes_of(name));
    return is_identifier((struct mr_bytes){name, (size_t)(dot - name)}) &&
           is_identifier(mr_bytes_of(dot + 1));
}

static void complain(struct mr_reading *r, const char *member, const char *what)
{
    mr_config_errors_add(r->errors, mr_reading_place(r, "archive", member, ""), "archive.%s %s",
                         member, what);
}

static void check_name(struct mr_reading *r, const char *member, const char *name, bool table)
{
    if (!name)
        complain(r, member, table ? "must name a table" : "must name a column");
    else if (table ? !is_table(name) : !is_identifier(mr_bytes_of(name)))
        complain(r, member,
                 "must be a plain name: 1 to 64 of A-Z a-z 0-9 _ $, with that of its database "
                 "and a dot before it where that is another");
}

/* What belongs to rows that are read. */
static void refuse_others(struct mr_reading *r)
{
    static const char *const others[] = {"sql",      "count",    "params", "columns", "format",
                                         "compress", "csv",      "groups", "total",   "charts",
                                         "max_rows", "max_size", "mail"};

    for (size_t i = 0; i < MR_COUNT(others); i++)
        if (mr_yaml_get(r->root, others[i]))
            mr_config_errors_add(r->errors, mr_reading_place(r, others[i], "", ""),
                                 "%s has no place beside archive", others[i]);
}

void mr_reading_archive(struct mr_reading *r)
{
    const struct mr_report_archive *archive = &r->report->archive;

    check_name(r, "from", archive->from, true);
    check_name(r, "to", archive->to, true);
    check_name(r, "column", archive->column, false);
    check_name(r, "key", archive->key, false);
    if (archive->older_than_ms == 0)
        complain(r, "older_than", "must say how old rows are that are moved, as in 365d");
    if (archive->from && archive->to && strcmp(archive->from, archive->to) == 0)
        complain(r, "to", "must be another table than archive.from");
    refuse_others(r);
}
