#include "worker/registry.h"

#include "tests/support/suite.h"
#include "worker/host.h"
#include "worker/module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mr_config config;
static struct mr_pool_config pool;
static struct mr_host host;
static struct mr_page page;
static uv_loop_t loop;
static struct mr_registry *registry;
static char *modules[1];

/* A module of tests/unit/modules by its number in contrary.c. */
static char *contrary(int number)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/contrary_%d.so", MR_TEST_MODULES, number);
    return path;
}

static void init(char *module)
{
    static const char *const queues[] = {"default"};
    const struct mr_page_shape shape = {1, 1, 1, 1};

    uv_loop_init(&loop);
    mr_log_open("test", MR_LOG_ERROR, MR_LOG_TEXT);
    ck_assert_int_eq(mr_page_create_private(&shape, "w-1", "test", queues, &page, NULL), MR_OK);
    modules[0] = module;
    config.modules = modules;
    config.n_modules = module ? 1 : 0;
    config.debug_jobs = true;
    pool.policy = mr_policy_default();
    mr_host_init(&host, &loop, &config, &pool, &page);
    registry = mr_registry_new(&config, &pool, &host);
}

static void fini(void)
{
    mr_registry_free(registry);
    mr_host_fini(&host);
    mr_page_unmap(&page);
    uv_loop_close(&loop);
}

static enum mr_code find(const char *name, uint64_t now_ms, const struct mr_kind **out,
                         struct mr_err *err)
{
    return mr_registry_find(registry, mr_bytes_of(name), now_ms, out, err);
}

static const struct {
    int module;
    const char *text;
} refused[] = {
    {2, "built for handler ABI"                  },
    {3, "needs either start or run, and has both"},
    {4, "'not a name' is no job name"            },
    {5, "set size to sizeof(struct mr_handler)"  },
};

START_TEST(a_wrong_module_is_refused_and_says_why)
{
    const struct mr_kind *kind;
    struct mr_err err;

    init(contrary(refused[_i].module));
    ck_assert_int_eq(find("contrary.job", 1000, &kind, &err), MR_ENOTFOUND);
    ck_assert_msg(strstr(err.text, refused[_i].text), "%s", err.text);
    ck_assert_ptr_null(kind->handler);
    ck_assert_uint_eq(kind->job_row, 0);
    fini();
}
END_TEST

static const struct {
    const char *path;
    enum mr_code code;
    const char *text;
} files[] = {
    {"/nowhere/x.so",                  MR_ENOTFOUND, "module /nowhere/x.so: no such file"},
    {"x.so",                           MR_EINVAL,    "give it with its path"             },
    {"/etc/passwd",                    MR_EINVAL,    "cannot load"                       },
    {MR_TEST_MODULES "/contrary_6.so", MR_EINVAL,    "exports no mr_handlers"            },
};

START_TEST(what_is_no_module_is_named)
{
    const struct mr_handler *const *handlers = NULL;
    struct mr_err err;

    ck_assert_int_eq(mr_module_load(files[_i].path, &handlers, &err), files[_i].code);
    ck_assert_msg(strstr(err.text, files[_i].text), "%s", err.text);
    ck_assert_ptr_null(handlers);
}
END_TEST

START_TEST(a_handler_that_cannot_open_is_tried_again)
{
    const struct mr_kind *kind;
    struct mr_err err;

    init(contrary(1));
    ck_assert_int_eq(find("contrary.job", 1000, &kind, &err), MR_EIO);
    ck_assert_str_eq(err.text, "contrary.job cannot start: the well is dry");
    ck_assert_str_eq(kind->name, "contrary.job");
    ck_assert_ptr_null(kind->handler);
    /* Not at once: a failing open must not be hammered. */
    ck_assert_int_eq(find("contrary.job", 1001, &kind, &err), MR_EIO);
    ck_assert_int_eq(find("contrary.job", 60000, &kind, &err), MR_OK);
    ck_assert_str_eq(kind->handler->name, "contrary.job");
    ck_assert_uint_gt(kind->job_row, 0);
    fini();
}
END_TEST

START_TEST(a_module_that_comes_later_is_found)
{
    const struct mr_kind *kind;
    char path[] = "/tmp/mr-module-XXXXXX", command[700];
    struct mr_err err;

    close(mkstemp(path));
    unlink(path);
    init(path);
    ck_assert_int_eq(find("contrary.job", 1000, &kind, &err), MR_ENOTFOUND);
    snprintf(command, sizeof(command), "cp -- %s %s", contrary(1), path);
    ck_assert_int_eq(system(command), 0);
    find("contrary.job", 60000, &kind, &err);
    ck_assert_str_eq(kind->name, "contrary.job");
    unlink(path);
    fini();
}
END_TEST

START_TEST(preload_knows_our_modules_by_name)
{
    struct mr_err err;

    init(NULL);
    ck_assert_int_eq(mr_registry_preload(registry, "debug", &err), MR_OK);
    ck_assert_int_eq(mr_registry_preload(registry, "debgu", &err), MR_EINVAL);
    ck_assert_str_eq(err.text, "preload: there is no module 'debgu'");
    fini();
}
END_TEST

START_TEST(names_that_only_begin_alike_are_told_apart)
{
    const struct mr_kind *noop, *sleeps, *other;
    struct mr_err err;

    init(NULL);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(find("debug.noop", 1, &noop, &err), MR_OK);
        ck_assert_int_eq(find("debug.sleep", 1, &sleeps, &err), MR_OK);
        ck_assert_ptr_ne(noop, sleeps);
        ck_assert_int_eq(find("debug.noo", 1, &other, &err), MR_ENOTFOUND);
        ck_assert_int_eq(find("debug.noopp", 1, &other, &err), MR_ENOTFOUND);
        ck_assert_int_eq(find("exec", 1, &other, &err), MR_ENOTFOUND);
    }
    fini();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_wrong_module_is_refused_and_says_why,     MR_COUNT(refused)},
        {what_is_no_module_is_named,                 MR_COUNT(files)  },
        {a_handler_that_cannot_open_is_tried_again,  0                },
        {a_module_that_comes_later_is_found,         0                },
        {preload_knows_our_modules_by_name,          0                },
        {names_that_only_begin_alike_are_told_apart, 0                },
    };

    return mr_suite_run("registry", tests);
}
