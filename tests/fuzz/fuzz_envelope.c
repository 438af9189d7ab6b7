/* The scan reads what anybody may push: no bytes may make it disagree with jansson. */
#include "tests/fuzz/must.h"
#include "tests/support/envelope_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *why = mr_envelope_disagreement((const char *)bytes, len);

    if (why)
        fprintf(stderr, "%s\n", why);
    must(!why);
    return 0;
}
