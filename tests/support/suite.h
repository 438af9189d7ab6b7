/* A test program in two lines: a table of tests, one call. TAP on stdout, each test in a process of its own. */
#ifndef MR_TESTS_SUITE_H
#define MR_TESTS_SUITE_H

#include "proto/base/mem.h"

#include <check.h>

struct mr_test {
    const TTest *test;
    int rows; /* > 0: run once for each _i in 0..rows-1; 0: once */
};

/* Runs the tests and returns main's status. timeout_s bounds each test. */
int mr_suite_run_n(const char *name, const struct mr_test *tests, size_t n, double timeout_s);

#define mr_suite_run(name, tests) mr_suite_run_n(name, tests, MR_COUNT(tests), 30)
#define mr_suite_run_slow(name, tests, timeout_s)                                              \
    mr_suite_run_n(name, tests, MR_COUNT(tests), timeout_s)

#endif
