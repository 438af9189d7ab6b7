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

/* ---- what mustache's specification says, section by section ---- */

struct row {
    const char *text, *view, *want;
};

static const struct row interpolation[] = {
    {"Hello.\n",                               "{}",                                                "Hello.\n"                    },
    {"",                                       "{}",                                                ""                            },
    {"Hello, {{subject}}!",                    "{\"subject\":\"world\"}",                           "Hello, world!"               },
    {"{{a}}{{b}}",                             "{\"a\":\"{{b}}\",\"b\":\"x\"}",                     "{{b}}x"                      },
    {"{{a}}",                                  "{\"a\":\"& \\\" < > '\"}",                          "&amp; &quot; &lt; &gt; &#39;"},
    {"{{{a}}}",                                "{\"a\":\"& \\\" < >\"}",                            "& \" < >"                    },
    {"{{&a}}",                                 "{\"a\":\"& \\\" < >\"}",                            "& \" < >"                    },
    {"{{a}} {{b}} {{c}}",                      "{\"a\":85,\"b\":1.21,\"c\":-3}",                    "85 1.21 -3"                  },
    {"{{a}}",                                  "{\"a\":9223372036854775807}",                       "9223372036854775807"         },
    {"{{a}}",                                  "{\"a\":-9223372036854775808}",                      "-9223372036854775808"        },
    {"{{a}} {{b}}",                            "{\"a\":0.1,\"b\":2.50}",                            "0.1 2.5"                     },
    {"{{a}} {{b}}",                            "{\"a\":20.0,\"b\":-0.0}",                           "20 -0"                       },
    {"{{a}}",                                  "{\"a\":0.123456789012345}",                         "0.123456789012345"           },
    {"{{a}}",                                  "{\"a\":1e22}",                                      "1e22"                        },
    {"{{a}}{{b}}",                             "{\"a\":true,\"b\":false}",                          "truefalse"                   },
    {"I ({{a}}) be ({{{a}}}) seen ({{&a}})",   "{}",                                                "I () be () seen ()"          },
    {"({{a}})",                                "{\"a\":null}",                                      "()"                          },
    {"{{p.name}} {{{p.name}}} {{&p.name}}",    "{\"p\":{\"name\":\"<J>\"}}",                        "&lt;J&gt; <J> <J>"           },
    {"{{a.b.c.d}}",                            "{\"a\":{\"b\":{\"c\":{\"d\":\"deep\"}}}}",          "deep"                        },
    {"({{a.b.c}})",                            "{\"a\":{}}",                                        "()"                          },
    {"({{a.b.c}})",                            "{\"a\":{\"b\":\"text\"}}",                          "()"                          },
    {"{{#a}}{{b.c}}{{/a}}",                    "{\"a\":{\"b\":{}},\"b\":{\"c\":\"ERROR\"}}",        ""                            },
    {"{{#a}}{{b.c.d}}{{/a}}",                  "{\"a\":{\"x\":1},\"b\":{\"c\":{\"d\":\"outer\"}}}", "outer"                       },
    {"{{.}}",                                  "\"text\"",                                          "text"                        },
    {"{{.}} {{{.}}}",                          "\"<\"",                                             "&lt; <"                      },
    {"| {{a}} |",                              "{\"a\":\"---\"}",                                   "| --- |"                     },
    {"  {{a}}\n",                              "{\"a\":\"---\"}",                                   "  ---\n"                     },
    {"  {{{a}}}\n",                            "{\"a\":\"---\"}",                                   "  ---\n"                     },
    {"  {{&a}}\n",                             "{\"a\":\"---\"}",                                   "  ---\n"                     },
    {"|{{ a }}|{{{ a }}}|{{& a }}|{{\na\n}}|", "{\"a\":\"-\"}",                                     "|-|-|-|-|"                   },
    {"{ {x} } {{x}} }} {",                     "{\"x\":1}",                                         "{ {x} } 1 }} {"              },
};

