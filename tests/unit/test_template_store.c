#include "jobs/services/template_store.h"
#include "tests/support/scratch.h"
#include "tests/support/suite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct mr_err err;
static struct mr_buf out;
static char dir[64];
static struct mr_template_store *store;

static void put(const char *name, const char *text)
{
    mr_scratch_put(dir, name, text);
}

static void start(void)
{
    char path[100];

    mr_scratch_folder(dir);
    snprintf(path, sizeof(path), "%s/mails", dir);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    put("booking.text.mustache", "Hello {{name}}{{>footer}}");
    put("booking.html.mustache", "<b>{{name}}</b>{{>footer}}");
    put("footer.text.mustache", ", bye.\n");
    put("footer.html.mustache", "<hr>");
    put("mails/welcome.text.mustache", "Welcome{{>footer}}");
    put("broken.text.mustache", "a\n{{b");
    put("lame.text.mustache", "{{>missing}}");
    put("climbing.text.mustache", "{{>../footer}}");
    put("v2.booking.text.mustache", "two");
    store = mr_template_store_new(dir);
}

static void stop(void)
{
    mr_template_store_free(store);
    mr_buf_fini(&out);
    mr_scratch_remove(dir);
}

static enum mr_code render(const char *name, const char *part, const char *vars)
{
    json_t *values = json_loads(vars, 0, NULL);

    mr_buf_clear(&out);
    enum mr_code code = mr_template_store_render(
        store, name, part, strcmp(part, "html") == 0 ? MR_TEMPLATE_HTML : MR_TEMPLATE_TEXT,
        values, &out, &err);
    json_decref(values);
    return code;
}

static const struct {
    const char *name, *part, *want;
} found[] = {
    {"booking",       "text", "Hello <Ann>, bye.\n"   },
    {"booking",       "html", "<b>&lt;Ann&gt;</b><hr>"},
    {"mails/welcome", "text", "Welcome, bye.\n"       },
    {"v2.booking",    "text", "two"                   },
};

START_TEST(a_template_is_found_by_name_and_part)
{
    start();
    ck_assert_msg(render(found[_i].name, found[_i].part, "{\"name\":\"<Ann>\"}") == MR_OK, "%s",
                  err.text);
    ck_assert_str_eq(out.at, found[_i].want);
    stop();
}
END_TEST

static const struct {
    const char *name, *part, *vars;
    enum mr_code code;
    const char *want;
} refused[] = {
    {"bookin",                    "text",    "{}", MR_ENOTFOUND, "; did you mean \"booking\"?"                        },
    {"mails/welcom",              "text",    "{}", MR_ENOTFOUND, "; did you mean \"mails/welcome\"?"                  },
    {"elsewhere/welcome",         "text",    "{}", MR_ENOTFOUND,
     "there is no template \"elsewhere/welcome\" in "                                                                 },
    {"booking.text.mustache/x",   "text",    "{}", MR_ENOTFOUND, "there is no template"                               },
    {"something-else-altogether", "text",    "{}", MR_ENOTFOUND,
     "there is no template \"something-else-altogether\" in "                                                         },
    {"booking",                   "subject", "{}", MR_ENOTFOUND,
     "template \"booking\" has no subject: there is no booking.subject.mustache in "                                  },
    {"booking",                   "text",    "{}", MR_EINVAL,    "/booking.text.mustache:1:7: {{name}} has no value"  },
    {"",                          "text",    "{}", MR_EINVAL,    "\"\" is no name of a template"                      },
    {"../booking",                "text",    "{}", MR_EINVAL,    "is no name of a template"                           },
    {"mails/../booking",          "text",    "{}", MR_EINVAL,    "is no name of a template"                           },
    {"/etc/passwd",               "text",    "{}", MR_EINVAL,    "is no name of a template"                           },
    {"mails//welcome",            "text",    "{}", MR_EINVAL,    "is no name of a template"                           },
    {"booking\n",                 "text",    "{}", MR_EINVAL,    "is no name of a template"                           },
    {"book ing",                  "text",    "{}", MR_EINVAL,    "is no name of a template"                           },
    {".booking",                  "text",    "{}", MR_EINVAL,    "is no name of a template"                           },
    {"broken",                    "text",    "{}", MR_EFAULT,    "/broken.text.mustache:2:1: this tag is never closed"},
    {"lame",                      "text",    "{}", MR_EFAULT,
     "/lame.text.mustache:1:1: there is no partial {{>missing}}"                                                      },
    {"climbing",                  "text",    "{}", MR_EFAULT,    "there is no partial {{>../footer}}"                 },
};

