/* Any text as a Redis url, alone and with a password in it, which no error and no address may repeat. */
#include "proto/base/mem.h"
#include "proto/redis_url.h"
#include "tests/fuzz/must.h"

#include <string.h>

#define SECRET "Zq7secretZq7"

static void check(const char *text)
{
    struct mr_redis_url url = {0};
    struct mr_err err = {0};

    if (mr_redis_url_parse(text, &url, &err) != MR_OK) {
        must(err.text[0] && !strstr(err.text, SECRET) && !url.address);
        return;
    }
    must((url.path != NULL) != (url.host != NULL) && !url.host == !url.port);
    must(!url.port || (strtol(url.port, NULL, 10) >= 1 && strtol(url.port, NULL, 10) <= 65535));
    must(!url.path || strlen(url.path) < 108);
    must(url.address && !strstr(url.address, SECRET));
    mr_redis_url_fini(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const before[] = {"redis://:" SECRET "@", "redis+unix://u:" SECRET "@"};
    char *text = mr_strndup((const char *)bytes, len);

    check(strstr(text, SECRET) ? "" : text);
    for (size_t i = 0; i < MR_COUNT(before) && !strstr(text, SECRET); i++) {
        char *url = mr_asprintf("%s%s", before[i], text);

        check(url);
        free(url);
    }
    free(text);
    return 0;
}
