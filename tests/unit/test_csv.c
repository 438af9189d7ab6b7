#include "jobs/services/csv.h"
#include "tests/support/suite.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT(literal)                                                                          \
    {                                                                                          \
        {(literal), sizeof(literal) - 1}, MR_CSV_TEXT                                          \
    }
#define NUMBER(literal)                                                                        \
    {                                                                                          \
        {(literal), sizeof(literal) - 1}, MR_CSV_NUMBER                                        \
    }
#define NOTHING                                                                                \
    {                                                                                          \
        {NULL, 0}, MR_CSV_TEXT                                                                 \
    }
#define BAD "\xef\xbf\xbd"

static const struct {
    struct mr_csv_field field;
    const char *want; /* as the second field of a row whose first is x */
} fields[] = {
    {TEXT("plain"),                          "plain"                                      },
    {TEXT("two words"),                      "two words"                                  },
    {TEXT("a,b"),                            "\"a,b\""                                    },
    {TEXT("say \"hi\""),                     "\"say \"\"hi\"\"\""                         },
    {TEXT("\""),                             "\"\"\"\""                                   },
    {TEXT("one\ntwo"),                       "\"one\ntwo\""                               },
    {TEXT("one\r\ntwo"),                     "\"one\r\ntwo\""                             },
    {TEXT(" x"),                             "\" x\""                                     },
    {TEXT("x "),                             "\"x \""                                     },
    {TEXT(""),                               "\"\""                                       },
    {NOTHING,                                ""                                           },
    {NUMBER(""),                             "\"\""                                       },
    {TEXT("Gr\xc3\xbc\xc3\x9f"
          "e \xf0\x9f\x90\x8e"),
     "Gr\xc3\xbc\xc3\x9f"
     "e \xf0\x9f\x90\x8e"                                                                 },
 /* formulas */
    {TEXT("=1+1"),                           "'=1+1"                                      },
    {TEXT("=HYPERLINK(\"http://x\",\"y\")"), "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""},
    {TEXT("+49 30 1"),                       "'+49 30 1"                                  },
    {TEXT("-5"),                             "'-5"                                        },
    {TEXT("@SUM(A1)"),                       "'@SUM(A1)"                                  },
    {TEXT("\t=1"),                           "'\t=1"                                      },
    {TEXT("\r=1"),                           "\"'\r=1\""                                  },
    {TEXT("\n=1"),                           "\"'\n=1\""                                  },
    {TEXT("\xef\xbc\x9d"
          "1+1"),
     "'\xef\xbc\x9d"
     "1+1"                                                                                },
    {TEXT("a=b"),                            "a=b"                                        },
    {TEXT("ann@example.org"),                "ann@example.org"                            },
 /* numbers */
    {NUMBER("-5"),                           "-5"                                         },
    {NUMBER("+5"),                           "+5"                                         },
    {NUMBER("-0.25"),                        "-0.25"                                      },
    {NUMBER("-.5"),                          "-.5"                                        },
    {NUMBER("-1e9"),                         "-1e9"                                       },
    {NUMBER("-1.5E-07"),                     "-1.5E-07"                                   },
    {NUMBER("-9223372036854775808"),         "-9223372036854775808"                       },
    {NUMBER("-5+cmd|' /C calc'!A0"),         "'-5+cmd|' /C calc'!A0"                      },
    {NUMBER("-"),                            "'-"                                         },
    {NUMBER("-."),                           "'-."                                        },
    {NUMBER("-1e"),                          "'-1e"                                       },
    {NUMBER("=1"),                           "'=1"                                        },
    {NUMBER("2026-01-31"),                   "2026-01-31"                                 },
 /* what no reader can take */
    {TEXT("a\0b"),                           "a" BAD "b"                                  },
    {TEXT("\0=1"),                           BAD "=1"                                     },
    {TEXT("caf\xe9"),                        "caf" BAD                                    },
    {TEXT("\xc0\xaf,"),                      "\"" BAD BAD ",\""                           },
    {TEXT("\xed\xa0\x80"),                   BAD BAD BAD                                  },
    {TEXT("\xf0\x9f\x90"),                   BAD BAD BAD                                  },
};

START_TEST(a_field_is_written_as_readers_want_it)
{
    struct mr_csv_field row[] = {TEXT("x"), fields[_i].field};
    struct mr_buf out = {0};
    char want[200];

    mr_csv_row(&out, ',', row, 2);
    snprintf(want, sizeof(want), "x,%s\r\n", fields[_i].want);
    ck_assert_str_eq(out.at, want);
    mr_buf_fini(&out);
}
END_TEST

START_TEST(a_row_of_one_field_is_never_an_empty_line)
{
    static const struct mr_csv_field nothing = NOTHING, empty = TEXT(""), word = TEXT("x");
    struct mr_buf out = {0};

    mr_csv_row(&out, ',', &nothing, 1);
    mr_csv_row(&out, ',', &empty, 1);
    mr_csv_row(&out, ',', &word, 1);
    ck_assert_str_eq(out.at, "\"\"\r\n\"\"\r\nx\r\n");
    mr_buf_fini(&out);
}
END_TEST

static const struct {
    char separator;
    struct mr_csv_field field;
    const char *want;
} separated[] = {
    {';',  TEXT("a,b"),                          "a,b"          },
    {';',  TEXT("a;b"),                          "\"a;b\""      },
    {',',  TEXT("a;b"),                          "a;b"          },
    {'\t', TEXT("a\tb"),                         "\"a\tb\""     },
    {'\t', TEXT("a b"),                          "a b"          },
    {',',  {{"-1,234.50", 9}, MR_CSV_FORMATTED}, "\"-1,234.50\""},
    {';',  {{"-1.234,50", 9}, MR_CSV_FORMATTED}, "-1.234,50"    },
    {';',  {{"-1.234,50", 9}, MR_CSV_NUMBER},    "'-1.234,50"   },
};

START_TEST(a_field_is_quoted_where_it_has_the_separator)
{
    struct mr_csv_field row[] = {TEXT("x"), separated[_i].field};
    struct mr_buf out = {0};
    char want[200];

    mr_csv_row(&out, separated[_i].separator, row, 2);
    snprintf(want, sizeof(want), "x%c%s\r\n", separated[_i].separator, separated[_i].want);
    ck_assert_str_eq(out.at, want);
    mr_buf_fini(&out);
}
END_TEST

/* ---- a second reader: Python's csv module ---- */

/* The file as Python reads it: an array of arrays of strings, the caller's. */
static json_t *read_by_python(const char *path)
{
    static const char program[] =
        "import csv, json, sys; "
        "print(json.dumps(list(csv.reader(open(sys.argv[1], newline='', encoding='utf-8'), "
        "strict=True))))";
    int ends[2], status;

    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        execl("/usr/bin/python3", "python3", "-c", program, path, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *in = fdopen(ends[0], "r");
    json_t *rows = json_loadf(in, 0, NULL);
    fclose(in);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0 && rows, "Python could not read it: status %d", status);
    return rows;
}

static void write_file(char *path, const struct mr_buf *bytes)
{
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes->at, bytes->len), (ssize_t)bytes->len);
    close(fd);
}

