/*
 * What the published specification of mustache wants, case by case under its own names, of all that is not optional there. Only apostrophes differ:
 * they are escaped too.
 */
#include "jobs/services/template.h"
#include "tests/support/suite.h"

#include <string.h>

struct row {
    const char *name, *text, *view, *want;
    const char *partials; /* NULL: none */
};

/* clang-format off */
static const struct row interpolation[] = {
    {"no interpolation", "A room {for two}, or } three\n", "{}", "A room {for two}, or } three\n", NULL},
    {"basic interpolation", "Dear {{guest}},\n", "{\"guest\": \"Ann\"}", "Dear Ann,\n", NULL},
    {"no re-interpolation", "{{guest}} {{room}}",
     "{\"guest\": \"{{room}}\", \"room\": \"12\"}", "{{room}} 12", NULL},
    {"HTML escaping", "{{note}}", "{\"note\": \"<b> & \\\"c\\\"\"}", "&lt;b&gt; &amp; &quot;c&quot;", NULL},
    {"triple mustache", "{{{note}}}", "{\"note\": \"<b> & \\\"c\\\"\"}", "<b> & \"c\"", NULL},
    {"ampersand", "{{&note}}", "{\"note\": \"<b> & \\\"c\\\"\"}", "<b> & \"c\"", NULL},
    {"basic integer interpolation", "{{nights}} nights", "{\"nights\": -3}", "-3 nights", NULL},
    {"basic decimal interpolation", "{{rate}} stars", "{\"rate\": 4.75}", "4.75 stars", NULL},
    {"basic null interpolation", "<{{guest}}>", "{\"guest\": null}", "<>", NULL},
    {"basic context miss interpolation", "<{{guest}}>", "{}", "<>", NULL},
    {"triple mustache integer interpolation", "{{{nights}}} nights", "{\"nights\": -3}", "-3 nights", NULL},
    {"triple mustache decimal interpolation", "{{{rate}}} stars", "{\"rate\": 4.75}", "4.75 stars", NULL},
    {"triple mustache null interpolation", "<{{{guest}}}>", "{\"guest\": null}", "<>", NULL},
    {"triple mustache context miss interpolation", "<{{{guest}}}>", "{}", "<>", NULL},
    {"ampersand integer interpolation", "{{&nights}} nights", "{\"nights\": -3}", "-3 nights", NULL},
    {"ampersand decimal interpolation", "{{&rate}} stars", "{\"rate\": 4.75}", "4.75 stars", NULL},
    {"ampersand null interpolation", "<{{&guest}}>", "{\"guest\": null}", "<>", NULL},
    {"ampersand context miss interpolation", "<{{&guest}}>", "{}", "<>", NULL},
    {"dotted names: basic interpolation", "{{guest.name}} {{#guest}}{{name}}{{/guest}}",
     "{\"guest\": {\"name\": \"Ann\"}}", "Ann Ann", NULL},
    {"dotted names: triple mustache interpolation", "{{{guest.name}}} {{#guest}}{{{name}}}{{/guest}}",
     "{\"guest\": {\"name\": \"Ann\"}}", "Ann Ann", NULL},
    {"dotted names: ampersand interpolation", "{{&guest.name}} {{#guest}}{{&name}}{{/guest}}",
     "{\"guest\": {\"name\": \"Ann\"}}", "Ann Ann", NULL},
    {"dotted names: arbitrary depth", "{{hotel.floor.room.bed.guest}}",
     "{\"hotel\": {\"floor\": {\"room\": {\"bed\": {\"guest\": \"Ann\"}}}}}", "Ann", NULL},
    {"dotted names: broken chains", "<{{hotel.room.guest}}>", "{\"hotel\": {}}", "<>", NULL},
    {"dotted names: broken chain resolution", "<{{hotel.room.guest.name}}>",
     "{\"hotel\": {\"room\": {}}, \"guest\": {\"name\": \"Eve\"}}", "<>", NULL},
    {"dotted names: initial resolution", "{{#hotel}}{{room.guest}}{{/hotel}}",
     "{\"hotel\": {\"room\": {\"guest\": \"Ann\"}}, \"room\": {\"guest\": \"Eve\"}}", "Ann", NULL},
    {"dotted names: context precedence", "<{{#hotel}}{{room.guest}}{{/hotel}}>",
     "{\"hotel\": {\"room\": {}}, \"room\": {\"guest\": \"Eve\"}}", "<>", NULL},
    {"dotted names are never single keys", "<{{room.guest}}>", "{\"room.guest\": \"Eve\"}", "<>", NULL},
    {"dotted names: no masking", "{{room.guest}}",
     "{\"room.guest\": \"Eve\", \"room\": {\"guest\": \"Ann\"}}", "Ann", NULL},
    {"implicit iterators: basic interpolation", "Dear {{.}},", "\"Ann\"", "Dear Ann,", NULL},
    {"implicit iterators: HTML escaping", "{{.}}",
     "\"<b> & \\\"c\\\"\"", "&lt;b&gt; &amp; &quot;c&quot;", NULL},
    {"implicit iterators: triple mustache", "{{{.}}}", "\"<b> & \\\"c\\\"\"", "<b> & \"c\"", NULL},
    {"implicit iterators: ampersand", "{{&.}}", "\"<b> & \\\"c\\\"\"", "<b> & \"c\"", NULL},
    {"implicit iterators: basic integer interpolation", "{{.}} nights", "7", "7 nights", NULL},
    {"interpolation: surrounding whitespace", "< {{room}} >", "{\"room\": \"12\"}", "< 12 >", NULL},
    {"interpolation: standalone", "\t{{room}}\n", "{\"room\": \"12\"}", "\t12\n", NULL},
    {"interpolation with padding", "<{{ \t room  }}>", "{\"room\": \"12\"}", "<12>", NULL},
    {"triple mustache: surrounding whitespace", "< {{{room}}} >", "{\"room\": \"12\"}", "< 12 >", NULL},
    {"triple mustache: standalone", "\t{{{room}}}\n", "{\"room\": \"12\"}", "\t12\n", NULL},
    {"triple mustache with padding", "<{{{ \t room  }}}>", "{\"room\": \"12\"}", "<12>", NULL},
    {"ampersand: surrounding whitespace", "< {{&room}} >", "{\"room\": \"12\"}", "< 12 >", NULL},
    {"ampersand: standalone", "\t{{&room}}\n", "{\"room\": \"12\"}", "\t12\n", NULL},
    {"ampersand with padding", "<{{& \t room  }}>", "{\"room\": \"12\"}", "<12>", NULL},
};

