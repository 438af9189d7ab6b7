#include "jobs/report/output_xlsx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { CLOSING_COPIES = 2 }; /* of what the rows need: the sheet's own file, and the archive */

/* ---- files ---- */

static int unnamed_by_hand(const char *dir)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/millrace-report-XXXXXX", dir);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

int mr_xlsx_unnamed(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    return fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR) ? unnamed_by_hand(dir) : fd;
}

static enum mr_code is_full(struct mr_err *err)
{
    return mr_fail(err, MR_EIO, "reports.tmpdir: no room is left for the XLSX file's pieces");
}

enum mr_code mr_xlsx_check(const struct mr_xlsx *xlsx, struct mr_err *err)
{
    return ferror(xlsx->sheet->optimize_tmpfile) ? is_full(err) : MR_OK;
}

enum mr_code mr_xlsx_seal(struct mr_xlsx *xlsx, struct mr_err *err)
{
    lxw_worksheet *sheet;
    struct statvfs disk;

    STAILQ_FOREACH(sheet, xlsx->workbook->worksheets, list_pointers)
    {
        if (!sheet->optimize_tmpfile)
            continue;
        if (fflush(sheet->optimize_tmpfile) != 0 || ferror(sheet->optimize_tmpfile))
            return is_full(err);
        xlsx->row_bytes += (uint64_t)ftello(sheet->optimize_tmpfile);
    }
    if (fstatvfs(xlsx->fd, &disk) == 0 &&
        (uint64_t)disk.f_bavail * disk.f_frsize < xlsx->row_bytes * CLOSING_COPIES)
        return is_full(err);
    return MR_OK;
}

/* ---- texts ---- */

lxw_error mr_xlsx_text(struct mr_xlsx *xlsx, lxw_row_t row, lxw_col_t column,
                       struct mr_bytes text, lxw_format *format)
{
    struct mr_buf *clean = &xlsx->clean;
    size_t n;

    mr_buf_clear(clean);
    mr_buf_add(clean, "", 0);
    for (size_t i = 0; i < text.len; i += n ? n : 1) {
        unsigned char c = (unsigned char)text.at[i];

        n = mr_str_utf8(text.at + i, text.len - i);
        if (n == 0 || (c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7f)
            mr_buf_text(clean, "\xef\xbf\xbd");
        else
            mr_buf_add(clean, text.at + i, n);
    }
    return worksheet_write_string(xlsx->sheet, row, column, clean->at, format);
}

/* ---- patterns ---- */

static void number_pattern(const struct mr_report_column *column, struct mr_buf *out)
{
    int places = column->decimals >= 0 ? column->decimals : (int)column->minor;

    if (column->decimals < 0 && !column->minor && !column->thousands)
        return;
    mr_buf_text(out, column->thousands ? "#,##0" : "0");
    if (places > 0)
        mr_buf_printf(out, ".%.*s", places, "000000000000");
    else if (column->type == MR_REPORT_DECIMAL && column->decimals < 0)
        mr_buf_text(out, ".##########");
}

/* Spreadsheets have days and months in small letters; what is none of ours is said as it stands. */
static void day_pattern(const struct mr_report_column *column, struct mr_buf *out)
{
    const char *format = column->format ? column->format : "YYYY-MM-DD hh:mm:ss";
    size_t len = column->format || column->type == MR_REPORT_DATETIME ? strlen(format)
                                                                      : strlen("YYYY-MM-DD");

    for (size_t i = 0; i < len; i++) {
        char c = format[i];

        if (strchr("YMD", c))
            mr_buf_char(out, (char)(c - 'A' + 'a'));
        else if (strchr("hms-./: ,", c))
            mr_buf_char(out, c);
        else
            mr_buf_printf(out, "\\%c", c);
    }
}

void mr_xlsx_pattern(const struct mr_report_column *column, struct mr_buf *out)
{
    if (mr_column_is_number(column))
        number_pattern(column, out);
    else if (column->type == MR_REPORT_DATE || column->type == MR_REPORT_DATETIME)
        day_pattern(column, out);
}