static const struct row sections[] = {
    {"\"{{#b}}This.{{/b}}\"",                                         "{\"b\":true}",                                        "\"This.\""                   },
    {"\"{{#b}}This.{{/b}}\"",                                         "{\"b\":false}",                                       "\"\""                        },
    {"\"{{#b}}This.{{/b}}\"",                                         "{\"b\":null}",                                        "\"\""                        },
    {"\"{{#b}}This.{{/b}}\"",                                         "{}",                                                  "\"\""                        },
    {"\"{{#b}}This.{{/b}}\"",                                         "{\"b\":\"\"}",                                        "\"\""                        },
    {"\"{{#b}}This.{{/b}}\"",                                         "{\"b\":0}",                                           "\"This.\""                   },
    {"\"{{#b}}This.{{/b}}\"",                                         "{\"b\":{}}",                                          "\"This.\""                   },
    {"{{#c}}Hi {{name}}.{{/c}}",                                      "{\"c\":{\"name\":\"Joe\"}}",                          "Hi Joe."                     },
    {"{{#a}}{{b}} {{c}}{{/a}}",                                       "{\"a\":{\"b\":\"in\"},\"b\":\"out\",\"c\":\"far\"}",  "in far"                      },
    {"{{#sec}}{{a}},{{b}},{{c.d}}{{/sec}}",
     "{\"a\":\"f\",\"b\":\"w\",\"sec\":{\"b\":\"b\"},\"c\":{\"d\":\"g\"}}",                                                  "f,b,g"                       },
    {"\"{{#list}}{{item}}{{/list}}\"",                                "{\"list\":[{\"item\":1},{\"item\":2},{\"item\":3}]}",
     "\"123\""                                                                                                                                             },
    {"\"{{#list}}Yay{{/list}}\"",                                     "{\"list\":[]}",                                       "\"\""                        },
    {"{{#list}}({{.}}){{/list}}",                                     "{\"list\":[\"a\",1,1.5,true]}",                       "(a)(1)(1.5)(true)"           },
    {"{{#list}}({{#.}}{{.}}{{/.}}){{/list}}",                         "{\"list\":[[1,2],[\"a\"]]}",                          "(12)(a)"                     },
    {"{{#list}}({{{.}}}{{.}}){{/list}}",                              "{\"list\":[\"<\"]}",                                  "(<&lt;)"                     },
    {"{{#name}}Hi {{.}}{{/name}}",                                    "{\"name\":\"Ann\"}",                                  "Hi Ann"                      },
    {"{{#.}}{{a}}{{/.}}",                                             "[{\"a\":1},{\"a\":2}]",                               "12"                          },
    {"{{#a}}{{#b}}{{x}}{{/b}}{{/a}}",                                 "{\"a\":[{\"x\":1},{\"x\":2}],\"b\":true}",            "12"                          },
    {"{{#tops}}{{#middles}}{{tn}}{{mn}}.{{/middles}}{{/tops}}",
     "{\"tops\":[{\"tn\":\"A\",\"middles\":[{\"mn\":1},{\"mn\":2}]}]}",                                                      "A1.A2."                      },
    {"{{#a.b.c}}Here{{/a.b.c}}",                                      "{\"a\":{\"b\":{\"c\":true}}}",                        "Here"                        },
    {"{{#a.b.c}}Here{{/a.b.c}}",                                      "{\"a\":{\"b\":{}}}",                                  ""                            },
    {"{{#b}}\n* first\n{{/b}}\n* {{two}}\n{{#b}}\n* third\n{{/b}}\n",
     "{\"b\":true,\"two\":\"second\"}",                                                                                      "* first\n* second\n* third\n"},
    {"| A {{#b}}B {{#b}}C{{/b}} D{{/b}} E |",                         "{\"b\":true}",                                        "| A B C D E |"               },
    {"| A {{#b}}B {{#b}}C{{/b}} D{{/b}} E |",                         "{}",                                                  "| A  E |"                    },
    {" | {{#b}}\t|\t{{/b}} | \n",                                     "{\"b\":true}",                                        " | \t|\t | \n"               },
    {" | {{#b}} {{! x }}\n {{/b}} | \n",                              "{\"b\":true}",                                        " |  \n  | \n"                },
    {" {{#b}}YES{{/b}}\n {{#b}}GOOD{{/b}}\n",                         "{\"b\":true}",                                        " YES\n GOOD\n"               },
    {"| This\n{{#b}}\n|\n{{/b}}\n| Is\n",                             "{\"b\":true}",                                        "| This\n|\n| Is\n"           },
    {"| This\n  {{#b}}\n|\n  {{/b}}\n| Is\n",                         "{\"b\":true}",                                        "| This\n|\n| Is\n"           },
    {"|\r\n{{#b}}\r\n{{/b}}\r\n|",                                    "{\"b\":true}",                                        "|\r\n|"                      },
    {"  {{#b}}\n#{{/b}}\n/",                                          "{\"b\":true}",                                        "#\n/"                        },
    {"#{{#b}}\n/\n  {{/b}}",                                          "{\"b\":true}",                                        "#\n/\n"                      },
    {"|{{# b }}={{/ b }}|",                                           "{\"b\":true}",                                        "|=|"                         },
};

