#include "proto/yaml.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mr_yaml *parse(const char *text)
{
    struct mr_config_errors errors = {0};
    struct mr_yaml *root = NULL;

    mr_yaml_parse(text, strlen(text), "c.yaml", &root, &errors);
    ck_assert_msg(root != NULL, "%s", errors.n_lines ? errors.lines[0] : "no error");
    return root;
}

START_TEST(every_value_knows_its_place)
{
    struct mr_yaml *root = parse("a: 1\nbb:\n  - x\n  - {c: 'd'}\n");
    const struct mr_yaml *list = mr_yaml_get(root, "bb");
    const struct mr_yaml *inner = mr_yaml_get(list->items[1], "c");

    ck_assert_int_eq(root->type, MR_YAML_MAP);
    ck_assert_uint_eq(mr_yaml_get(root, "a")->at.column, 4);
    ck_assert_int_eq(list->type, MR_YAML_LIST);
    ck_assert_uint_eq(list->key_at.line, 2);
    ck_assert_uint_eq(list->at.line, 3);
    ck_assert_uint_eq(list->n_items, 2);
    ck_assert_uint_eq(inner->key_at.column, 6);
    ck_assert_uint_eq(inner->at.line, 4);
    ck_assert_uint_eq(inner->at.column, 9);
    ck_assert_str_eq(inner->at.origin, "c.yaml");
    ck_assert_str_eq(inner->text, "d");
    ck_assert(!inner->plain);
    ck_assert_ptr_null(mr_yaml_get(root, "b"));
    ck_assert_ptr_null(mr_yaml_get(list, "b"));
    mr_yaml_free(root);
}
END_TEST

START_TEST(an_empty_document_is_an_empty_map)
{
    static const char *const empties[] = {"", "\n\n", "# nothing\n", "---\n...\n"};
    struct mr_yaml *root = parse(empties[_i]);

    ck_assert(_i == 3 ? mr_yaml_is_absent(root) : root->type == MR_YAML_MAP);
    ck_assert_uint_eq(root->n_items, 0);
    mr_yaml_free(root);
}
END_TEST

START_TEST(only_plain_nothing_is_absent)
{
    static const bool absent[] = {true, true, true, false, false, false, false, false};
    struct mr_yaml *root = parse("- \n- ~\n- null\n- ''\n- '~'\n- \"null\"\n- 0\n- x\n");

    ck_assert_uint_eq(root->n_items, MR_COUNT(absent));
    for (size_t i = 0; i < MR_COUNT(absent); i++)
        ck_assert_int_eq(mr_yaml_is_absent(root->items[i]), absent[i]);
    ck_assert(mr_yaml_is_absent(NULL));
    mr_yaml_free(root);
}
END_TEST

