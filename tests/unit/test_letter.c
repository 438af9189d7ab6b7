#include "proto/letter.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct mr_limits limits = {.payload_bytes = 1 << 20, .depth = 64};

static json_t *record_of(const struct mr_letter *letter)
{
    struct mr_buf text = {0};
    json_error_t error;

    mr_letter_meta(&text, letter);
    json_t *record = json_loadb(text.at, text.len, JSON_ALLOW_NUL, &error);
    ck_assert_msg(record != NULL, "%s in %s", error.text, text.at);
    mr_buf_fini(&text);
    return record;
}

static const char *text_of(const json_t *record, const char *key)
{
    return json_string_value(json_object_get(record, key));
}

static json_int_t number_of(const json_t *record, const char *key)
{
    return json_integer_value(json_object_get(record, key));
}

START_TEST(a_letter_names_the_job_and_its_end)
{
    static const char raw[] = "{\"uuid\":\"u-1\",\"job\":\"email.send\",\"pushedAt\":12.5,"
                              "\"errors\":[{\"at_ms\":7,\"error\":\"first\"}]}";
    struct mr_envelope envelope;

    ck_assert_int_eq(mr_envelope_scan(raw, strlen(raw), &limits, &envelope, NULL), MR_OK);
    struct mr_letter letter = {.envelope = &envelope,
                               .id = "u-1",
                               .queue = "high",
                               .dead = MR_DEAD_CRASHED,
                               .reason = "crashed: SIGSEGV",
                               .attempts = 3,
                               .crashes = 3,
                               .died_at_ms = 99,
                               .worker = "w-1",
                               .host = "here"};
    json_t *record = record_of(&letter);
    json_t *history = json_object_get(record, "history");

    ck_assert_int_eq(number_of(record, "v"), 1);
    ck_assert_str_eq(text_of(record, "uuid"), "u-1");
    ck_assert_str_eq(text_of(record, "job"), "email.send");
    ck_assert_str_eq(text_of(record, "queue"), "high");
    ck_assert_str_eq(text_of(record, "class"), "crashed");
    ck_assert_str_eq(text_of(record, "reason"), "crashed: SIGSEGV");
    ck_assert_int_eq(number_of(record, "attempts"), 3);
    ck_assert_int_eq(number_of(record, "crashes"), 3);
    ck_assert_int_eq(number_of(record, "pushed_at_ms"), 12500);
    ck_assert_int_eq(number_of(record, "died_at_ms"), 99);
    ck_assert_ptr_null(json_object_get(record, "big"));
    ck_assert_uint_eq(json_array_size(history), 2);
    ck_assert_str_eq(text_of(json_array_get(history, 0), "error"), "first");
    ck_assert_int_eq(number_of(json_array_get(history, 1), "attempt"), 3);
    ck_assert_str_eq(text_of(json_array_get(history, 1), "outcome"), "crashed");
    json_decref(record);
    mr_envelope_fini(&envelope);
}
END_TEST

START_TEST(unscanned_bytes_have_a_letter_too)
{
    struct mr_envelope envelope = {
        .raw = {"\xff\0x", 3}
    };
    char id[MR_LETTER_ID_MAX];

    mr_letter_id(&envelope, id);
    ck_assert_uint_eq(strlen(id), 36);
    struct mr_letter letter = {.envelope = &envelope,
                               .id = id,
                               .queue = "q",
                               .dead = MR_DEAD_REFUSED,
                               .reason = "not JSON: \xff at byte 0",
                               .big = true};
    json_t *record = record_of(&letter);

    ck_assert_str_eq(text_of(record, "id"), id);
    ck_assert(json_is_null(json_object_get(record, "uuid")));
    ck_assert(json_is_null(json_object_get(record, "job")));
    ck_assert(json_is_null(json_object_get(record, "pushed_at_ms")));
    ck_assert(json_is_true(json_object_get(record, "big")));
    json_decref(record);
}
END_TEST

START_TEST(a_long_reason_is_cut)
{
    struct mr_envelope envelope = {
        .raw = {"{}", 2}
    };
    char reason[5001];

    memset(reason, 'x', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    struct mr_letter letter = {
        .envelope = &envelope, .id = "i", .queue = "q", .reason = reason};
    json_t *record = record_of(&letter);

    ck_assert_uint_eq(strlen(text_of(record, "reason")), MR_LETTER_REASON_BYTES);
    json_decref(record);
}
END_TEST

static const struct {
    const char *uuid;
    bool kept;
} ids[] = {
    {"0192f0c4-0000-7000-8000-000000000000", true },
    {"order_17.b",                           true },
    {"",                                     false},
    {"x:meta",                               false}, /* would be read as the record of x */
    {"x~2",                                  false}, /* would be read as a second x */
    {"two words",                            false},
};

START_TEST(an_id_is_the_uuid_if_that_can_be_a_name)
{
    struct mr_envelope envelope = {.uuid = mr_bytes_of(ids[_i].uuid)};
    char id[MR_LETTER_ID_MAX];

    mr_letter_id(&envelope, id);
    ck_assert_int_eq(strcmp(id, ids[_i].uuid) == 0, ids[_i].kept);
    ck_assert_uint_gt(strlen(id), 0);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_letter_names_the_job_and_its_end,      0            },
        {unscanned_bytes_have_a_letter_too,       0            },
        {a_long_reason_is_cut,                    0            },
        {an_id_is_the_uuid_if_that_can_be_a_name, MR_COUNT(ids)},
    };

    return mr_suite_run("letter", tests);
}
