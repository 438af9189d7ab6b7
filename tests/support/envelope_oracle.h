/* What the envelope scan must say of any bytes, worked out a second time by jansson: for the unit test and the fuzzer. */
#ifndef MR_TESTS_ENVELOPE_ORACLE_H
#define MR_TESTS_ENVELOPE_ORACLE_H

#include <stddef.h>

/*
 * Scans, rewrites and decodes the bytes and compares with what jansson makes of them. NULL when both agree,
 * else a static line that says where they part.
 */
const char *mr_envelope_disagreement(const char *bytes, size_t len);

#endif
