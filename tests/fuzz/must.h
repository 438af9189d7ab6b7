/* What must be true for any bytes: where it is not, the fuzzer says so and keeps the bytes. */
#ifndef MR_TESTS_FUZZ_MUST_H
#define MR_TESTS_FUZZ_MUST_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What libFuzzer calls with one input after another. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define must(fact)                                                                             \
    do {                                                                                       \
        if (!(fact)) {                                                                         \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #fact);               \
            abort();                                                                           \
        }                                                                                      \
    } while (0)

#endif
