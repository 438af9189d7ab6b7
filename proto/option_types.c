#include "proto/options.h"

#include "proto/base/duration.h"
#include "proto/base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CHOICES_MAX = 16 };

static void *field(const struct mr_option *row, void *base)
{
    return (char *)base + row->at;
}

static bool is_scalar(const struct mr_option_site *site, const char *what)
{
    if (site->node->type == MR_YAML_SCALAR)
        return true;
    mr_option_complain(site, what);
    return false;
}

/* The next of the words that range holds between bars; *range moves on. False at the end. */
static bool next_word(const char **range, struct mr_bytes *out)
{
    if (**range == '\0')
        return false;
    *out = (struct mr_bytes){*range, strcspn(*range, "|")};
    *range += out->len;
    if (**range == '|')
        (*range)++;
    return true;
}

static json_t *read_text(const struct mr_option_site *site)
{
    return is_scalar(site, "text") ? json_string(site->node->text) : NULL;
}

static void print_text(const json_t *value, bool secrets, struct mr_buf *out)
{
    (void)secrets;
    mr_yaml_quote(out, json_string_value(value));
}

static void fill_text(const struct mr_option *row, const json_t *value, void *base)
{
    *(char **)field(row, base) = mr_strdup(json_string_value(value));
}

static void empty_text(const struct mr_option *row, void *base)
{
    free(*(char **)field(row, base));
}

const struct mr_option_type mr_option_text = {
    .name = "text",
    .read = read_text,
    .print = print_text,
    .fill = fill_text,
    .empty = empty_text,
};

static bool begins_with_any(const char *text, const char *range)
{
    struct mr_bytes word;

    while (next_word(&range, &word))
        if (strncmp(text, word.at, word.len) == 0)
            return true;
    return false;
}

/* A url is not shown where it is wrong: it may hold a password. */
static json_t *read_url(const struct mr_option_site *site)
{
    struct mr_bytes word;
    const char *range = site->row->range;
    struct mr_buf known = {0};

    if (!is_scalar(site, "a url"))
        return NULL;
    if (begins_with_any(site->node->text, range))
        return json_string(site->node->text);
    while (next_word(&range, &word))
        mr_buf_printf(&known, "%s%.*s", known.len ? " or " : "", (int)word.len, word.at);
    mr_config_errors_add(site->errors, site->node->at, "%s must begin with %s", site->path,
                         known.at);
    mr_buf_fini(&known);
    return NULL;
}

/*
 * Hides what stands between the first colon behind the scheme and the last `@`: too much,
 * rather than too little.
 */
static void print_url(const json_t *value, bool secrets, struct mr_buf *out)
{
    const char *url = json_string_value(value);
    const char *user = strstr(url, "://");
    const char *at = strrchr(url, '@');
    const char *colon = user ? strchr(user + 3, ':') : NULL;

    if (secrets || !at || !colon || colon > at) {
        mr_yaml_quote(out, url);
        return;
    }
    char *masked = mr_asprintf("%.*s:***%s", (int)(colon - url), url, at);
    mr_yaml_quote(out, masked);
    free(masked);
}

const struct mr_option_type mr_option_url = {
    .name = "url",
    .read = read_url,
    .print = print_url,
    .fill = fill_text,
    .empty = empty_text,
};

bool mr_option_parse_int(const char *text, int64_t *out)
{
    const char *digits = text + (*text == '-');
    char *end;

    if (*digits < '0' || *digits > '9')
        return false;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || *end)
        return false;
    *out = number;
    return true;
}

static bool parse_ms(const char *text, int64_t *out)
{
    uint64_t ms;

    if (mr_duration_parse(text, &ms, NULL) != MR_OK || ms > INT64_MAX)
        return false;
    *out = (int64_t)ms;
    return true;
}

static bool parse_bytes(const char *text, int64_t *out)
{
    uint64_t bytes;

    if (mr_size_parse(text, &bytes, NULL) != MR_OK || bytes > INT64_MAX)
        return false;
    *out = (int64_t)bytes;
    return true;
}

typedef bool parse_fn(const char *text, int64_t *out);

static bool is_within(const char *range, parse_fn *parse, int64_t number)
{
    const char *dots = strstr(range, "..");
    char *low_text = mr_strndup(range, (size_t)(dots - range));
    int64_t low = 0, high = 0;
    bool known = parse(low_text, &low) && parse(dots + 2, &high);

    free(low_text);
    return known && number >= low && number <= high;
}

static json_t *read_number(const struct mr_option_site *site, parse_fn *parse, const char *what)
{
    char bounds[80];
    int64_t number;

    if (!is_scalar(site, what))
        return NULL;
    if (!parse(site->node->text, &number)) {
        mr_option_complain(site, what);
        return NULL;
    }
    if (site->row->range && !is_within(site->row->range, parse, number)) {
        snprintf(bounds, sizeof(bounds), "within %s", site->row->range);
        mr_option_complain(site, bounds);
        return NULL;
    }
    return json_integer(number);
}