static const struct {
    const char *text, *error;
} refused[] = {
    {"a: 1\nb: 2\na: 3\n",                    "c.yaml:3:1: \"a\" stands here twice, first in line 1"                   },
    {"a: {b: 1, c: 2, b: 3}\n",               "c.yaml:1:17: \"b\" stands here twice, first in line 1"                  },
    {"a: &x 1\n",                             "c.yaml:1:4: anchors (&x) are not read: write the value where it is used"},
    {"a: *x\n",                               "c.yaml:1:4: aliases (*x) are not read: write the value out"             },
    {"a: !!binary 1\n",
     "c.yaml:1:4: tags (tag:yaml.org,2002:binary) are not read: write the plain value"                                 },
    {"&k a: 1\n",                             "c.yaml:1:1: anchors (&k) are not read: write the value where it is used"},
    {"[a]: 1\n",                              "c.yaml:1:1: a key must be a plain word"                                 },
    {"'': 1\n",                               "c.yaml:1:1: a key must have 1 to 200 characters"                        },
    {"\"a\\0b\": 1\n",                        "c.yaml:1:1: a key must have 1 to 200 characters"                        },
    {"a: \"b\\0c\"\n",                        "c.yaml:1:4: a NUL character cannot stand in a value"                    },
    {"a: 1\n---\nb: 2\n",                     "c.yaml:2:1: a second document begins here: one is enough"               },
    {"a: [1, 2\nb: 3\n",
     "c.yaml:2:2: did not find expected ',' or ']' while parsing a flow sequence"                                      },
    {"a: b: c\n",                             "c.yaml:1:5: mapping values are not allowed in this context"             },
    {"a: 1\n\tb: 2\n",                        "c.yaml:2:1: found a tab character that violates indentation while "
                       "scanning a plain scalar"                                                 },
    {"a: 1\nb: \xff\n",                       "c.yaml:2:4: not readable as text: invalid leading UTF-8 octet"          },
    {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n", "c.yaml:1:17: nested deeper than 16"                                     },
};

START_TEST(what_cannot_be_read_is_refused_with_its_place)
{
    struct mr_config_errors errors = {0};
    struct mr_yaml *root = NULL;

    ck_assert_int_eq(
        mr_yaml_parse(refused[_i].text, strlen(refused[_i].text), "c.yaml", &root, &errors),
        MR_EINVAL);
    ck_assert_ptr_null(root);
    ck_assert_uint_eq(errors.n_lines, 1);
    ck_assert_str_eq(errors.lines[0], refused[_i].error);
    mr_config_errors_fini(&errors);
}
END_TEST

START_TEST(several_errors_come_in_one_run)
{
    static const char text[] = "a: 1\na: &x 2\nb: *x\n";
    struct mr_config_errors errors = {0};
    struct mr_yaml *root = NULL;

    ck_assert_int_eq(mr_yaml_parse(text, strlen(text), "c", &root, &errors), MR_EINVAL);
    ck_assert_uint_eq(errors.n_lines, 3);
    mr_config_errors_fini(&errors);
}
END_TEST

/* The classic bomb is refused at its first alias; one without aliases is too long or too many. */
START_TEST(bombs_are_refused)
{
    struct mr_config_errors errors = {0};
    struct mr_yaml *root = NULL;
    size_t len = (1 << 20) + 1;
    char *text = mr_zalloc(len + 1);

    for (size_t i = 0; i < len; i++)
        text[i] = i % 2 ? 'x' : ',';
    text[0] = '[';
    ck_assert_int_eq(mr_yaml_parse(text, len, "c", &root, &errors), MR_EINVAL);
    ck_assert_str_eq(errors.lines[0],
                     "c: 1048577 bytes: no configuration is longer than 1048576");
    mr_config_errors_fini(&errors);
    ck_assert_int_eq(mr_yaml_parse(text, len - 1, "c", &root, &errors), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(errors.lines[0], "more than 20000 values"));
    mr_config_errors_fini(&errors);
    memset(text, '[', len - 1);
    ck_assert_int_eq(mr_yaml_parse(text, len - 1, "c", &root, &errors), MR_EINVAL);
    ck_assert_str_eq(errors.lines[0], "c:1:17: nested deeper than 16");
    mr_config_errors_fini(&errors);
    free(text);
}
END_TEST

static const char *const texts[] = {
    "",
    " ",
    "word",
    "a b",
    "null",
    "~",
    "#",
    "a: b",
    "- a",
    "[x",
    "{x",
    "'",
    "\"",
    "\\",
    "\n",
    "a\nb\n",
    "\t",
    "\x01\x7f",
    "zo\xc3\xab",
    "\xc2\x85",
    "\xe2\x80\xa8",
    "\xef\xbb\xbf",
    "\xf0\x9f\x98\x80",
    "\xef\xbf\xbf",
    "${X}",
    "redis://:p@h:1/0",
    "&a",
    "*a",
    "!a",
    "%a",
    "@a",
    "`a",
    "a #b",
    "a:",
    "?",
    "---",
    "...",
    "a\\nb",
    "\r\n",
    " lead",
    "trail ",
    "\xc2\xa0",
};

START_TEST(quoted_text_reads_back_exactly)
{
    struct mr_buf yaml = {0};

    mr_buf_text(&yaml, "k: ");
    mr_yaml_quote(&yaml, texts[_i]);
    mr_buf_text(&yaml, "\nlist: [");
    mr_yaml_quote(&yaml, texts[_i]);
    mr_buf_text(&yaml, ", x]\n");
    struct mr_yaml *root = parse(yaml.at);

    ck_assert_str_eq(mr_yaml_get(root, "k")->text, texts[_i]);
    ck_assert(!mr_yaml_is_absent(mr_yaml_get(root, "k")));
    ck_assert_str_eq(mr_yaml_get(root, "list")->items[0]->text, texts[_i]);
    mr_yaml_free(root);
    mr_buf_fini(&yaml);
}
END_TEST

START_TEST(a_tree_can_be_edited)
{
    struct mr_yaml *root = parse("a: 1\nb: ~\nc: {d: 1}\n");

    ck_assert_ptr_null(mr_yaml_put_map(root, "a"));
    ck_assert_int_eq(mr_yaml_put_map(root, "b")->type, MR_YAML_MAP);
    mr_yaml_put_variable(mr_yaml_put_map(root, "c"), "d", "MILLRACE_C_D", "2");
    const struct mr_yaml *d = mr_yaml_get(mr_yaml_get(root, "c"), "d");
    ck_assert_str_eq(d->text, "2");
    ck_assert_str_eq(d->at.origin, "MILLRACE_C_D");
    ck_assert_uint_eq(d->at.line, 0);
    for (int i = 0; i < 40; i++) {
        char key[8];

        snprintf(key, sizeof(key), "k%d", i);
        mr_yaml_put_map(root, key);
        if (i % 3 == 0)
            mr_yaml_drop(root, key);
    }
    mr_yaml_drop(root, "nobody");
    mr_yaml_drop(root, "a");
    ck_assert_uint_eq(root->n_items, 28);
    ck_assert_ptr_null(mr_yaml_get(root, "a"));
    ck_assert_ptr_nonnull(mr_yaml_get(root, "k38"));
    mr_yaml_free(root);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {every_value_knows_its_place,                   0                },
        {an_empty_document_is_an_empty_map,             4                },
        {only_plain_nothing_is_absent,                  0                },
        {what_cannot_be_read_is_refused_with_its_place, MR_COUNT(refused)},
        {several_errors_come_in_one_run,                0                },
        {bombs_are_refused,                             0                },
        {quoted_text_reads_back_exactly,                MR_COUNT(texts)  },
        {a_tree_can_be_edited,                          0                },
    };

    return mr_suite_run("yaml", tests);
}
