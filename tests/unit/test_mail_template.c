#include "jobs/email/from_template.h"
#include "jobs/services/template_store.h"
#include "tests/support/scratch.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mr_err err;
static char dir[64];
static struct mr_template_store *store;

static void start(void)
{
    strcpy(dir, "/tmp/millrace-mails-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    mr_scratch_put(dir, "booking.subject.mustache", "Booking {{number}}\n");
    mr_scratch_put(dir, "booking.text.mustache", "Dear {{name}},\nbye\n");
    mr_scratch_put(dir, "booking.html.mustache", "<p>Dear {{name}},</p>\n");
    mr_scratch_put(dir, "plain.subject.mustache", "Plain\n");
    mr_scratch_put(dir, "plain.text.mustache", "text\n");
    mr_scratch_put(dir, "fancy.subject.mustache", "Fancy\n");
    mr_scratch_put(dir, "fancy.html.mustache", "<p>html</p>\n");
    mr_scratch_put(dir, "bodiless.subject.mustache", "Nothing\n");
    mr_scratch_put(dir, "headless.text.mustache", "text\n");
    mr_scratch_put(dir, "broken.subject.mustache", "Broken\n");
    mr_scratch_put(dir, "broken.text.mustache", "fine\n");
    mr_scratch_put(dir, "broken.html.mustache", "{{#a}}\n");
    store = mr_template_store_new(dir);
}

static void stop(void)
{
    char command[100];

    mr_template_store_free(store);
    snprintf(command, sizeof(command), "rm -r '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

static enum mr_code make(const char *text, json_t **out)
{
    json_t *data = json_loads(text, JSON_ALLOW_NUL, NULL);

    ck_assert_msg(data != NULL, "the test's own JSON is wrong: %s", text);
    json_t *before = json_deep_copy(data);
    enum mr_code code = mr_mail_from_template(data, store, out, &err);
    ck_assert(json_equal(data, before)); /* the job's data stays as it is */
    json_decref(before);
    json_decref(data);
    return code;
}

/* subject, text and html of the mail; NULL: it has none. */
static const struct {
    const char *data, *subject, *text, *html;
} made[] = {
    {"{\"template\":\"booking\",\"vars\":{\"name\":\"<Ann>\",\"number\":7}}",       "Booking 7",
     "Dear <Ann>,\nbye\n",                                                                                 "<p>Dear &lt;Ann&gt;,</p>\n"},
    {"{\"template\":\"booking\",\"vars\":{\"name\":\"Ann\"},\"subject\":\"Mine\"}", "Mine",
     "Dear Ann,\nbye\n",                                                                                   "<p>Dear Ann,</p>\n"        },
    {"{\"template\":\"plain\"}",                                                    "Plain",     "text\n", NULL                        },
    {"{\"template\":\"fancy\",\"vars\":null,\"text\":null}",                        "Fancy",     NULL,     "<p>html</p>\n"             },
    {"{\"template\":\"headless\",\"subject\":\"Mine\"}",                            "Mine",      "text\n", NULL                        },
    {"{\"subject\":\"s\",\"text\":\"t\"}",                                          "s",         "t",      NULL                        },
    {"{\"template\":null,\"subject\":\"s\",\"text\":\"t\",\"vars\":5}",             "s",         "t",      NULL                        },
};

static void expect_member(json_t *mail, const char *member, const char *want)
{
    const char *text = json_string_value(json_object_get(mail, member));

    ck_assert_msg(want ? text && strcmp(text, want) == 0 : !text, "%s is %s", member,
                  text ? text : "missing");
}

START_TEST(a_template_makes_the_texts_of_a_mail)
{
    json_t *mail = NULL;

    start();
    ck_assert_msg(make(made[_i].data, &mail) == MR_OK, "%s", err.text);
    expect_member(mail, "subject", made[_i].subject);
    expect_member(mail, "text", made[_i].text);
    expect_member(mail, "html", made[_i].html);
    json_decref(mail);
    stop();
}
END_TEST

static const struct {
    const char *data;
    enum mr_code code;
    const char *want;
} refused[] = {
    {"{\"template\":7}",                                   MR_EINVAL,    "data.template must be a string"            },
    {"{\"template\":\"a\\u0000b\"}",                       MR_EINVAL,    "data.template must be a string without NUL"},
    {"{\"template\":\"plain\",\"vars\":[]}",               MR_EINVAL,    "data.vars must be an object"               },
    {"{\"template\":\"plain\",\"text\":\"x\"}",            MR_EINVAL,    "data.text and data.template: "             },
    {"{\"template\":\"plain\",\"html\":\"x\"}",            MR_EINVAL,    "data.html and data.template: "             },
    {"{\"template\":\"../plain\"}",                        MR_EINVAL,    "\"../plain\" is no name of a template"     },
    {"{\"template\":\"booking\",\"vars\":{\"number\":7}}", MR_EINVAL,
     "booking.text.mustache:1:6: {{name}} has no value"                                                              },
    {"{\"template\":\"booking\",\"vars\":{\"number\":\"7\\r\\nBcc: "
     "eve@example.org\",\"name\":\"Ann\"}}",          MR_EINVAL,
     "booking.subject.mustache:1:9: {{number}} holds a line end, which would forge a header"                         },
    {"{\"template\":\"boking\"}",                          MR_ENOTFOUND, "did you mean \"booking\"?"                 },
    {"{\"template\":\"headless\"}",                        MR_ENOTFOUND, "template \"headless\" has no subject"      },
    {"{\"template\":\"bodiless\"}",                        MR_ENOTFOUND, "template \"bodiless\" has no text"         },
    {"{\"template\":\"broken\"}",                          MR_EFAULT,
     "broken.html.mustache:1:1: this section is never closed"                                                        },
};

START_TEST(what_no_template_can_make_is_told)
{
    json_t *mail = NULL;

    start();
    ck_assert_int_eq(make(refused[_i].data, &mail), refused[_i].code);
    ck_assert_msg(strstr(err.text, refused[_i].want) != NULL, "%s", err.text);
    ck_assert_ptr_null(mail);
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_template_makes_the_texts_of_a_mail, MR_COUNT(made)   },
        {what_no_template_can_make_is_told,    MR_COUNT(refused)},
    };

    return mr_suite_run("mail_template", tests);
}