static void fill_number(const struct mr_option *row, const json_t *value, void *base)
{
    json_int_t number = json_integer_value(value);

    if (row->size == sizeof(uint64_t))
        *(uint64_t *)field(row, base) = (uint64_t)number;
    else
        *(uint32_t *)field(row, base) = (uint32_t)number;
}

static json_t *read_ms(const struct mr_option_site *site)
{
    return read_number(site, parse_ms, "a span of time such as 250ms, 10s or 1h30m");
}

static void print_ms(const json_t *value, bool secrets, struct mr_buf *out)
{
    char text[32];

    (void)secrets;
    mr_duration_print((uint64_t)json_integer_value(value), text);
    mr_buf_text(out, text);
}

const struct mr_option_type mr_option_ms = {
    .name = "span of time",
    .suffix = "_ms",
    .read = read_ms,
    .print = print_ms,
    .fill = fill_number,
};

static json_t *read_bytes(const struct mr_option_site *site)
{
    return read_number(site, parse_bytes, "a size such as 512, 64KiB or 8MiB");
}

static void print_bytes(const json_t *value, bool secrets, struct mr_buf *out)
{
    char text[32];

    (void)secrets;
    mr_size_print((uint64_t)json_integer_value(value), text);
    mr_buf_text(out, text);
}

const struct mr_option_type mr_option_bytes = {
    .name = "size",
    .suffix = "_bytes",
    .read = read_bytes,
    .print = print_bytes,
    .fill = fill_number,
};

static json_t *read_count(const struct mr_option_site *site)
{
    return read_number(site, mr_option_parse_int, "a whole number");
}

static void print_integer(const json_t *value, bool secrets, struct mr_buf *out)
{
    (void)secrets;
    mr_buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

const struct mr_option_type mr_option_count = {
    .name = "whole number",
    .read = read_count,
    .print = print_integer,
    .fill = fill_number,
};

static void fill_int(const struct mr_option *row, const json_t *value, void *base)
{
    *(int *)field(row, base) = (int)json_integer_value(value);
}

const struct mr_option_type mr_option_int = {
    .name = "whole number",
    .read = read_count,
    .print = print_integer,
    .fill = fill_int,
};

static json_t *read_bool(const struct mr_option_site *site)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};

    for (size_t i = 0; site->node->type == MR_YAML_SCALAR && i < MR_COUNT(yes); i++) {
        if (strcmp(site->node->text, yes[i]) == 0)
            return json_true();
        if (strcmp(site->node->text, no[i]) == 0)
            return json_false();
    }
    mr_option_complain(site, "true or false");
    return NULL;
}

static void print_bool(const json_t *value, bool secrets, struct mr_buf *out)
{
    (void)secrets;
    mr_buf_text(out, json_is_true(value) ? "true" : "false");
}

static void fill_bool(const struct mr_option *row, const json_t *value, void *base)
{
    *(bool *)field(row, base) = json_is_true(value);
}

const struct mr_option_type mr_option_bool = {
    .name = "true or false",
    .read = read_bool,
    .print = print_bool,
    .fill = fill_bool,
};

/* The place of text among the words of range, or -1. */
static int choice_index(const char *range, const char *text)
{
    struct mr_bytes word;

    for (int i = 0; next_word(&range, &word); i++)
        if (mr_bytes_is(word, text))
            return i;
    return -1;
}

static void complain_of_choice(const struct mr_option_site *site)
{
    char *words[CHOICES_MAX];
    const char *meant = NULL;
    struct mr_buf what = {0};
    struct mr_bytes word;
    size_t n = 0;

    for (const char *range = site->row->range; n < CHOICES_MAX && next_word(&range, &word);) {
        words[n++] = mr_strndup(word.at, word.len);
        mr_buf_printf(&what, "%s%s", n == 1 ? "one of " : ", ", words[n - 1]);
    }
    if (site->node->type == MR_YAML_SCALAR)
        meant = mr_str_nearest(site->node->text, (const char *const *)words, n);
    mr_option_complain_meant(site, what.at, meant);
    while (n > 0)
        free(words[--n]);
    mr_buf_fini(&what);
}

static json_t *read_choice(const struct mr_option_site *site)
{
    if (site->node->type == MR_YAML_SCALAR &&
        choice_index(site->row->range, site->node->text) >= 0)
        return json_string(site->node->text);
    complain_of_choice(site);
    return NULL;
}

static void fill_choice(const struct mr_option *row, const json_t *value, void *base)
{
    *(unsigned *)field(row, base) =
        (unsigned)choice_index(row->range, json_string_value(value));
}

const struct mr_option_type mr_option_choice = {
    .name = "choice",
    .read = read_choice,
    .print = print_text,
    .fill = fill_choice,
};