static const struct row inverted[] = {
    {"{{^b}}None.{{/b}}",                                            "{\"b\":false}",                 "None."            },
    {"{{^b}}None.{{/b}}",                                            "{\"b\":true}",                  ""                 },
    {"{{^b}}None.{{/b}}",                                            "{\"b\":null}",                  "None."            },
    {"{{^b}}None.{{/b}}",                                            "{}",                            "None."            },
    {"{{^b}}None.{{/b}}",                                            "{\"b\":[]}",                    "None."            },
    {"{{^b}}None.{{/b}}",                                            "{\"b\":[0]}",                   ""                 },
    {"{{^b}}None.{{/b}}",                                            "{\"b\":\"\"}",                  "None."            },
    {"{{^c}}Hi {{name}}.{{/c}}",                                     "{\"c\":{\"name\":\"Joe\"}}",    ""                 },
    {"{{^b}}\n* first\n{{/b}}\n* second\n{{^b}}\n* third\n{{/b}}\n", "{}",
     "* first\n* second\n* third\n"                                                                                      },
    {"| A {{^b}}B {{^b}}C{{/b}} D{{/b}} E |",                        "{}",                            "| A B C D E |"    },
    {"{{^a.b.c}}Not here{{/a.b.c}}",                                 "{\"a\":{\"b\":{\"c\":false}}}", "Not here"         },
    {"{{^a.b.c}}Not here{{/a.b.c}}",                                 "{\"a\":{}}",                    "Not here"         },
    {" | {{^b}} {{! x }}\n {{/b}} | \n",                             "{}",                            " |  \n  | \n"     },
    {"| This\n  {{^b}}\n|\n  {{/b}}\n| Is\n",                        "{}",                            "| This\n|\n| Is\n"},
    {"|\r\n{{^b}}\r\n{{/b}}\r\n|",                                   "{}",                            "|\r\n|"           },
    {"  {{^b}}\n^{{/b}}\n/",                                         "{}",                            "^\n/"             },
    {"^{{^b}}\n/\n  {{/b}}",                                         "{}",                            "^\n/\n"           },
    {"|{{^ b }}={{/ b }}|",                                          "{}",                            "|=|"              },
};

static const struct row comments[] = {
    {"12345{{! Comment }}67890",                                  "{}",        "1234567890"    },
    {"12345{{!\n  This is a\n  multi-line comment...\n}}67890\n", "{}",        "1234567890\n"  },
    {"Begin.\n{{! alone }}\nEnd.\n",                              "{}",        "Begin.\nEnd.\n"},
    {"Begin.\n  {{! alone }}\nEnd.\n",                            "{}",        "Begin.\nEnd.\n"},
    {"|\r\n{{! alone }}\r\n|",                                    "{}",        "|\r\n|"        },
    {"  {{! alone }}\n!",                                         "{}",        "!"             },
    {"!\n  {{! alone }}",                                         "{}",        "!\n"           },
    {"Begin.\n{{!\nMore\nlines\n}}\nEnd.\n",                      "{}",        "Begin.\nEnd.\n"},
    {"Begin.\n  {{!\n    More\n    lines\n  }}\nEnd.\n",          "{}",        "Begin.\nEnd.\n"},
    {"  12 {{! 34 }}\n",                                          "{}",        "  12 \n"       },
    {"12345 {{! Comment }} 67890",                                "{}",        "12345  67890"  },
    {"({{! #a }}{{!a.b c}})",                                     "{\"a\":1}", "()"            },
};

