#include "jobs/services/template.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mr_err err;
static struct mr_buf out;

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    ck_assert_msg(value != NULL, "the test's own JSON is wrong: %s", text);
    return value;
}

static enum mr_code compile(const char *text, struct mr_template **out_template)
{
    return mr_template_compile(text, strlen(text), "t", out_template, &err);
}

/* Partials are members of the JSON object arg. */
static enum mr_code find_partial(void *arg, const char *name, struct mr_template **out_template,
                                 struct mr_err *out_err)
{
    const char *text = json_string_value(json_object_get(arg, name));

    if (!text)
        return MR_ENOTFOUND;
    return mr_template_compile(text, strlen(text), name, out_template, out_err);
}

/* The result is in out, or the reason in err. */
static enum mr_code render(const char *text, const char *view, const char *partials,
                           enum mr_template_target target, bool strict)
{
    json_t *values = parse(view), *others = parse(partials ? partials : "{}");
    const struct mr_template_task task = {values, target, strict, 100000, find_partial, others};
    struct mr_template *template = NULL;
    enum mr_code code = compile(text, &template);

    if (code == MR_OK)
        code = mr_template_render(template, &task, &out, &err);
    mr_template_unref(template);
    json_decref(values);
    json_decref(others);
    return code;
}

static void expect(const char *text, const char *view, const char *partials,
                   enum mr_template_target target, const char *want)
{
    ck_assert_msg(render(text, view, partials, target, false) == MR_OK, "%s", err.text);
    ck_assert_str_eq(out.at, want);
    mr_buf_fini(&out);
}

/* ---- what goes further than mustache's specification (that is in test_mustache.c) ---- */

static const struct {
    const char *text, *view, *partials, *want;
} further[] = {
    {"",                                  "{}",                                                NULL,                                                    ""                    },
    {"{{a}}",                             "{\"a\":\"'\"}",                                     NULL,                                                    "&#39;"               },
    {"{{a}}",                             "{\"a\":9223372036854775807}",                       NULL,                                                    "9223372036854775807" },
    {"{{a}}",                             "{\"a\":-9223372036854775808}",                      NULL,                                                    "-9223372036854775808"},
    {"{{a}} {{b}}",                       "{\"a\":0.1,\"b\":2.50}",                            NULL,                                                    "0.1 2.5"             },
    {"{{a}} {{b}}",                       "{\"a\":20.0,\"b\":-0.0}",                           NULL,                                                    "20 -0"               },
    {"{{a}}",                             "{\"a\":0.123456789012345}",                         NULL,                                                    "0.123456789012345"   },
    {"{{a}}",                             "{\"a\":1e22}",                                      NULL,                                                    "1e22"                },
    {"{{a}}{{b}}",                        "{\"a\":true,\"b\":false}",                          NULL,                                                    "truefalse"           },
    {"({{a.b.c}})",                       "{\"a\":{\"b\":\"text\"}}",                          NULL,                                                    "()"                  },
    {"|{{\na\n}}|",                       "{\"a\":\"-\"}",                                     NULL,                                                    "|-|"                 },
    {"{ {x} } {{x}} }} {",                "{\"x\":1}",                                         NULL,                                                    "{ {x} } 1 }} {"      },
    {"{{#a}}{{b.c.d}}{{/a}}",             "{\"a\":{\"x\":1},\"b\":{\"c\":{\"d\":\"outer\"}}}", NULL,
     "outer"                                                                                                                                                                  },
    {"({{#b}}x{{/b}}{{^b}}y{{/b}})",      "{\"b\":\"\"}",                                      NULL,                                                    "(y)"                 },
    {"({{#b}}x{{/b}}{{^b}}y{{/b}})",      "{\"b\":0}",                                         NULL,                                                    "(x)"                 },
    {"({{#b}}x{{/b}}{{^b}}y{{/b}})",      "{\"b\":{}}",                                        NULL,                                                    "(x)"                 },
    {"({{#b}}x{{/b}}{{^b}}y{{/b}})",      "{\"b\":[0]}",                                       NULL,                                                    "(x)"                 },
    {"({{! #a }}{{!a.b c}})",             "{\"a\":1}",                                         NULL,                                                    "()"                  },
    {"{{#a}}{{=<% %>=}}<%x%><%/a%><%x%>", "{\"a\":[1,2],\"x\":7}",                             NULL,                                                    "777"                 },
    {"{{=<% %>=}}<%{a}%><%&a%><%a%>",     "{\"a\":\"&\"}",                                     NULL,                                                    "&&&amp;"             },
    {"{{=<% %>=}}<%={{ }}=%>{{a}}",       "{\"a\":1}",                                         NULL,                                                    "1"                   },
    {"{{=\xc2\xab \xc2\xbb=}}\xc2\xab"
     "a\xc2\xbb",                    "{\"a\":1}",                                         NULL,                                                    "1"                   },
    {" {{>a}}\n",                         "{}",                                                "{\"a\":\"x\\n\\n  {{>b}}\\ny\\n\",\"b\":\"1\\n2\\n\"}",
     " x\n\n   1\n   2\n y\n"                                                                                                                                                 },
    {" {{>a}}\n",                         "{\"l\":[1,2]}",                                     "{\"a\":\"{{#l}}\\n- {{.}}\\n{{/l}}\\n\"}",              " - 1\n - 2\n"        },
    {" {{>a}}\n",                         "{\"l\":[1,2]}",                                     "{\"a\":\"{{#l}}{{.}} {{/l}}|\\n\"}",                    " 1 2 |\n"            },
    {" {{>a}}\n",                         "{\"l\":[1,2]}",                                     "{\"a\":\"{{#l}}\\n{{.}}\\n{{/l}} |\\n\"}",
     " 1\n  2\n  |\n"                                                                                                                                                         },
    {" {{>a}}\n",                         "{\"x\":1}",                                         "{\"a\":\"{{=< >=}}\\n<x>\\n<x>\\n\"}",                  " 1\n 1\n"            },
    {"{{#l}}{{>a}}{{/l}}",                "{\"l\":[{\"x\":1},{\"x\":2}]}",                     "{\"a\":\"<{{x}}>\"}",                                   "<1><2>"              },
};

