#include "proto/base/log.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *volatile nothing; /* volatile: the compiler warns of a NULL it can see */
static int read_end;
static char line[16384];

/* stderr becomes a pipe; each test is a process of its own. */
static void capture(enum mr_log_level level, enum mr_log_format format)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    read_end = ends[0];
    mr_log_open("dispatcher", level, format);
}

static const char *logged(void)
{
    ssize_t n = read(read_end, line, sizeof(line) - 1);

    line[n > 0 ? n : 0] = '\0';
    return line;
}

/* What stands behind "<time> <level> <program>[pid] ". */
static const char *logged_words(void)
{
    const char *bracket = strstr(logged(), "] ");

    ck_assert_ptr_nonnull(bracket);
    return bracket + 2;
}

static json_t *logged_json(void)
{
    json_error_t error;
    json_t *object = json_loads(logged(), JSON_REJECT_DUPLICATES, &error);

    ck_assert_msg(object != NULL, "%s in %s", error.text, line);
    return object;
}

START_TEST(a_text_line_has_time_level_program_event_and_words)
{
    char want[128];

    capture(MR_LOG_INFO, MR_LOG_TEXT);
    mr_log_info("slot.exited", "pool=%s slot=%u status=%d", "high", 2u, -9);
    logged();
    ck_assert_uint_eq(strspn(line, "0123456789-T:.Z"), strlen("2026-11-23T17:00:00.123Z"));
    ck_assert_int_eq(line[4], '-');
    ck_assert_int_eq(line[10], 'T');
    ck_assert_int_eq(line[19], '.');
    ck_assert_int_eq(line[23], 'Z');
    snprintf(want, sizeof(want),
             " info dispatcher[%d] slot.exited pool=high slot=2 status=-9\n", (int)getpid());
    ck_assert_str_eq(line + 24, want);
}
END_TEST

START_TEST(a_value_cannot_forge_a_line_or_a_word)
{
    capture(MR_LOG_INFO, MR_LOG_TEXT);
    mr_log_info("a.b", "x=%s y=%s", "1 y=2\nerror \"\\", "\x1b[2J\xff");
    ck_assert_str_eq(logged_words(),
                     "a.b x=\"1 y=2\\nerror \\\"\\\\\" y=\"\\u001b[2J\xef\xbf\xbd\"\n");
}
END_TEST

START_TEST(empty_and_null_strings_are_told_apart)
{
    capture(MR_LOG_INFO, MR_LOG_TEXT);
    mr_log_info("a.b", "empty=%s absent=%s", "", nothing);
    ck_assert_str_eq(logged_words(), "a.b empty=\"\" absent=-\n");
}
END_TEST

START_TEST(every_conversion_takes_its_own_argument)
{
    capture(MR_LOG_INFO, MR_LOG_TEXT);
    mr_log_info("a.b",
                "d=%d u=%u ld=%ld lu=%lu lld=%lld llu=%llu zu=%zu zd=%zd x=%x c=%c f=%.2f g=%g "
                "s=%.*s u64=%" PRIu64 " i64=%" PRId64 " at=%s:%u pct=%d%% p=%p end=%d",
                -1, UINT_MAX, LONG_MIN, ULONG_MAX, LLONG_MIN, ULLONG_MAX, SIZE_MAX, (ssize_t)-2,
                0xbeefu, 'c', 1.005, 0.25, 3, "abcdef", UINT64_MAX, INT64_MIN, "::1", 6379u, 50,
                NULL, 7);
    ck_assert_str_eq(logged_words(),
                     "a.b d=-1 u=4294967295 ld=-9223372036854775808 lu=18446744073709551615 "
                     "lld=-9223372036854775808 llu=18446744073709551615 "
                     "zu=18446744073709551615 zd=-2 x=beef c=c f=1.00 g=0.25 s=abc "
                     "u64=18446744073709551615 i64=-9223372036854775808 at=::1:6379 pct=50% "
                     "p=(nil) end=7\n");
}
END_TEST

START_TEST(a_json_line_keeps_numbers_numbers)
{
    capture(MR_LOG_INFO, MR_LOG_JSON);
    mr_log_warn("slot.exited", "pool=%s slot=%u ratio=%g absent=%s at_host=%s:%d state=ready",
                "hi\"gh", 2u, 0.5, nothing, "h", 1);
    json_t *object = logged_json();
    const char *level, *program, *event, *pool, *host, *state;
    int pid, slot;
    double ratio;

    ck_assert_int_eq(json_unpack(object, "{s:s,s:s,s:i,s:s,s:s,s:i,s:f,s:n,s:s,s:s}", "level",
                                 &level, "program", &program, "pid", &pid, "event", &event,
                                 "pool", &pool, "slot", &slot, "ratio", &ratio, "absent",
                                 "at_host", &host, "state", &state),
                     0);
    ck_assert_str_eq(level, "warn");
    ck_assert_str_eq(program, "dispatcher");
    ck_assert_int_eq(pid, getpid());
    ck_assert_str_eq(event, "slot.exited");
    ck_assert_str_eq(pool, "hi\"gh");
    ck_assert_int_eq(slot, 2);
    ck_assert_double_eq(ratio, 0.5);
    ck_assert_str_eq(host, "h:1");
    ck_assert_str_eq(state, "ready");
    json_decref(object);
}
END_TEST