#define ROWS_TEST(name, rows)                                                                  \
    START_TEST(name)                                                                           \
    {                                                                                          \
        expect(rows[_i].text, rows[_i].view, NULL, MR_TEMPLATE_HTML, rows[_i].want);           \
    }                                                                                          \
    END_TEST

ROWS_TEST(a_value_takes_its_tags_place, interpolation)
ROWS_TEST(a_section_is_there_as_often_as_its_value, sections)
ROWS_TEST(an_inverted_section_is_there_for_want_of_a_value, inverted)
ROWS_TEST(a_comment_is_not_there, comments)

static const struct {
    const char *text, *view, *partials, *want;
} partials[] = {
    {"\"{{>text}}\"",               "{}",                                                               "{\"text\":\"from partial\"}",                           "\"from partial\""       },
    {"\"{{>text}}\"",               "{}",                                                               "{}",                                                    "\"\""                   },
    {"\"{{>partial}}\"",            "{\"text\":\"content\"}",                                           "{\"partial\":\"*{{text}}*\"}",
     "\"*content*\""                                                                                                                                                                      },
    {"{{>node}}",                   "{\"content\":\"X\",\"nodes\":[{\"content\":\"Y\",\"nodes\":[]}]}",
     "{\"node\":\"{{content}}<{{#nodes}}{{>node}}{{/nodes}}>\"}",                                                                                                "X<Y<>>"                 },
    {"{{>outer}}",                  "{\"a\":\"hello\",\"b\":\"world\"}",
     "{\"outer\":\"*{{a}} {{>inner}}*\",\"inner\":\"{{b}}!\"}",                                                                                                  "*hello world!*"         },
    {"| {{>partial}} |",            "{}",                                                               "{\"partial\":\"\\t|\\t\"}",                             "| \t|\t |"              },
    {"  {{data}}  {{> partial}}\n", "{\"data\":\"|\"}",                                                 "{\"partial\":\">\\n>\"}",
     "  |  >\n>\n"                                                                                                                                                                        },
    {"|\r\n{{>partial}}\r\n|",      "{}",                                                               "{\"partial\":\">\"}",                                   "|\r\n>|"                },
    {"  {{>partial}}\n>",           "{}",                                                               "{\"partial\":\">\\n>\"}",                               "  >\n  >>"              },
    {">\n  {{>partial}}",           "{}",                                                               "{\"partial\":\">\\n>\"}",                               ">\n  >\n  >"            },
    {"\\\n {{>partial}}\n/\n",      "{\"content\":\"<\\n->\"}",
     "{\"partial\":\"|\\n{{{content}}}\\n|\\n\"}",                                                                                                               "\\\n |\n <\n->\n |\n/\n"},
    {"|{{> partial }}|",            "{\"boolean\":true}",                                               "{\"partial\":\"[]\"}",                                  "|[]|"                   },
 /* further than the specification goes */
    {" {{>a}}\n",                   "{}",                                                               "{\"a\":\"x\\n\\n  {{>b}}\\ny\\n\",\"b\":\"1\\n2\\n\"}",
     " x\n\n   1\n   2\n y\n"                                                                                                                                                             },
    {" {{>a}}\n",                   "{\"l\":[1,2]}",                                                    "{\"a\":\"{{#l}}\\n- {{.}}\\n{{/l}}\\n\"}",              " - 1\n - 2\n"           },
    {" {{>a}}\n",                   "{\"l\":[1,2]}",                                                    "{\"a\":\"{{#l}}{{.}} {{/l}}|\\n\"}",                    " 1 2 |\n"               },
    {" {{>a}}\n",                   "{\"l\":[1,2]}",                                                    "{\"a\":\"{{#l}}\\n{{.}}\\n{{/l}} |\\n\"}",
     " 1\n  2\n  |\n"                                                                                                                                                                     },
    {"{{#l}}{{>a}}{{/l}}",          "{\"l\":[{\"x\":1},{\"x\":2}]}",                                    "{\"a\":\"<{{x}}>\"}",                                   "<1><2>"                 },
};

START_TEST(a_partial_stands_where_it_is_called)
{
    expect(partials[_i].text, partials[_i].view, partials[_i].partials, MR_TEMPLATE_HTML,
           partials[_i].want);
}
END_TEST