START_TEST(what_the_specification_leaves_open_is_settled)
{
    expect(further[_i].text, further[_i].view, further[_i].partials, MR_TEMPLATE_HTML,
           further[_i].want);
}
END_TEST

/* ---- targets ---- */

static const struct {
    enum mr_template_target target;
    const char *text, *view, *want;
} targets[] = {
    {MR_TEMPLATE_TEXT,   "{{a}}{{{a}}}",                          "{\"a\":\"<&>\\n\"}",                     "<&>\n<&>\n"                                              },
    {MR_TEMPLATE_HTML,   "<a title='{{a}}'>",                     "{\"a\":\"' onclick='x\"}",
     "<a title='&#39; onclick=&#39;x'>"                                                                                                                               },
    {MR_TEMPLATE_HTML,   "{{a}}",
     "{\"a\":\"Gr\xc3\xbc\xc3\x9f"
     "e\"}",                                                                                                "Gr\xc3\xbc\xc3\x9f"
     "e"                                                                                                                                                  },
    {MR_TEMPLATE_URL,    "/q?a={{a}}&b={{b}}",                    "{\"a\":\"x y&z=/?#%\",\"b\":\"-._~9\"}",
     "/q?a=x%20y%26z%3D%2F%3F%23%25&b=-._~9"                                                                                                                          },
    {MR_TEMPLATE_URL,    "{{a}}",                                 "{\"a\":\"\xc3\xbc\\r\\n\"}",             "%C3%BC%0D%0A"                                            },
    {MR_TEMPLATE_URL,    "{{{a}}}",                               "{\"a\":\"a/b\"}",                        "a/b"                                                     },
    {MR_TEMPLATE_JSON,   "{\"a\": \"{{a}}\", \"n\": {{n}}}",
     "{\"a\":\"\\\"},\\\\\\n\\u0001<\xc3\xbc/\",\"n\":-1.5}",                                               "{\"a\": \"\\\"},\\\\\\n\\u0001<\xc3\xbc/\", \"n\": -1.5}"},
    {MR_TEMPLATE_JSON,   "{{{a}}}",                               "{\"a\":\"[1]\"}",                        "[1]"                                                     },
    {MR_TEMPLATE_HEADER, "Order {{n}}\n",                         "{\"n\":7}",                              "Order 7"                                                 },
    {MR_TEMPLATE_HEADER, "Order {{n}}\r\n",                       "{\"n\":7}",                              "Order 7"                                                 },
    {MR_TEMPLATE_HEADER, "{{a}}",                                 "{\"a\":\"<&>\"}",                        "<&>"                                                     },
    {MR_TEMPLATE_HEADER, "{{! about }}\n{{#a}}\n{{a}}\n{{/a}}\n", "{\"a\":\"x\"}",                          "x"                                                       },
    {MR_TEMPLATE_HEADER, "",                                      "{}",                                     ""                                                        },
    {MR_TEMPLATE_HEADER, "\n",                                    "{}",                                     ""                                                        },
};