static const struct row sections[] = {
    {"truthy", "<{{#paid}}thanks{{/paid}}>", "{\"paid\": true}", "<thanks>", NULL},
    {"falsey", "<{{#paid}}thanks{{/paid}}>", "{\"paid\": false}", "<>", NULL},
    {"null is falsey", "<{{#paid}}thanks{{/paid}}>", "{\"paid\": null}", "<>", NULL},
    {"context", "{{#guest}}{{name}}, {{age}}{{/guest}}",
     "{\"guest\": {\"name\": \"Ann\", \"age\": 40}}", "Ann, 40", NULL},
    {"parent contexts", "{{#room}}{{hotel}}/{{number}}/{{host.name}}{{/room}}",
     "{\"hotel\": \"Inn\", \"number\": 0, \"room\": {\"number\": 12}, \"host\": {\"name\": \"Bo\"}}",
     "Inn/12/Bo", NULL},
    {"variable test", "{{#note}}note: {{.}}, {{note}}{{/note}}",
     "{\"note\": \"late\"}", "note: late, late", NULL},
    {"list contexts", "{{#hotels}}{{#rooms}}{{name}}{{no}}:{{#beds}}{{name}}{{no}}{{b}} {{/beds}}{{/rooms}}{{/hotels}}",
     "{\"hotels\": [{\"name\": \"I\", \"rooms\": [{\"no\": 1, \"beds\": [{\"b\": \"x\"}, {\"b\": \"y\"}]}, {\"no\": 2, \"beds\": []}]}]}",
     "I1:I1x I1y I2:", NULL},
    {"deeply nested contexts", "{{#a}}\n{{x}}\n{{#b}}\n{{x}}{{y}}\n{{#c}}\n{{x}}{{y}}{{z}}\n{{#z}}\n{{x}}{{y}}{{.}}\n{{/z}}\n{{/c}}\n{{x}}{{y}}\n{{/b}}\n{{x}}\n{{/a}}\n",
     "{\"a\": {\"x\": 1}, \"b\": {\"y\": 2}, \"c\": {\"z\": 3}}", "1\n12\n123\n123\n12\n1\n", NULL},
    {"list", "{{#nights}}[{{d}}]{{/nights}}",
     "{\"nights\": [{\"d\": 5}, {\"d\": 6}, {\"d\": 7}]}", "[5][6][7]", NULL},
    {"empty list", "<{{#nights}}night{{/nights}}>", "{\"nights\": []}", "<>", NULL},
    {"doubled", "{{#paid}}\nin\n{{/paid}}\nthe {{x}}\n{{#paid}}\nout\n{{/paid}}\n",
     "{\"paid\": true, \"x\": \"bill\"}", "in\nthe bill\nout\n", NULL},
    {"nested (truthy)", "1 {{#paid}}2 {{#paid}}3{{/paid}} 4{{/paid}} 5",
     "{\"paid\": true}", "1 2 3 4 5", NULL},
    {"nested (falsey)", "1 {{#paid}}2 {{#paid}}3{{/paid}} 4{{/paid}} 5", "{\"paid\": false}", "1  5", NULL},
    {"context misses", "<{{#guest}}a guest{{/guest}}>", "{}", "<>", NULL},
    {"implicit iterator: string", "{{#l}}<{{.}}>{{/l}}", "{\"l\": [\"sea\", \"hill\"]}", "<sea><hill>", NULL},
    {"implicit iterator: integer", "{{#l}}<{{.}}>{{/l}}", "{\"l\": [12, -3]}", "<12><-3>", NULL},
    {"implicit iterator: decimal", "{{#l}}<{{.}}>{{/l}}", "{\"l\": [4.5, 0.25]}", "<4.5><0.25>", NULL},
    {"implicit iterator: array", "{{#l}}<{{#.}}{{.}}{{/.}}>{{/l}}",
     "{\"l\": [[1, 2], [\"a\"], []]}", "<12><a><>", NULL},
    {"implicit iterator: HTML escaping", "{{#l}}<{{.}}>{{/l}}",
     "{\"l\": [\"&\", \"\\\"\", \"<\"]}", "<&amp;><&quot;><&lt;>", NULL},
    {"implicit iterator: triple mustache", "{{#l}}<{{{.}}}>{{/l}}",
     "{\"l\": [\"&\", \"\\\"\", \"<\"]}", "<&><\"><<>", NULL},
    {"implicit iterator: ampersand", "{{#l}}<{{&.}}>{{/l}}",
     "{\"l\": [\"&\", \"\\\"\", \"<\"]}", "<&><\"><<>", NULL},
    {"implicit iterator: root-level", "{{#.}}<{{d}}>{{/.}}", "[{\"d\": 5}, {\"d\": 6}]", "<5><6>", NULL},
    {"dotted names: truthy", "<{{#a.b.c}}x{{/a.b.c}}>", "{\"a\": {\"b\": {\"c\": true}}}", "<x>", NULL},
    {"dotted names: falsey", "<{{#a.b.c}}x{{/a.b.c}}>", "{\"a\": {\"b\": {\"c\": false}}}", "<>", NULL},
    {"dotted names: broken chains", "<{{#a.b.c}}x{{/a.b.c}}>", "{\"a\": {}}", "<>", NULL},
    {"surrounding whitespace", " < {{#on}}\t-\t{{/on}} > \n", "{\"on\": true}", " < \t-\t > \n", NULL},
    {"internal whitespace", " < {{#on}}  {{! keep }}\n\t{{/on}} > \n",
     "{\"on\": true}", " <   \n\t > \n", NULL},
    {"indented inline sections", "  {{#on}}sea{{/on}}\n\t{{#on}}hill{{/on}}\n",
     "{\"on\": true}", "  sea\n\thill\n", NULL},
    {"standalone lines", "from\n{{#on}}\nvia\n{{/on}}\nto\n", "{\"on\": true}", "from\nvia\nto\n", NULL},
    {"indented standalone lines", "from\n   {{#on}}\nvia\n\t{{/on}}  \nto\n",
     "{\"on\": true}", "from\nvia\nto\n", NULL},
    {"standalone line endings", "from\r\n{{#on}}\r\n{{/on}}\r\nto", "{\"on\": true}", "from\r\nto", NULL},
    {"standalone without previous line", " {{#on}}\nvia{{/on}}\nto", "{\"on\": true}", "via\nto", NULL},
    {"standalone without newline", "from{{#on}}\nvia\n\t{{/on}}", "{\"on\": true}", "from\nvia\n", NULL},
    {"padding", "<{{#  on }}x{{/\ton\t}}>", "{\"on\": true}", "<x>", NULL},
};