START_TEST(what_is_not_there_or_wrong_is_told)
{
    start();
    ck_assert_int_eq(render(refused[_i].name, refused[_i].part, refused[_i].vars),
                     refused[_i].code);
    ck_assert_msg(strstr(err.text, refused[_i].want) != NULL, "%s", err.text);
    ck_assert_uint_eq(out.len, 0);
    stop();
}
END_TEST

START_TEST(without_a_folder_whoever_asks_is_told)
{
    start();
    mr_template_store_free(store);
    store = mr_template_store_new(NULL);
    ck_assert_int_eq(render("booking", "text", "{}"), MR_EFAULT);
    ck_assert_msg(strstr(err.text, "templates.dir is not configured") != NULL, "%s", err.text);
    mr_template_store_free(store);
    store = mr_template_store_new("/nonexistent/templates");
    ck_assert_int_eq(render("booking", "text", "{}"), MR_EFAULT);
    ck_assert_str_eq(err.text,
                     "templates.dir /nonexistent/templates: No such file or directory");
    stop();
}
END_TEST

START_TEST(a_changed_file_is_taken_at_once)
{
    start();
    ck_assert_int_eq(render("booking", "text", "{\"name\":\"Ann\"}"), MR_OK);
    put("booking.text.mustache", "Hallo {{name}}{{>footer}}"); /* as many bytes as before */
    put("footer.text.mustache", "!");
    ck_assert_int_eq(render("booking", "text", "{\"name\":\"Ann\"}"), MR_OK);
    ck_assert_str_eq(out.at, "Hallo Ann!");
    put("booking.text.mustache", "{{#x}}");
    ck_assert_int_eq(render("booking", "text", "{}"), MR_EFAULT);
    put("booking.text.mustache", "fine");
    ck_assert_int_eq(render("booking", "text", "{}"), MR_OK);
    ck_assert_str_eq(out.at, "fine");
    stop();
}
END_TEST

START_TEST(a_removed_file_is_gone_and_may_come_again)
{
    char path[200];

    start();
    ck_assert_int_eq(render("v2.booking", "text", "{}"), MR_OK);
    snprintf(path, sizeof(path), "%s/v2.booking.text.mustache", dir);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(render("v2.booking", "text", "{}"), MR_ENOTFOUND);
    put("v2.booking.text.mustache", "again");
    ck_assert_int_eq(render("v2.booking", "text", "{}"), MR_OK);
    ck_assert_str_eq(out.at, "again");
    stop();
}
END_TEST

START_TEST(what_is_no_file_is_told)
{
    char path[200];

    start();
    snprintf(path, sizeof(path), "%s/pipe.text.mustache", dir);
    ck_assert_int_eq(mkfifo(path, 0644), 0);
    ck_assert_int_eq(render("pipe", "text", "{}"), MR_EFAULT);
    ck_assert_msg(strstr(err.text, "pipe.text.mustache: is not a file") != NULL, "%s",
                  err.text);
    stop();
}
END_TEST

/* ---- many threads ---- */

enum { THREADS = 4, ROUNDS = 2000 };

static void *render_rounds(void *arg)
{
    json_t *vars = json_pack("{s:s}", "name", "Ann");
    struct mr_buf own = {0};
    void *failed = NULL;

    (void)arg;
    for (int i = 0; i < ROUNDS && !failed; i++) {
        mr_buf_clear(&own);
        if (mr_template_store_render(store, "booking", "text", MR_TEMPLATE_TEXT, vars, &own,
                                     NULL) != MR_OK ||
            !(strcmp(own.at, "Hello Ann, bye.\n") == 0 ||
              strcmp(own.at, "Hi Ann, bye.\n") == 0))
            failed = &store;
    }
    mr_buf_fini(&own);
    json_decref(vars);
    return failed;
}

START_TEST(threads_share_a_store_while_its_files_change)
{
    pthread_t threads[THREADS];
    void *failed;

    start();
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, render_rounds, NULL), 0);
    for (int i = 0; i < 100; i++)
        put("booking.text.mustache",
            i % 2 ? "Hello {{name}}{{>footer}}" : "Hi {{name}}{{>footer}}");
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_template_is_found_by_name_and_part,         MR_COUNT(found)  },
        {what_is_not_there_or_wrong_is_told,           MR_COUNT(refused)},
        {without_a_folder_whoever_asks_is_told,        0                },
        {a_changed_file_is_taken_at_once,              0                },
        {a_removed_file_is_gone_and_may_come_again,    0                },
        {what_is_no_file_is_told,                      0                },
        {threads_share_a_store_while_its_files_change, 0                },
    };

    return mr_suite_run("template_store", tests);
}
