#include "proto/base/log.h"

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = PIPE_BUF, /* a write of no more is one piece, whoever else writes there */
    VALUE_MAX_BYTES = 1500,
    FIRST_MAX_BYTES = 200,
    END_ROOM = sizeof(",\"cut\":true}\n"),
};

/* The one piece of mutable state of the program's bottom shelf: set at start, read by all. */
static struct {
    const char *program;
    enum mr_log_level level;
    enum mr_log_format format;
} log_state = {"millrace", MR_LOG_INFO, MR_LOG_TEXT};

static const char *const level_names[] = {
    [MR_LOG_ERROR] = "error",
    [MR_LOG_WARN] = "warn",
    [MR_LOG_INFO] = "info",
    [MR_LOG_DEBUG] = "debug",
};

void mr_log_open(const char *program, enum mr_log_level level, enum mr_log_format format)
{
    log_state.program = program;
    log_state.level = level;
    log_state.format = format;
}

enum mr_log_level mr_log_level(void)
{
    return log_state.level;
}

/* A va_list that helpers can draw from by pointer. */
struct arguments {
    va_list list;
};

/* One `key=value` of the format, with its value rendered. */
struct word {
    struct mr_bytes key;
    struct mr_buf value;
    unsigned pieces; /* conversions and stretches of literal text in the value */
    bool number;     /* the last piece is a JSON number; with pieces == 1 the value is one */
    bool absent;     /* a NULL string */
};

enum width { WIDTH_INT, WIDTH_LONG, WIDTH_LONG_LONG, WIDTH_SIZE, WIDTH_MAX };

struct conversion {
    enum width width;
    int precision; /* -1: none given */
    char letter;
};

/* Reads what stands behind a `%`. Flags and field widths only pad, so they are passed over. */
static const char *read_conversion(const char *p, struct arguments *args,
                                   struct conversion *out)
{
    *out = (struct conversion){.precision = -1};
    p += strspn(p, "-+ #0123456789");
    if (*p == '.') {
        p++;
        if (*p == '*') {
            out->precision = va_arg(args->list, int);
            p++;
        } else {
            out->precision = 0;
            for (; *p >= '0' && *p <= '9'; p++)
                out->precision = out->precision * 10 + (*p - '0');
        }
    }
    for (; *p && strchr("lzjth", *p); p++) {
        if (*p == 'l')
            out->width = out->width == WIDTH_LONG ? WIDTH_LONG_LONG : WIDTH_LONG;
        else if (*p == 'z' || *p == 't')
            out->width = WIDTH_SIZE;
        else if (*p == 'j')
            out->width = WIDTH_MAX;
    }
    out->letter = *p;
    return *p ? p + 1 : p;
}

static intmax_t next_signed(struct arguments *args, enum width width)
{
    switch (width) {
    case WIDTH_LONG:
        return va_arg(args->list, long);
    case WIDTH_LONG_LONG:
        return va_arg(args->list, long long);
    case WIDTH_SIZE:
        return va_arg(args->list, ptrdiff_t);
    case WIDTH_MAX:
        return va_arg(args->list, intmax_t);
    case WIDTH_INT:
        break;
    }
    return va_arg(args->list, int);
}

static uintmax_t next_unsigned(struct arguments *args, enum width width)
{
    switch (width) {
    case WIDTH_LONG:
        return va_arg(args->list, unsigned long);
    case WIDTH_LONG_LONG:
        return va_arg(args->list, unsigned long long);
    case WIDTH_SIZE:
        return va_arg(args->list, size_t);
    case WIDTH_MAX:
        return va_arg(args->list, uintmax_t);
    case WIDTH_INT:
        break;
    }
    return va_arg(args->list, unsigned);
}

static void add_string(struct word *word, const char *text, int precision)
{
    word->absent = text == NULL;
    if (text)
        mr_buf_add(&word->value, text,
                   strnlen(text, precision >= 0 ? (size_t)precision : VALUE_MAX_BYTES));
}

static void add_double(struct word *word, double number, const struct conversion *c)
{
    int digits = c->precision >= 0 ? c->precision : 6;

    word->number = isfinite(number);
    if (c->letter == 'f')
        mr_buf_printf(&word->value, "%.*f", digits, number);
    else
        mr_buf_printf(&word->value, "%.*g", digits, number);
}

/* Renders one conversion at the end of the word's value. */
static void add_conversion(struct word *word, const struct conversion *c,
                           struct arguments *args)
{
    word->pieces++;
    word->number = false;
    switch (c->letter) {
    case 'd':
    case 'i':
        mr_buf_printf(&word->value, "%" PRIdMAX, next_signed(args, c->width));
        word->number = true;
        break;
    case 'u':
        mr_buf_printf(&word->value, "%" PRIuMAX, next_unsigned(args, c->width));
        word->number = true;
        break;
    case 'x':
        mr_buf_printf(&word->value, "%" PRIxMAX, next_unsigned(args, c->width));
        break;
    case 'e':
    case 'f':
    case 'g':
        add_double(word, va_arg(args->list, double), c);
        break;
    case 'c':
        mr_buf_char(&word->value, (char)va_arg(args->list, int));
        break;
    case 'p':
        mr_buf_printf(&word->value, "%p", va_arg(args->list, void *));
        break;
    case 's':
        add_string(word, va_arg(args->list, const char *), c->precision);
        break;
    default: /* "%%"; the compiler has checked that nothing else comes here */
        mr_buf_char(&word->value, '%');
        break;
    }
}

