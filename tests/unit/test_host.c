#include "worker/host.h"

#include "proto/base/mem.h"
#include "tests/support/suite.h"
#include "worker/handler.h"

#include <stdio.h>
#include <string.h>

static struct mr_host host;
static struct mr_config config;
static struct mr_pool_config pool;
static struct mr_page page;
static char happened[64];

static void init(void)
{
    static const char *const queues[] = {"default"};
    const struct mr_page_shape shape = {1, 1, 1, 1};

    ck_assert_int_eq(mr_page_create_private(&shape, "w-1", "test", queues, &page, NULL), MR_OK);
    config.sections = json_pack("{s:{s:s}}", "email", "from", "a@b");
    mr_host_init(&host, NULL, &config, &pool, &page);
}

static void fini(void)
{
    mr_host_fini(&host);
    json_decref(config.sections);
    mr_page_unmap(&page);
}

static enum mr_code open_thing(struct mr_host *owner, void **out, struct mr_err *err)
{
    static char things[] = "abc";
    static int n;

    (void)owner;
    if (n == 2)
        return mr_fail(err, MR_EIO, "no more things");
    *out = &things[n++];
    strcat(happened, "open ");
    return MR_OK;
}

static void close_thing(void *thing)
{
    const char name[] = {*(const char *)thing, ' ', '\0'};

    strcat(happened, name);
}

static void *share(const char *name)
{
    void *thing = NULL;

    ck_assert_int_eq(mr_host_share(&host, name, open_thing, close_thing, &thing, NULL), MR_OK);
    return thing;
}

START_TEST(a_share_is_opened_once_and_closed_in_reverse)
{
    struct mr_err err;
    void *third = NULL;

    init();
    void *first = share("first"), *second = share("second");
    ck_assert_ptr_ne(first, second);
    ck_assert_ptr_eq(share("first"), first);
    ck_assert_int_eq(mr_host_share(&host, "third", open_thing, close_thing, &third, &err),
                     MR_EIO);
    ck_assert_str_eq(err.text, "no more things");
    ck_assert_ptr_null(third);
    fini();
    ck_assert_str_eq(happened, "open open b a ");
}
END_TEST

START_TEST(counters_add_up_by_name)
{
    init();
    mr_host_counter(&host, "mails_sent", 2);
    mr_host_counter(&host, "bounces", 1);
    mr_host_counter(&host, "mails_sent", 3);
    ck_assert_str_eq(page.header->counter_names[0], "mails_sent");
    ck_assert_uint_eq(page.header->counters[0], 5);
    ck_assert_uint_eq(page.header->counters[1], 1);
    fini();
}
END_TEST

START_TEST(gauges_rise_and_fall_by_name)
{
    init();
    mr_host_gauge(&host, "circuits_open", 2);
    mr_host_gauge(&host, "circuits_open", -1);
    mr_host_gauge(&host, "Circuits", 1);
    ck_assert_str_eq(page.header->gauge_names[0], "circuits_open");
    ck_assert_int_eq(page.header->gauges[0], 1);
    ck_assert_str_eq(page.header->gauge_names[1], "");
    ck_assert_str_eq(page.header->counter_names[0], "");
    fini();
}
END_TEST

START_TEST(odd_names_and_the_thirty_third_are_not_counted)
{
    char name[] = "a_";

    init();
    mr_host_counter(&host, "", 1);
    mr_host_counter(&host, "Mails{x=\"y\"}", 1);
    ck_assert_str_eq(page.header->counter_names[0], "");
    for (int i = 0; i < MR_PAGE_COUNTERS + 1; i++) {
        name[0] = (char)('a' + i % 26);
        name[1] = (char)('a' + i / 26);
        mr_host_counter(&host, name, 1);
    }
    ck_assert_str_eq(page.header->counter_names[MR_PAGE_COUNTERS - 1], "fb");
    for (int i = 0; i < MR_PAGE_COUNTERS; i++)
        ck_assert_uint_eq(page.header->counters[i], 1);
    fini();
}
END_TEST

START_TEST(a_section_of_the_configuration_or_nothing)
{
    init();
    json_t *email = mr_host_config(&host, "email");
    ck_assert_str_eq(json_string_value(json_object_get(email, "from")), "a@b");
    ck_assert_ptr_null(mr_host_config(&host, "mysql"));
    fini();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_share_is_opened_once_and_closed_in_reverse,   0},
        {counters_add_up_by_name,                        0},
        {gauges_rise_and_fall_by_name,                   0},
        {odd_names_and_the_thirty_third_are_not_counted, 0},
        {a_section_of_the_configuration_or_nothing,      0},
    };

    return mr_suite_run("host", tests);
}