START_TEST(a_value_is_escaped_for_its_target)
{
    expect(targets[_i].text, targets[_i].view, NULL, targets[_i].target, targets[_i].want);
}
END_TEST

/* ---- what goes wrong ---- */

static const struct {
    const char *text, *want;
} syntax_errors[] = {
    {"a\n{{b",                          "t:2:1: this tag is never closed: no }}"                  },
    {"{{{b}}",                          "t:1:1: this tag is never closed: no }}}"                 },
    {"{{b}",                            "t:1:1: this tag is never closed"                         },
    {"{{",                              "t:1:1: this tag is never closed"                         },
    {"{{}}",                            "t:1:1: a tag without a name"                             },
    {"{{ }}",                           "t:1:1: a tag without a name"                             },
    {"{{#}}{{/}}",                      "t:1:1: a tag without a name"                             },
    {"{{a b}}",                         "\"a b\" is no name"                                      },
    {"{{a{{b}}",                        "\"a{{b\" is no name"                                     },
    {"{{.a}}",                          "\".a\" is no name: nothing stands beside a dot"          },
    {"{{a.}}",                          "is no name"                                              },
    {"{{a..b}}",                        "is no name"                                              },
    {"x\xc3\xbcy {{#a}}\n{{#b}}{{/b}}", "t:1:5: this section is never closed: no {{/a}}"          },
    {"{{/a}}",                          "t:1:1: {{/a}} closes no section"                         },
    {"{{#a}}\n  {{/b}}",                "t:2:3: {{/b}} stands where {{/a}} should"                },
    {"{{#a}}{{#b}}{{/a}}{{/b}}",        "{{/a}} stands where {{/b}} should"                       },
    {"{{=<% %>}}",                      "t:1:1: this tag is never closed: no =}}"                 },
    {"{{=}}",                           "t:1:1: this tag is never closed: no =}}"                 },
    {"a {{=<% =}}",                     "t:1:3: \"<%\" are no delimiters"                         },
    {"{{==}}",                          "t:1:1: \"\" are no delimiters"                           },
    {"{{=< > <=}}",                     "\"< > <\" are no delimiters"                             },
    {"{{=<= =>=}}",                     "are no delimiters"                                       },
    {"{{=12345678901234567 ]=}}",       "are no delimiters: two are wanted, each of 1 to 16 bytes"},
    {"{{=<% %>=}}\n<%a",                "t:2:1: this tag is never closed: no %>"                  },
    {"{{=<% %>=}}<%{a%>",               "t:1:12: this tag is never closed: no }%>"                },
    {"{{=<% %>=}}<%#a%>{{/a}}",         "t:1:12: this section is never closed: no {{/a}}"         },
    {"ok\nx\xff",                       "t:2:2: this byte is no UTF-8"                            },
};

START_TEST(a_template_that_is_wrong_says_where)
{
    struct mr_template *template = NULL;

    ck_assert_int_eq(compile(syntax_errors[_i].text, &template), MR_EFAULT);
    ck_assert_msg(strstr(err.text, syntax_errors[_i].want) != NULL, "%s", err.text);
    ck_assert_ptr_null(template);
}
END_TEST

