/* Any bytes as the body of a request to the dispatcher: taken only as the table says, and again after it was printed. */
#include "dispatcher/json_body.h"
#include "proto/base/mem.h"
#include "tests/fuzz/must.h"

#include <string.h>

struct wish {
    long long count;
    double ratio;
    const char *text;
    bool all;
    json_t *ids, *filter, *data;
};

static const struct mr_member members[] = {
    {"count",  MR_MEMBER_INTEGER, offsetof(struct wish, count),  -5, 100, false},
    {"ratio",  MR_MEMBER_NUMBER,  offsetof(struct wish, ratio),  0,  1,   false},
    {"text",   MR_MEMBER_TEXT,    offsetof(struct wish, text),   0,  0,   true },
    {"all",    MR_MEMBER_TRUE,    offsetof(struct wish, all),    0,  0,   false},
    {"ids",    MR_MEMBER_ARRAY,   offsetof(struct wish, ids),    0,  0,   false},
    {"filter", MR_MEMBER_OBJECT,  offsetof(struct wish, filter), 0,  0,   false},
    {"data",   MR_MEMBER_ANY,     offsetof(struct wish, data),   0,  0,   false},
};

/* What was taken is what the JSON says; what is not there stayed as it was. */
static void check_wish(const json_t *json, const struct wish *wish)
{
    const json_t *count = json_object_get(json, "count");
    const json_t *ratio = json_object_get(json, "ratio"), *all = json_object_get(json, "all");
    json_t *ids = json_object_get(json, "ids"), *filter = json_object_get(json, "filter");
    size_t n_known = 0;

    for (size_t i = 0; i < MR_COUNT(members); i++)
        n_known += json_object_get(json, members[i].name) != NULL;
    must(n_known == json_object_size(json));
    must(wish->count >= -5 && wish->count <= 100);
    must(wish->count == (json_is_integer(count) ? json_integer_value(count) : 7));
    must(wish->ratio >= 0 && wish->ratio <= 1);
    must(wish->ratio == (json_is_number(ratio) ? json_number_value(ratio) : 0.5));
    must(wish->text == json_string_value(json_object_get(json, "text")));
    must(strlen(wish->text) == json_string_length(json_object_get(json, "text")));
    must(wish->all == json_is_true(all) && !json_is_false(all));
    must(wish->ids == (json_is_array(ids) ? ids : NULL));
    must(wish->filter == (json_is_object(filter) ? filter : NULL));
    must(wish->data == json_object_get(json, "data"));
}

static enum mr_code read_wish(const json_t *json, struct wish *out, struct mr_err *err)
{
    *out = (struct wish){.count = 7, .ratio = 0.5};
    return mr_body_read(json, "job 1: ", members, MR_COUNT(members), out, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mr_err err = {0};
    struct wish wish;
    json_t *json = mr_body_parse((struct mr_bytes){(const char *)bytes, len}, &err);

    must(json || err.text[0]);
    if (!json)
        return 0;
    enum mr_code code = read_wish(json, &wish, &err);
    if (code == MR_OK)
        check_wish(json, &wish);
    else
        must(strncmp(err.text, "job 1: ", 7) == 0);
    char *printed = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
    json_t *again = mr_body_parse(mr_bytes_of(printed), NULL);
    must(json_equal(json, again) && read_wish(again, &wish, NULL) == code);
    json_decref(again);
    json_decref(json);
    free(printed);
    return 0;
}
