#include "tests/support/envelope_oracle.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The scan reads what anybody may push: no bytes may make it disagree with jansson. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *why = mr_envelope_disagreement((const char *)bytes, len);

    if (why) {
        fprintf(stderr, "%s\n", why);
        abort();
    }
    return 0;
}