static const struct row inverted[] = {
    {"falsey", "<{{^paid}}please pay{{/paid}}>", "{\"paid\": false}", "<please pay>", NULL},
    {"truthy", "<{{^paid}}please pay{{/paid}}>", "{\"paid\": true}", "<>", NULL},
    {"null is falsey", "<{{^paid}}please pay{{/paid}}>", "{\"paid\": null}", "<please pay>", NULL},
    {"context", "<{{^guest}}{{name}}{{/guest}}>", "{\"guest\": {\"name\": \"Ann\"}}", "<>", NULL},
    {"list", "<{{^nights}}none{{/nights}}>", "{\"nights\": [{\"d\": 5}, {\"d\": 6}]}", "<>", NULL},
    {"empty list", "<{{^nights}}none{{/nights}}>", "{\"nights\": []}", "<none>", NULL},
    {"doubled", "{{^paid}}\nin\n{{/paid}}\nthe {{x}}\n{{^paid}}\nout\n{{/paid}}\n",
     "{\"paid\": false, \"x\": \"bill\"}", "in\nthe bill\nout\n", NULL},
    {"nested (falsey)", "1 {{^paid}}2 {{^paid}}3{{/paid}} 4{{/paid}} 5",
     "{\"paid\": false}", "1 2 3 4 5", NULL},
    {"nested (truthy)", "1 {{^paid}}2 {{^paid}}3{{/paid}} 4{{/paid}} 5", "{\"paid\": true}", "1  5", NULL},
    {"context misses", "<{{^guest}}nobody{{/guest}}>", "{}", "<nobody>", NULL},
    {"dotted names: truthy", "<{{^a.b.c}}x{{/a.b.c}}>", "{\"a\": {\"b\": {\"c\": true}}}", "<>", NULL},
    {"dotted names: falsey", "<{{^a.b.c}}x{{/a.b.c}}>", "{\"a\": {\"b\": {\"c\": false}}}", "<x>", NULL},
    {"dotted names: broken chains", "<{{^a.b.c}}x{{/a.b.c}}>", "{\"a\": {}}", "<x>", NULL},
    {"surrounding whitespace", " < {{^on}}\t-\t{{/on}} > \n", "{\"on\": false}", " < \t-\t > \n", NULL},
    {"internal whitespace", " < {{^on}}  {{! keep }}\n\t{{/on}} > \n",
     "{\"on\": false}", " <   \n\t > \n", NULL},
    {"indented inline sections", "  {{^on}}sea{{/on}}\n\t{{^on}}hill{{/on}}\n",
     "{\"on\": false}", "  sea\n\thill\n", NULL},
    {"standalone lines", "from\n{{^on}}\nvia\n{{/on}}\nto\n", "{\"on\": false}", "from\nvia\nto\n", NULL},
    {"standalone indented lines", "from\n   {{^on}}\nvia\n\t{{/on}}  \nto\n",
     "{\"on\": false}", "from\nvia\nto\n", NULL},
    {"standalone line endings", "from\r\n{{^on}}\r\n{{/on}}\r\nto", "{\"on\": false}", "from\r\nto", NULL},
    {"standalone without previous line", " {{^on}}\nvia{{/on}}\nto", "{\"on\": false}", "via\nto", NULL},
    {"standalone without newline", "from{{^on}}\nvia\n\t{{/on}}", "{\"on\": false}", "from\nvia\n", NULL},
    {"padding", "<{{^  on }}x{{/\ton\t}}>", "{\"on\": false}", "<x>", NULL},
};

