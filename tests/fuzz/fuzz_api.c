/* Any path as a request's: the route that is found, written as a path, is found again; what is escaped comes back. */
#include "proto/api.h"
#include "proto/base/mem.h"
#include "tests/fuzz/must.h"

#include <string.h>

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_match(const char *method, const struct mr_api_match *match)
{
    const char *const params[MR_API_PARAMS] = {match->params[0], match->params[1]};
    struct mr_api_match again = {0};
    struct mr_buf path = {0};

    must(match->call < MR_API_CALLS);
    mr_api_path(match->call, params, &path);
    must(mr_api_match(method, path.at, &again) == MR_OK && again.call == match->call);
    for (int i = 0; i < MR_API_PARAMS; i++)
        must(same(again.params[i], match->params[i]));
    mr_api_match_fini(&again);
    mr_buf_fini(&path);
}

static void check_escape(const char *text)
{
    struct mr_buf escaped = {0};

    mr_api_escape(text, &escaped);
    must(!escaped.at || !strpbrk(escaped.at, "/?#&= \r\n"));
    must(!escaped.at || (mr_api_unescape(escaped.at) && strcmp(escaped.at, text) == 0));
    mr_buf_fini(&escaped);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PATCH", "PUT"};
    char *path = mr_strndup((const char *)bytes, len);

    for (size_t i = 0; i < MR_COUNT(methods); i++) {
        struct mr_api_match match = {0};
        enum mr_code code = mr_api_match(methods[i], path, &match);

        must(code == MR_OK || code == MR_ENOTFOUND || code == MR_EREFUSED || code == MR_EINVAL);
        must(code != MR_EREFUSED || (match.allow[0] && !strstr(match.allow, methods[i])));
        if (code == MR_OK)
            check_match(methods[i], &match);
        mr_api_match_fini(&match);
    }
    check_escape(path);
    free(path);
    return 0;
}