START_TEST(a_template_with_a_nul_is_wrong)
{
    struct mr_template *template = NULL;

    ck_assert_int_eq(mr_template_compile("a\0b", 3, "t", &template, &err), MR_EFAULT);
    ck_assert_str_eq(err.text, "t:1:2: this byte is no UTF-8");
}
END_TEST

static const struct {
    enum mr_template_target target;
    const char *text, *view, *want;
} refusals[] = {
    {MR_TEMPLATE_TEXT,   "a\n {{x}}",         "{}",                                      "t:2:2: {{x}} has no value"     },
    {MR_TEMPLATE_TEXT,   "{{x}}",             "{\"x\":null}",                            "t:1:1: {{x}} is null"          },
    {MR_TEMPLATE_TEXT,   "{{{x.y}}}",         "{\"x\":{}}",                              "{{x.y}} has no value"          },
    {MR_TEMPLATE_TEXT,   "{{#l}}{{a}}{{/l}}", "{\"l\":[{\"a\":1},{}]}",
     "t:1:7: {{a}} has no value"                                                                                         },
    {MR_TEMPLATE_TEXT,   "{{x}}",             "{\"x\":[1]}",                             "{{x}} is a list, not a text"   },
    {MR_TEMPLATE_TEXT,   "{{x}}",             "{\"x\":{}}",                              "{{x}} is an object, not a text"},
    {MR_TEMPLATE_TEXT,   "{{.}}",             "{}",                                      "{{.}} is an object, not a text"},
    {MR_TEMPLATE_TEXT,   "{{x}}",             "{\"x\":\"a\\u0000b\"}",                   "{{x}} holds a NUL"             },
    {MR_TEMPLATE_HTML,   "{{x}}",             "{\"x\":\"a\\u0000b\"}",                   "{{x}} holds a NUL"             },
    {MR_TEMPLATE_HEADER, "S: {{x}}",          "{\"x\":\"a\\r\\nBcc: eve@example.org\"}",
     "t:1:4: {{x}} holds a line end, which would forge a header"                                                         },
    {MR_TEMPLATE_HEADER, "{{x}}",             "{\"x\":\"a\\n\"}",                        "holds a line end"              },
    {MR_TEMPLATE_HEADER, "{{x}}",             "{\"x\":\"a\\rb\"}",                       "holds a line end"              },
    {MR_TEMPLATE_HEADER, "{{{x}}}",           "{\"x\":\"a\\nb\"}",                       "holds a line end"              },
    {MR_TEMPLATE_HEADER, "{{&x}}",            "{\"x\":\"a\\nb\"}",                       "holds a line end"              },
};

START_TEST(a_strict_rendering_leaves_no_holes)
{
    mr_buf_text(&out, "before");
    ck_assert_int_eq(
        render(refusals[_i].text, refusals[_i].view, NULL, refusals[_i].target, true),
        MR_EINVAL);
    ck_assert_msg(strstr(err.text, refusals[_i].want) != NULL, "%s", err.text);
    ck_assert_str_eq(out.at, "before");
    mr_buf_fini(&out);
}
END_TEST

static const struct {
    enum mr_template_target target;
    const char *text, *want;
} faults[] = {
    {MR_TEMPLATE_TEXT,   "{{>p}}", "t:1:1: there is no partial {{>p}}"              },
    {MR_TEMPLATE_HEADER, "a\nb\n", "t:1:1: a header is one line, this gives several"},
    {MR_TEMPLATE_HEADER, "a\n\n",  "a header is one line"                           },
};

START_TEST(a_template_at_fault_is_not_the_values_fault)
{
    ck_assert_int_eq(render(faults[_i].text, "{}", NULL, faults[_i].target, true), MR_EFAULT);
    ck_assert_msg(strstr(err.text, faults[_i].want) != NULL, "%s", err.text);
    mr_buf_fini(&out);
}
END_TEST

START_TEST(a_strict_rendering_takes_sections_as_optional)
{
    ck_assert_msg(render("{{#x}}{{x}}{{/x}}{{^x}}none{{/x}}", "{}", NULL, MR_TEMPLATE_TEXT,
                         true) == MR_OK,
                  "%s", err.text);
    ck_assert_str_eq(out.at, "none");
    mr_buf_fini(&out);
}
END_TEST