static const struct row comments[] = {
    {"inline", "Bed{{! which one }}room", "{}", "Bedroom", NULL},
    {"multiline", "Bed{{!\n to be\n chosen\n}}room\n", "{}", "Bedroom\n", NULL},
    {"standalone", "from\n{{! dates }}\nto\n", "{}", "from\nto\n", NULL},
    {"indented standalone", "from\n    {{! dates }}\nto\n", "{}", "from\nto\n", NULL},
    {"standalone line endings", "from\r\n{{! dates }}\r\nto", "{}", "from\r\nto", NULL},
    {"standalone without previous line", "\t{{! dates }}\nto", "{}", "to", NULL},
    {"standalone without newline", "from\n\t{{! dates }}", "{}", "from\n", NULL},
    {"multiline standalone", "from\n{{!\nthe first\nnight\n}}\nto\n", "{}", "from\nto\n", NULL},
    {"indented multiline standalone", "from\n  {{!\n  the first\n  night\n  }}\nto\n",
     "{}", "from\nto\n", NULL},
    {"indented inline", "  3 {{! nights }}\n", "{}", "  3 \n", NULL},
    {"surrounding whitespace", "3 {{! nights }} EUR", "{}", "3  EUR", NULL},
    {"variable name collision", "<{{! guest }}{{!guest}}{{!#guest}}>",
     "{\"guest\": \"Ann\", \" guest \": \"Ann\", \"! guest\": \"Ann\"}", "<>", NULL},
};