/* ---- targets ---- */

static const struct {
    enum mr_template_target target;
    const char *text, *view, *want;
} targets[] = {
    {MR_TEMPLATE_TEXT,   "{{a}}{{{a}}}",                          "{\"a\":\"<&>\\n\"}",                     "<&>\n<&>\n"  },
    {MR_TEMPLATE_HTML,   "<a title='{{a}}'>",                     "{\"a\":\"' onclick='x\"}",
     "<a title='&#39; onclick=&#39;x'>"                                                                                   },
    {MR_TEMPLATE_HTML,   "{{a}}",
     "{\"a\":\"Gr\xc3\xbc\xc3\x9f"
     "e\"}",                                                                                                "Gr\xc3\xbc\xc3\x9f"
     "e"                                                                                                      },
    {MR_TEMPLATE_URL,    "/q?a={{a}}&b={{b}}",                    "{\"a\":\"x y&z=/?#%\",\"b\":\"-._~9\"}",
     "/q?a=x%20y%26z%3D%2F%3F%23%25&b=-._~9"                                                                              },
    {MR_TEMPLATE_URL,    "{{a}}",                                 "{\"a\":\"\xc3\xbc\\r\\n\"}",             "%C3%BC%0D%0A"},
    {MR_TEMPLATE_URL,    "{{{a}}}",                               "{\"a\":\"a/b\"}",                        "a/b"         },
    {MR_TEMPLATE_HEADER, "Order {{n}}\n",                         "{\"n\":7}",                              "Order 7"     },
    {MR_TEMPLATE_HEADER, "Order {{n}}\r\n",                       "{\"n\":7}",                              "Order 7"     },
    {MR_TEMPLATE_HEADER, "{{a}}",                                 "{\"a\":\"<&>\"}",                        "<&>"         },
    {MR_TEMPLATE_HEADER, "{{! about }}\n{{#a}}\n{{a}}\n{{/a}}\n", "{\"a\":\"x\"}",                          "x"           },
    {MR_TEMPLATE_HEADER, "",                                      "{}",                                     ""            },
    {MR_TEMPLATE_HEADER, "\n",                                    "{}",                                     ""            },
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
    {"a\n{{b",                          "t:2:1: this tag is never closed: no }}"              },
    {"{{{b}}",                          "t:1:1: this tag is never closed: no }}}"             },
    {"{{b}",                            "t:1:1: this tag is never closed"                     },
    {"{{",                              "t:1:1: this tag is never closed"                     },
    {"{{}}",                            "t:1:1: a tag without a name"                         },
    {"{{ }}",                           "t:1:1: a tag without a name"                         },
    {"{{#}}{{/}}",                      "t:1:1: a tag without a name"                         },
    {"{{a b}}",                         "\"a b\" is no name"                                  },
    {"{{a{{b}}",                        "\"a{{b\" is no name"                                 },
    {"{{.a}}",                          "\".a\" is no name: nothing stands beside a dot"      },
    {"{{a.}}",                          "is no name"                                          },
    {"{{a..b}}",                        "is no name"                                          },
    {"x\xc3\xbcy {{#a}}\n{{#b}}{{/b}}", "t:1:5: this section is never closed: no {{/a}}"      },
    {"{{/a}}",                          "t:1:1: {{/a}} closes no section"                     },
    {"{{#a}}\n  {{/b}}",                "t:2:3: {{/b}} stands where {{/a}} should"            },
    {"{{#a}}{{#b}}{{/a}}{{/b}}",        "{{/a}} stands where {{/b}} should"                   },
    {"{{=<% %>=}}",                     "t:1:1: other delimiters than {{ }} are not supported"},
    {"ok\nx\xff",                       "t:2:2: this byte is no UTF-8"                        },
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
        {a_value_takes_its_tags_place,                       MR_COUNT(interpolation)},
        {a_section_is_there_as_often_as_its_value,           MR_COUNT(sections)     },
        {an_inverted_section_is_there_for_want_of_a_value,   MR_COUNT(inverted)     },
        {a_comment_is_not_there,                             MR_COUNT(comments)     },
        {a_partial_stands_where_it_is_called,                MR_COUNT(partials)     },
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
