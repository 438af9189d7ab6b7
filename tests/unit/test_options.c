#include "proto/options.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

/* A small product: one group, one list, one map of entries. */
struct mill {
    char *name;
    uint64_t wait_ms;
    uint32_t wheels;
    int depth;
    bool open;
    enum { MILL_WATER, MILL_WIND } kind;
    char **grains;
    unsigned n_grains;
};

#define AT(member) MR_OPTION_AT(struct mill, member)

static bool is_short(struct mr_bytes name)
{
    return name.len <= 3;
}

/* clang-format off */
static const struct mr_option sack_rows[] = {
    {"weight", &mr_option_bytes, MR_OPTION_TREE, "1KiB", "1..1MiB", 0, ""},
};
static const struct mr_option_table sack_table = {sack_rows, MR_COUNT(sack_rows)};
static const struct mr_option_type sacks = {
    .name = "map of sacks", .read = mr_options_read_entries, .entries = &sack_table,
    .is_name = is_short, .name_rule = "sacks have short names",
};
static const struct mr_option rows[] = {
    {"name", &mr_option_text, AT(name), NULL, NULL, 0, ""},
    {"gear.wait", &mr_option_ms, AT(wait_ms), "5s", "1s..1m", 0, ""},
    {"gear.wheels", &mr_option_count, AT(wheels), "2", "0..9", 0, ""},
    {"gear.box.depth", &mr_option_int, AT(depth), "-1", "-5..5", 0, ""},
    {"open", &mr_option_bool, AT(open), "true", NULL, 0, ""},
    {"kind", &mr_option_choice, AT(kind), "water", "water|wind", 0, ""},
    {"grains", &mr_option_texts, MR_OPTION_LIST_AT(struct mill, grains, n_grains), NULL, NULL, 0, ""},
    {"sacks", &sacks, MR_OPTION_TREE, NULL, NULL, 0, ""},
    {"safe.code", &mr_option_count, MR_OPTION_TREE, NULL, "0..9999", MR_OPTION_SECRET, ""},
    {"safe.delay", &mr_option_ms, MR_OPTION_TREE, "1m", NULL, 0, ""},
};
/* clang-format on */
static const struct mr_option_table table = {rows, MR_COUNT(rows)};

static json_t *read_values(const char *text, struct mr_config_errors *errors)
{
    struct mr_yaml *root = NULL;

    ck_assert_int_eq(mr_yaml_parse(text, strlen(text), "f", &root, errors), MR_OK);
    json_t *values = mr_options_read(&table, root, "", errors);
    mr_yaml_free(root);
    return values;
}

static void fill(const char *text, struct mill *mill)
{
    struct mr_config_errors errors = {0};
    json_t *values = read_values(text, &errors);

    ck_assert_msg(errors.n_lines == 0, "%s", errors.n_lines ? errors.lines[0] : "");
    mr_options_fill(&table, values, mill);
    json_decref(values);
}

START_TEST(fallbacks_fill_what_is_not_said)
{
    struct mill mill;

    memset(&mill, 0xff, sizeof(mill));
    fill("", &mill);
    ck_assert_ptr_null(mill.name);
    ck_assert_uint_eq(mill.wait_ms, 5000);
    ck_assert_uint_eq(mill.wheels, 2);
    ck_assert_int_eq(mill.depth, -1);
    ck_assert(mill.open);
    ck_assert_int_eq(mill.kind, MILL_WATER);
    ck_assert_ptr_null(mill.grains);
    ck_assert_uint_eq(mill.n_grains, 0);
    mr_options_empty(&table, &mill);
}
END_TEST

START_TEST(each_type_arrives_in_its_field)
{
    struct mill mill;

    fill("{name: m, gear: {wait: 1m, wheels: 0, box: {depth: 5}}, open: no, kind: wind,"
         " grains: 'rye , oat'}",
         &mill);
    ck_assert_str_eq(mill.name, "m");
    ck_assert_uint_eq(mill.wait_ms, 60000);
    ck_assert_uint_eq(mill.wheels, 0);
    ck_assert_int_eq(mill.depth, 5);
    ck_assert(!mill.open);
    ck_assert_int_eq(mill.kind, MILL_WIND);
    ck_assert_uint_eq(mill.n_grains, 2);
    ck_assert_str_eq(mill.grains[0], "rye");
    ck_assert_str_eq(mill.grains[1], "oat");
    mr_options_empty(&table, &mill);
}
END_TEST