START_TEST(python_reads_back_what_was_written)
{
    static const struct mr_csv_field head[] = {TEXT("id"), TEXT("text")};
    char path[] = "/tmp/millrace-csv-XXXXXX", number[16];
    struct mr_buf out = {0};

    mr_csv_row(&out, ',', head, MR_COUNT(head));
    for (size_t i = 0; i < MR_COUNT(fields); i++) {
        snprintf(number, sizeof(number), "%zu", i);
        struct mr_csv_field row[] = {
            {mr_bytes_of(number), MR_CSV_NUMBER},
            fields[i].field
        };

        mr_csv_row(&out, ',', row, MR_COUNT(row));
    }
    write_file(path, &out);
    json_t *rows = read_by_python(path);
    ck_assert_uint_eq(json_array_size(rows), 1 + MR_COUNT(fields));
    for (size_t i = 0; i < MR_COUNT(fields); i++) {
        json_t *row = json_array_get(rows, i + 1);
        const char *text = json_string_value(json_array_get(row, 1));
        struct mr_bytes given = fields[i].field.bytes;

        ck_assert_uint_eq(json_array_size(row), 2);
        ck_assert_int_eq(atoi(json_string_value(json_array_get(row, 0))), (int)i);
        /* But for the apostrophe and U+FFFD, whose rows are judged above, the text is the one that was given. */
        if (text[0] != '\'' && !strstr(text, BAD))
            ck_assert_msg(strlen(text) == given.len &&
                              (given.len == 0 || memcmp(text, given.at, given.len) == 0),
                          "row %zu: %s", i, text);
    }
    json_decref(rows);
    unlink(path);
    mr_buf_fini(&out);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_field_is_written_as_readers_want_it,        MR_COUNT(fields)   },
        {a_field_is_quoted_where_it_has_the_separator, MR_COUNT(separated)},
        {a_row_of_one_field_is_never_an_empty_line,    0                  },
        {python_reads_back_what_was_written,           0                  },
    };

    return mr_suite_run("csv", tests);
}
