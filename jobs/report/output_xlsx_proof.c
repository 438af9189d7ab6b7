/* A finished book is read back: the library does not look whether what it writes while it joins the pieces goes to the disk. */
#include "jobs/report/output_xlsx.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* Of the records of a ZIP file, APPNOTE 4.3: what is read of them, and where it stands in them. */
enum {
    END_BYTES = 22, /* the last record; the library adds no comment */
    END_N = 10,
    END_OFFSET = 16,
    ENTRY_BYTES = 46,
    ENTRY_METHOD = 10,
    ENTRY_CRC = 16,
    ENTRY_PACKED = 20,
    ENTRY_BYTES_OF = 24,
    ENTRY_NAME = 28,
    ENTRY_EXTRA = 30,
    ENTRY_COMMENT = 32,
    ENTRY_OFFSET = 42,
    LOCAL_BYTES = 30,
    LOCAL_NAME = 26,
    LOCAL_EXTRA = 28,
    DEFLATED = 8,
};
enum { PIECE_BYTES = 65536, EDGE = 256, NAME_MAX_BYTES = 64 };

static const char sheets[] = "xl/worksheets/sheet";

/* What was unpacked of a part: one XML document. */
struct part {
    uint64_t bytes;
    uLong crc;
    char head[EDGE + 1], tail[EDGE + 1]; /* its first bytes, and its last */
    size_t n_tail;
};

static uint32_t number_at(const unsigned char *record, unsigned at, unsigned bytes)
{
    uint32_t number = 0;

    for (unsigned i = bytes; i > 0; i--)
        number = number << 8 | record[at + i - 1];
    return number;
}

static bool read_at(int fd, off_t at, void *out, size_t bytes)
{
    return pread(fd, out, bytes, at) == (ssize_t)bytes;
}

/* ---- a part ---- */

static void note(struct part *part, const unsigned char *bytes, size_t n)
{
    part->crc = crc32(part->crc, bytes, (uInt)n);
    for (size_t i = 0; i < n && part->bytes + i < EDGE; i++)
        part->head[part->bytes + i] = (char)bytes[i];
    part->bytes += n;
    size_t fresh = n < EDGE ? n : EDGE;
    size_t old = part->n_tail + fresh > EDGE ? EDGE - fresh : part->n_tail;
    memmove(part->tail, part->tail + part->n_tail - old, old);
    memcpy(part->tail + old, bytes + n - fresh, fresh);
    part->n_tail = old + fresh;
}

/* False unless all of it can be unpacked. */
static bool unpack(int fd, off_t at, size_t packed, struct part *part)
{
    unsigned char *in = mr_zalloc(2 * PIECE_BYTES), *out = in + PIECE_BYTES;
    z_stream z = {0};
    int said = inflateInit2(&z, -MAX_WBITS);

    while (said == Z_OK) {
        if (z.avail_in == 0 && packed > 0) {
            size_t n = packed < PIECE_BYTES ? packed : PIECE_BYTES;

            if (!read_at(fd, at, in, n))
                break;
            z.next_in = in;
            z.avail_in = (uInt)n;
            at += (off_t)n;
            packed -= n;
        }
        z.next_out = out;
        z.avail_out = PIECE_BYTES;
        said = inflate(&z, Z_NO_FLUSH);
        note(part, out, PIECE_BYTES - z.avail_out);
    }
    inflateEnd(&z);
    free(in);
    return said == Z_STREAM_END && packed == 0;
}

/* The element that the document begins with is the one that it ends with. */
static bool ends_well(const struct part *part)
{
    const char *root = strchr(part->head, '<');
    char close[EDGE + 4];

    if (root && root[1] == '?')
        root = strchr(root + 1, '<');
    if (!root)
        return false;
    int n = snprintf(close, sizeof(close), "</%.*s>", (int)strcspn(root + 1, " \t\r\n/>"),
                     root + 1);
    size_t end = part->n_tail;
    while (end > 0 && part->tail[end - 1] == '\n')
        end--;
    return end >= (size_t)n && memcmp(part->tail + end - n, close, (size_t)n) == 0;
}

/* The part of this entry; out_rows gets what belongs to sheets. */
static bool is_good(int fd, const unsigned char *entry, off_t name_at, uint64_t *out_rows)
{
    char name[NAME_MAX_BYTES] = "";
    unsigned char local[LOCAL_BYTES];
    uint32_t at = number_at(entry, ENTRY_OFFSET, 4);
    size_t n_name = number_at(entry, ENTRY_NAME, 2);
    struct part part = {.crc = crc32(0, NULL, 0)};

    if (!read_at(fd, name_at, name, n_name < sizeof(name) ? n_name : sizeof(name) - 1) ||
        !read_at(fd, at, local, sizeof(local)) || number_at(entry, ENTRY_METHOD, 2) != DEFLATED)
        return false;
    off_t from = (off_t)at + LOCAL_BYTES + number_at(local, LOCAL_NAME, 2) +
                 number_at(local, LOCAL_EXTRA, 2);
    if (!unpack(fd, from, number_at(entry, ENTRY_PACKED, 4), &part) ||
        part.crc != number_at(entry, ENTRY_CRC, 4) ||
        part.bytes != number_at(entry, ENTRY_BYTES_OF, 4))
        return false;
    if (strncmp(name, sheets, strlen(sheets)) == 0)
        *out_rows += part.bytes;
    return ends_well(&part);
}

/* ---- the book ---- */

static bool is_whole(const struct mr_xlsx *xlsx)
{
    unsigned char end[END_BYTES], entry[ENTRY_BYTES];
    off_t size = lseek(xlsx->fd, 0, SEEK_END);
    uint64_t rows = 0;

    if (size < END_BYTES || !read_at(xlsx->fd, size - END_BYTES, end, sizeof(end)) ||
        memcmp(end, "PK\5\6", 4) != 0)
        return false;
    off_t at = number_at(end, END_OFFSET, 4);
    for (uint32_t left = number_at(end, END_N, 2); left > 0; left--) {
        if (!read_at(xlsx->fd, at, entry, sizeof(entry)) || memcmp(entry, "PK\1\2", 4) != 0 ||
            !is_good(xlsx->fd, entry, at + ENTRY_BYTES, &rows))
            return false;
        at += ENTRY_BYTES + number_at(entry, ENTRY_NAME, 2) + number_at(entry, ENTRY_EXTRA, 2) +
              number_at(entry, ENTRY_COMMENT, 2);
    }
    return rows > xlsx->row_bytes;
}

enum mr_code mr_xlsx_prove(const struct mr_xlsx *xlsx, struct mr_err *err)
{
    return is_whole(xlsx) ? MR_OK
                          : mr_fail(err, MR_EIO,
                                    "reports.tmpdir: the XLSX file was not written whole: is "
                                    "there room?");
}