static const struct {
    const char *text, *error;
} wrong[] = {
    {"gear: {wheel: 1}",                     "f:1:8: unknown key \"wheel\" in gear: did you mean \"wheels\"?"    },
    {"gear: {box: {deep: 1}}",
     "f:1:14: unknown key \"deep\" in gear.box: known here are depth"                                            },
    {"gear: 1",                              "f:1:7: gear must be a map of options, got \"1\""                   },
    {"gear.wait: 5s",                        "f:1:1: \"gear.wait\" is not a key: did you mean gear: {wait: ...}?"},
    {"gear: {box.depth: 5}",
     "f:1:8: \"box.depth\" is not a key: did you mean box: {depth: ...}?"                                        },
    {"gear: {wheels: 1.5}",                  "f:1:16: gear.wheels must be a whole number, got \"1.5\""           },
    {"gear: {wheels: 99999999999999999999}",
     "f:1:16: gear.wheels must be a whole number, got \"99999999999999999999\""                                  },
    {"gear: {wheels: -1}",                   "f:1:16: gear.wheels must be within 0..9, got \"-1\""               },
    {"gear: {wait: 1m1ms}",                  "f:1:14: gear.wait must be within 1s..1m, got \"1m1ms\""            },
    {"kind: wnid",
     "f:1:7: kind must be one of water, wind, got \"wnid\": did you mean \"wind\"?"                              },
    {"sacks: {long name: {}}",               "f:1:9: \"long name\" is no name: sacks have short names"           },
    {"sacks: {a: {weight: 0}}",              "f:1:21: sacks.a.weight must be within 1..1MiB, got \"0\""          },
    {"sacks: {a: {wieght: 0}}",
     "f:1:13: unknown key \"wieght\" in sacks.a: did you mean \"weight\"?"                                       },
    {"safe: {code: opensesame}",
     "f:1:14: safe.code must be a whole number, got something else"                                              },
};

START_TEST(what_is_wrong_is_said)
{
    struct mr_config_errors errors = {0};
    json_t *values = read_values(wrong[_i].text, &errors);

    ck_assert_uint_eq(errors.n_lines, 1);
    ck_assert_str_eq(errors.lines[0], wrong[_i].error);
    json_decref(values);
    mr_config_errors_fini(&errors);
}
END_TEST

START_TEST(printing_nests_hides_secrets_and_reads_back)
{
    static const char text[] =
        "{name: 'a b', sacks: {x: {weight: 2KiB}, y: }, safe: {code: 7}}";
    struct mr_config_errors errors = {0};
    struct mr_buf all = {0}, shown = {0};
    json_t *values = read_values(text, &errors);

    mr_options_print(&table, values, true, 0, &all);
    mr_options_print(&table, values, false, 0, &shown);
    json_t *again = read_values(all.at, &errors);
    ck_assert_uint_eq(errors.n_lines, 0);
    ck_assert(json_equal(values, again));
    ck_assert_str_eq(shown.at, "name: \"a b\"\n"
                               "gear:\n"
                               "  wait: 5s\n"
                               "  wheels: 2\n"
                               "  box:\n"
                               "    depth: -1\n"
                               "open: true\n"
                               "kind: water\n"
                               "sacks:\n"
                               "  x:\n"
                               "    weight: 2KiB\n"
                               "  y:\n"
                               "    weight: 1KiB\n"
                               "safe:\n"
                               "  code: \"***\"\n"
                               "  delay: 1m\n");
    json_decref(values);
    json_decref(again);
    mr_buf_fini(&all);
    mr_buf_fini(&shown);
}
END_TEST

START_TEST(sections_hold_what_has_no_field)
{
    struct mr_config_errors errors = {0};
    json_t *values = read_values("{name: n, sacks: {x: {}}}", &errors);
    json_t *sections = mr_options_sections(&table, values);
    char *text = json_dumps(sections, JSON_COMPACT | JSON_SORT_KEYS);

    ck_assert_str_eq(text, "{\"sacks\":{\"x\":{\"weight_bytes\":1024}},"
                           "\"safe\":{\"delay_ms\":60000}}");
    free(text);
    json_decref(sections);
    json_decref(values);
}
END_TEST

START_TEST(errors_without_end_are_cut)
{
    struct mr_config_errors errors = {0};
    struct mr_place at = {.origin = "f", .line = 1, .column = 2};

    for (int i = 0; i < 1000; i++)
        mr_config_errors_add(&errors, at, "%d", i);
    ck_assert_uint_eq(errors.n_lines, MR_CONFIG_ERRORS_MAX + 1);
    ck_assert_str_eq(errors.lines[MR_CONFIG_ERRORS_MAX - 1], "f:1:2: 49");
    ck_assert_str_eq(errors.lines[MR_CONFIG_ERRORS_MAX], "... and more; mend these first");
    mr_config_errors_fini(&errors);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {fallbacks_fill_what_is_not_said,             0              },
        {each_type_arrives_in_its_field,              0              },
        {what_is_wrong_is_said,                       MR_COUNT(wrong)},
        {printing_nests_hides_secrets_and_reads_back, 0              },
        {sections_hold_what_has_no_field,             0              },
        {errors_without_end_are_cut,                  0              },
    };

    return mr_suite_run("options", tests);
}
