#include "tests/support/suite.h"

int mr_suite_run_n(const char *name, const struct mr_test *tests, size_t n, double timeout_s)
{
    Suite *suite = suite_create(name);

    for (size_t i = 0; i < n; i++) {
        TCase *tcase = tcase_create(tests[i].test->name);

        tcase_set_timeout(tcase, timeout_s);
        if (tests[i].rows > 0)
            tcase_add_loop_test(tcase, tests[i].test, 0, tests[i].rows);
        else
            tcase_add_test(tcase, tests[i].test);
        suite_add_tcase(suite, tcase);
    }

    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