static const struct row partials[] = {
    {"basic behavior", "<{{>foot}}>", "{}", "<The Inn>", "{\"foot\": \"The Inn\"}"},
    {"failed lookup", "<{{>foot}}>", "{}", "<>", "{}"},
    {"context", "<{{>foot}}>", "{\"inn\": \"Sea\"}", "<The Sea>", "{\"foot\": \"The {{inn}}\"}"},
    {"recursion", "{{>part}}",
     "{\"n\": 1, \"parts\": [{\"n\": 2, \"parts\": [{\"n\": 3, \"parts\": []}]}]}",
     "1(2(3()))", "{\"part\": \"{{n}}({{#parts}}{{>part}}{{/parts}})\"}"},
    {"nested", "{{>mail}}",
     "{\"a\": \"Ann\", \"b\": \"Bo\"}",
     "Dear Ann, Bo.", "{\"mail\": \"Dear {{a}}, {{>foot}}.\", \"foot\": \"{{b}}\"}"},
    {"surrounding whitespace", "a {{>foot}} b", "{}", "a \t-\t b", "{\"foot\": \"\\t-\\t\"}"},
    {"inline indentation", "  {{x}} {{> foot}}\n", "{\"x\": \"-\"}", "  - 1\n2\n", "{\"foot\": \"1\\n2\"}"},
    {"standalone line endings", "a\r\n{{>foot}}\r\nb", "{}", "a\r\n-b", "{\"foot\": \"-\"}"},
    {"standalone without previous line", "    {{>foot}}\nb", "{}", "    1\n    2b", "{\"foot\": \"1\\n2\"}"},
    {"standalone without newline", "a\n    {{>foot}}", "{}", "a\n    1\n    2", "{\"foot\": \"1\\n2\"}"},
    {"standalone indentation", "a\n  {{>foot}}\nb\n",
     "{\"x\": \"<\\n2\"}", "a\n  1\n  <\n2\n  3\nb\n", "{\"foot\": \"1\\n{{{x}}}\\n3\\n\"}"},
    {"padding whitespace", "<{{> \tfoot  }}>", "{}", "<->", "{\"foot\": \"-\"}"},
};