START_TEST(a_json_word_never_repeats_a_fixed_member)
{
    capture(MR_LOG_INFO, MR_LOG_JSON);
    mr_log_info("a.b", "pid=%d event=%s", 7, "x");
    json_t *object = logged_json();

    ck_assert_int_eq(json_integer_value(json_object_get(object, "pid")), getpid());
    ck_assert_int_eq(json_integer_value(json_object_get(object, "pid_")), 7);
    ck_assert_str_eq(json_string_value(json_object_get(object, "event_")), "x");
    json_decref(object);
}
END_TEST

START_TEST(what_is_no_finite_number_is_a_json_string)
{
    capture(MR_LOG_INFO, MR_LOG_JSON);
    mr_log_info("a.b", "x=%f", (double)INFINITY);
    json_t *object = logged_json();

    ck_assert_str_eq(json_string_value(json_object_get(object, "x")), "inf");
    json_decref(object);
}
END_TEST

START_TEST(lines_above_the_level_are_not_written)
{
    capture(MR_LOG_WARN, MR_LOG_TEXT);
    mr_log_info("a.b", "x=%d", 1);
    mr_log_debug("a.b", "x=%d", 1);
    ck_assert_str_eq(logged(), "");
    mr_log_error("a.b", "x=%d", 1);
    ck_assert_str_eq(logged_words(), "a.b x=1\n");
}
END_TEST

START_TEST(a_long_line_stays_one_write_and_says_so)
{
    char *big = mr_zalloc(100001);

    memset(big, '\n', 100000);
    capture(MR_LOG_INFO, _i ? MR_LOG_JSON : MR_LOG_TEXT);
    mr_log_info("a.b", "one=%s two=%s three=%s four=%s last=%d", big, big, big, big, 4);
    logged();
    ck_assert_uint_le(strlen(line), PIPE_BUF);
    ck_assert_ptr_nonnull(
        strstr(line, _i ? "\"last\":4,\"cut\":true}\n" : " last=4 cut=true\n"));
    free(big);
}
END_TEST

START_TEST(a_full_pipe_drops_the_line_and_does_not_block)
{
    capture(MR_LOG_INFO, MR_LOG_TEXT);
    for (int i = 0; i < 100000; i++)
        mr_log_info("a.b", "i=%d", i);
    ck_assert_ptr_nonnull(strstr(logged(), "a.b i=0\n"));
}
END_TEST

static void log_with_first(const struct mr_log_word *first, size_t n_first, const char *format,
                           ...) __attribute__((format(printf, 3, 4)));

static void log_with_first(const struct mr_log_word *first, size_t n_first, const char *format,
                           ...)
{
    va_list args;

    va_start(args, format);
    mr_log_words(MR_LOG_INFO, "a.b", first, n_first, format, args);
    va_end(args);
}

START_TEST(words_of_an_object_come_before_those_of_the_format)
{
    const struct mr_log_word first[] = {
        {"job",  "email.send" },
        {"uuid", "1 forged=\""}
    };

    capture(MR_LOG_INFO, MR_LOG_TEXT);
    log_with_first(first, MR_COUNT(first), "code=%d", 550);
    ck_assert_str_eq(logged_words(), "a.b job=email.send uuid=\"1 forged=\\\"\" code=550\n");
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_text_line_has_time_level_program_event_and_words, 0},
        {a_value_cannot_forge_a_line_or_a_word,              0},
        {empty_and_null_strings_are_told_apart,              0},
        {every_conversion_takes_its_own_argument,            0},
        {a_json_line_keeps_numbers_numbers,                  0},
        {a_json_word_never_repeats_a_fixed_member,           0},
        {what_is_no_finite_number_is_a_json_string,          0},
        {lines_above_the_level_are_not_written,              0},
        {a_long_line_stays_one_write_and_says_so,            2},
        {a_full_pipe_drops_the_line_and_does_not_block,      0},
        {words_of_an_object_come_before_those_of_the_format, 0},
    };

    return mr_suite_run("log", tests);
}
