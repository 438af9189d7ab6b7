#include "tests/support/rig.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

static struct mr_rig rig;
static char *modules[1];

/* outside_module.sh says where the module is that it has built. */
static void start(const char *sections)
{
    mr_rig_init(&rig, sections);
    modules[0] = getenv("MODULE");
    ck_assert_ptr_nonnull(modules[0]);
    rig.config.modules = modules;
    rig.config.n_modules = 1;
    mr_rig_start(&rig);
}

static const struct {
    const char *payload;
    enum mr_outcome_kind outcome;
    const char *reason;
} jobs[] = {
    {"{\"job\":\"outside.hello\",\"data\":{\"name\":\"world\"}}",  MR_OUTCOME_DONE,  ""                          },
    {"{\"job\":\"outside.hello\",\"data\":{\"name\":\"nobody\"}}", MR_OUTCOME_RETRY,
     "nobody is there to hear 'ahoy'"                                                                            },
    {"{\"job\":\"outside.hello\",\"data\":{}}",                    MR_OUTCOME_FAIL,  "data.name must be a string"},
};

START_TEST(a_module_of_the_user_serves_its_jobs)
{
    start("{\"greetings\":{\"word\":\"ahoy\"}}");
    mr_rig_push(&rig, "%s", jobs[_i].payload);
    mr_rig_wait(&rig, 1);
    ck_assert_int_eq(rig.results[0].outcome, jobs[_i].outcome);
    ck_assert_str_eq(rig.results[0].reason, jobs[_i].reason);
    bool greeted = jobs[_i].outcome == MR_OUTCOME_DONE;
    ck_assert_str_eq(rig.page.header->counter_names[0], greeted ? "greetings" : "");
    ck_assert_uint_eq(rig.page.header->counters[0], greeted);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(it_is_loaded_for_no_job_that_we_serve_ourselves)
{
    start(NULL);
    modules[0] = strdup("/nowhere/gone.so");
    ck_assert_int_eq(mr_rig_run(&rig, "{\"job\":\"debug.noop\"}")->outcome, MR_OUTCOME_DONE);
    const struct mr_rig_result *result = mr_rig_run(&rig, "{\"job\":\"outside.other\"}");
    ck_assert_int_eq(result->outcome, MR_OUTCOME_NO_HANDLER);
    mr_rig_stop(&rig);
    free(modules[0]);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_module_of_the_user_serves_its_jobs,            MR_COUNT(jobs)},
        {it_is_loaded_for_no_job_that_we_serve_ourselves, 0             },
    };

    return mr_suite_run("outside", tests);
}