static const struct row delimiters[] = {
    {"pair behavior", "{{=(: :)=}}Room (:room:)", "{\"room\": 12}", "Room 12", NULL},
    {"special characters", "{{=. *=}}Room .room*, {{room}}", "{\"room\": 12}", "Room 12, {{room}}", NULL},
    {"sections", "{{#open}}\n{{room}} $room$\n{{/open}}\n{{= $ $ =}}\n$#open$\n{{room}} $room$\n$/open$\n",
     "{\"open\": true, \"room\": 12}", "12 $room$\n{{room}} 12\n", NULL},
    {"inverted sections", "{{^full}}\n{{room}} $room$\n{{/full}}\n{{= $ $ =}}\n$^full$\n{{room}} $room$\n$/full$\n",
     "{\"full\": false, \"room\": 12}", "12 $room$\n{{room}} 12\n", NULL},
    {"partial inheritance", "{{>guest}}, {{=[[ ]]=}}[[>guest]]",
     "{\"name\": \"Ann\"}", "<Ann>, <Ann>", "{\"guest\": \"<{{name}}>\"}"},
    {"post-partial behavior", "{{>guest}}, [[name]] {{name}}",
     "{\"name\": \"Ann\"}", "<Ann>, [[name]] Ann", "{\"guest\": \"{{=[[ ]]=}}<[[name]]>\"}"},
    {"surrounding whitespace", "a {{=| |=}} b", "{}", "a  b", NULL},
    {"outlying whitespace (inline)", "  a {{=| |=}}\n", "{}", "  a \n", NULL},
    {"standalone tag", "from\n{{=| |=}}\nto\n", "{}", "from\nto\n", NULL},
    {"indented standalone tag", "from\n\t {{=| |=}}\nto\n", "{}", "from\nto\n", NULL},
    {"standalone line endings", "from\r\n{{= | | =}}\r\nto", "{}", "from\r\nto", NULL},
    {"standalone without previous line", "   {{=| |=}}\nto", "{}", "to", NULL},
    {"standalone without newline", "from\n   {{=| |=}}", "{}", "from\n", NULL},
    {"pair with padding", "<{{=  |\t |  =}}>", "{}", "<>", NULL},
};
/* clang-format on */

/* Partials are members of the JSON object arg. */
static enum mr_code find_partial(void *arg, const char *name, struct mr_template **out,
                                 struct mr_err *err)
{
    const char *text = json_string_value(json_object_get(arg, name));

    return text ? mr_template_compile(text, strlen(text), name, out, err) : MR_ENOTFOUND;
}

static void check(const struct row *row)
{
    json_t *view = json_loads(row->view, JSON_DECODE_ANY, NULL);
    json_t *others = row->partials ? json_loads(row->partials, 0, NULL) : NULL;
    const struct mr_template_task task = {.view = view,
                                          .target = MR_TEMPLATE_HTML,
                                          .max_bytes = 1000,
                                          .partial = find_partial,
                                          .arg = others};
    struct mr_template *template = NULL;
    struct mr_buf out = {0};
    struct mr_err err = {0};

    ck_assert_ptr_nonnull(view);
    bool rendered = mr_template_compile(row->text, strlen(row->text), row->name, &template,
                                        &err) == MR_OK &&
                    mr_template_render(template, &task, &out, &err) == MR_OK;
    ck_assert_msg(rendered, "%s", err.text);
    ck_assert_msg(strcmp(out.at, row->want) == 0, "%s: \"%s\", not \"%s\"", row->name, out.at,
                  row->want);
    mr_buf_fini(&out);
    mr_template_unref(template);
    json_decref(view);
    json_decref(others);
}

#define ROWS_TEST(name, rows)                                                                  \
    START_TEST(name)                                                                           \
    {                                                                                          \
        check(&rows[_i]);                                                                      \
    }                                                                                          \
    END_TEST

ROWS_TEST(a_value_takes_its_tags_place, interpolation)
ROWS_TEST(a_section_is_there_as_often_as_its_value, sections)
ROWS_TEST(an_inverted_section_is_there_for_want_of_a_value, inverted)
ROWS_TEST(a_comment_is_not_there, comments)
ROWS_TEST(a_partial_stands_where_it_is_called, partials)
ROWS_TEST(delimiters_change_from_here_on, delimiters)

int main(void)
{
    const struct mr_test tests[] = {
        {a_value_takes_its_tags_place,                     MR_COUNT(interpolation)},
        {a_section_is_there_as_often_as_its_value,         MR_COUNT(sections)     },
        {an_inverted_section_is_there_for_want_of_a_value, MR_COUNT(inverted)     },
        {a_comment_is_not_there,                           MR_COUNT(comments)     },
        {a_partial_stands_where_it_is_called,              MR_COUNT(partials)     },
        {delimiters_change_from_here_on,                   MR_COUNT(delimiters)   },
    };

    return mr_suite_run("mustache", tests);
}