START_TEST(a_partial_that_calls_itself_without_end_is_refused)
{
    ck_assert_int_eq(
        render("{{>a}}", "{}", "{\"a\":\"x{{>b}}\",\"b\":\"{{>a}}\"}", MR_TEMPLATE_TEXT, false),
        MR_EFAULT);
    ck_assert_msg(strstr(err.text, "more than 20 partials inside each other") != NULL, "%s",
                  err.text);
    mr_buf_fini(&out);
}
END_TEST

START_TEST(a_partial_that_is_wrong_says_where_in_it)
{
    ck_assert_int_eq(render("{{>a}}", "{}", "{\"a\":\"x\\n{{y\"}", MR_TEMPLATE_TEXT, false),
                     MR_EFAULT);
    ck_assert_str_eq(err.text, "a:2:1: this tag is never closed: no }}");
    mr_buf_fini(&out);
}
END_TEST

static void repeat(struct mr_buf *text, const char *piece, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        mr_buf_text(text, piece);
}

START_TEST(sections_nest_32_deep)
{
    struct mr_buf text = {0};

    repeat(&text, "{{#a}}", 32);
    mr_buf_text(&text, "x");
    repeat(&text, "{{/a}}", 32);
    expect(text.at, "{\"a\":true}", NULL, MR_TEMPLATE_TEXT, "x");
    mr_buf_clear(&text);
    repeat(&text, "{{#a}}", 33);
    repeat(&text, "{{/a}}", 33);
    ck_assert_int_eq(render(text.at, "{}", NULL, MR_TEMPLATE_TEXT, false), MR_EFAULT);
    ck_assert_str_eq(err.text, "t:1:193: more than 32 sections inside each other");
    mr_buf_fini(&text);
}
END_TEST

START_TEST(a_result_is_bounded)
{
    struct mr_buf view = {0};

    mr_buf_text(&view, "{\"l\":[0");
    repeat(&view, ",0", 999);
    mr_buf_text(&view, "]}");
    ck_assert_int_eq(
        render("{{#l}}{{#l}}0123456789{{/l}}{{/l}}", view.at, NULL, MR_TEMPLATE_TEXT, false),
        MR_EINVAL);
    ck_assert_str_eq(err.text, "t:1:13: the result has more than 100000 bytes here");
    ck_assert_uint_eq(out.len, 0);
    mr_buf_fini(&view);
    mr_buf_fini(&out);
}
END_TEST

START_TEST(work_without_a_result_is_bounded)
{
    struct mr_buf view = {0};

    mr_buf_text(&view, "{\"l\":[0");
    repeat(&view, ",0", 999);
    mr_buf_text(&view, "]}");
    ck_assert_int_eq(render("{{#l}}{{#l}}{{#l}}{{#no}}{{/no}}{{/l}}{{/l}}{{/l}}", view.at, NULL,
                            MR_TEMPLATE_TEXT, false),
                     MR_EINVAL);
    ck_assert_msg(strstr(err.text, "lists within lists: more than 10000000 steps") != NULL,
                  "%s", err.text);
    mr_buf_fini(&view);
    mr_buf_fini(&out);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {what_the_specification_leaves_open_is_settled,      MR_COUNT(further)      },
        {a_value_is_escaped_for_its_target,                  MR_COUNT(targets)      },
        {a_template_that_is_wrong_says_where,                MR_COUNT(syntax_errors)},
        {a_template_with_a_nul_is_wrong,                     0                      },
        {a_strict_rendering_leaves_no_holes,                 MR_COUNT(refusals)     },
        {a_template_at_fault_is_not_the_values_fault,        MR_COUNT(faults)       },
        {a_strict_rendering_takes_sections_as_optional,      0                      },
        {a_partial_that_calls_itself_without_end_is_refused, 0                      },
        {a_partial_that_is_wrong_says_where_in_it,           0                      },
        {sections_nest_32_deep,                              0                      },
        {a_result_is_bounded,                                0                      },
        {work_without_a_result_is_bounded,                   0                      },
    };

    return mr_suite_run("template", tests);
}