/* Reads the next word of the format into word and gives what follows it. */
static const char *read_word(const char *format, struct arguments *args, struct word *word)
{
    struct mr_buf value = word->value;

    mr_buf_clear(&value);
    *word = (struct word){
        .key = {format, strcspn(format, "= ")},
          .value = value
    };
    const char *p = format + word->key.len;
    if (*p == '=')
        p++;
    while (*p && *p != ' ') {
        size_t literal = strcspn(p, "% ");

        if (literal > 0) {
            mr_buf_add(&word->value, p, literal);
            word->pieces++;
            p += literal;
        } else {
            struct conversion c;

            p = read_conversion(p + 1, args, &c);
            add_conversion(word, &c, args);
        }
    }
    if (word->value.len > VALUE_MAX_BYTES)
        word->value.len = VALUE_MAX_BYTES;
    return p + strspn(p, " ");
}

static bool is_plain(const struct mr_buf *value)
{
    for (size_t i = 0; i < value->len; i++) {
        char c = value->at[i];

        if (c <= ' ' || c > '~' || c == '"' || c == '\\')
            return false;
    }
    return value->len > 0;
}

static void add_quoted(struct mr_buf *line, const char *bytes, size_t len)
{
    mr_buf_char(line, '"');
    mr_buf_json(line, bytes, len);
    mr_buf_char(line, '"');
}

static void add_text_word(struct mr_buf *line, const struct word *word)
{
    mr_buf_char(line, ' ');
    mr_buf_add(line, word->key.at, word->key.len);
    mr_buf_char(line, '=');
    if (word->absent && word->pieces == 1)
        mr_buf_char(line, '-');
    else if (is_plain(&word->value))
        mr_buf_add(line, word->value.at, word->value.len);
    else
        add_quoted(line, word->value.at, word->value.len);
}

/*
 * The members that every JSON line begins with; a word of the same name gets a `_` behind it.
 */
static bool is_fixed_member(struct mr_bytes key)
{
    static const char *const fixed[] = {"at", "level", "program", "pid", "event"};

    for (size_t i = 0; i < MR_COUNT(fixed); i++)
        if (mr_bytes_is(key, fixed[i]))
            return true;
    return false;
}

static void add_json_word(struct mr_buf *line, const struct word *word)
{
    mr_buf_text(line, ",\"");
    mr_buf_json(line, word->key.at, word->key.len);
    mr_buf_text(line, is_fixed_member(word->key) ? "_\":" : "\":");
    if (word->absent && word->pieces == 1)
        mr_buf_text(line, "null");
    else if (word->number && word->pieces == 1)
        mr_buf_add(line, word->value.at, word->value.len);
    else
        add_quoted(line, word->value.at, word->value.len);
}

/* Adds the words that fit; one that does not is left out whole, and the line says so. */
static void add_words(struct mr_buf *line, const char *format, struct arguments *args)
{
    bool json = log_state.format == MR_LOG_JSON, cut = false;
    struct word word = {0};

    format += strspn(format, " ");
    while (*format) {
        size_t before = line->len;

        format = read_word(format, args, &word);
        if (json)
            add_json_word(line, &word);
        else
            add_text_word(line, &word);
        if (line->len > LINE_MAX_BYTES - END_ROOM) {
            line->len = before;
            cut = true;
        }
    }
    if (cut)
        mr_buf_text(line, json ? ",\"cut\":true" : " cut=true");
    mr_buf_fini(&word.value);
}

static void add_head(struct mr_buf *line, enum mr_log_level level, const char *event)
{
    uint64_t now_ms = mr_clock_wall_ms();
    time_t now_s = (time_t)(now_ms / 1000);
    struct tm tm;
    char at[32];

    gmtime_r(&now_s, &tm);
    strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%S", &tm);
    mr_buf_printf(line,
                  log_state.format == MR_LOG_JSON
                      ? "{\"at\":\"%s.%03uZ\",\"level\":\"%s\",\"program\":\"%s\",\"pid\":%ld,"
                        "\"event\":\"%s\""
                      : "%s.%03uZ %s %s[%ld] %s",
                  at, (unsigned)(now_ms % 1000), level_names[level], log_state.program,
                  (long)getpid(), event);
}

/* A log that nobody reads must not stop the work: what the pipe cannot take now is dropped. */
static void write_line(const struct mr_buf *line)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&out, 1, 0) == 1 && (out.revents & POLLOUT)) {
        ssize_t written = write(STDERR_FILENO, line->at, line->len);
        (void)written;
    }
}

static void add_first_word(struct mr_buf *line, const struct mr_log_word *first)
{
    struct word word = {.key = mr_bytes_of(first->key)};

    add_string(&word, first->value, FIRST_MAX_BYTES);
    word.pieces = 1;
    if (log_state.format == MR_LOG_JSON)
        add_json_word(line, &word);
    else
        add_text_word(line, &word);
    mr_buf_fini(&word.value);
}

void mr_log_words(enum mr_log_level level, const char *event, const struct mr_log_word *first,
                  size_t n_first, const char *format, va_list list)
{
    struct mr_buf line = {0};
    struct arguments args;

    if (level > log_state.level)
        return;
    add_head(&line, level, event);
    for (size_t i = 0; i < n_first; i++)
        add_first_word(&line, &first[i]);
    va_copy(args.list, list);
    add_words(&line, format, &args);
    va_end(args.list);
    mr_buf_text(&line, log_state.format == MR_LOG_JSON ? "}\n" : "\n");
    write_line(&line);
    mr_buf_fini(&line);
}

void mr_log(enum mr_log_level level, const char *event, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    mr_log_words(level, event, NULL, 0, format, args);
    va_end(args);
}
