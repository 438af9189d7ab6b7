#include "jobs/services/members.h"

#include "proto/base/mem.h"

#include <string.h>

const char *mr_members_text(const json_t *section, const char *name, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(section, name));

    return text ? text : otherwise;
}

int64_t mr_members_number(const json_t *section, const char *name, int64_t otherwise)
{
    const json_t *number = json_object_get(section, name);

    return json_is_integer(number) ? json_integer_value(number) : otherwise;
}

char *mr_members_url(const char *base, const char *path)
{
    size_t len = strlen(base);

    while (len > 0 && base[len - 1] == '/')
        len--;
    return mr_asprintf("%.*s%s", (int)len, base, path);
}
