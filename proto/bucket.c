#include "proto/bucket.h"

#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

enum { NAME_MIN = 3, NAME_LONGEST = 63 };

enum mr_code mr_bucket_check_name(const char *name, struct mr_err *err)
{
    size_t len = strlen(name);

    if (len < NAME_MIN || len > NAME_LONGEST || strspn(name, LOWER DIGITS ".-") != len)
        return mr_fail(err, MR_EINVAL, "must be %d to %d of a-z, 0-9, '.' and '-'", NAME_MIN,
                       NAME_LONGEST);
    return MR_OK;
}

/* It is part of keys, and so made as they are; it may end with a slash, or in the midst of a name. */
enum mr_code mr_bucket_check_prefix(const char *prefix, struct mr_err *err)
{
    size_t len = strlen(prefix);

    if (len > MR_BUCKET_PREFIX_MAX || *prefix == '/' || strstr(prefix, "//") ||
        strstr(prefix, "..") || strspn(prefix, UPPER LOWER DIGITS "_.-/") != len)
        return mr_fail(err, MR_EINVAL,
                       "must be at most %d of A-Z a-z 0-9 _ . - and, between names, '/'",
                       MR_BUCKET_PREFIX_MAX);
    return MR_OK;
}

enum mr_code mr_bucket_read_endpoint(const char *endpoint, struct mr_bucket_endpoint *out,
                                     struct mr_err *err)
{
    const char *host = strstr(endpoint, "://");
    size_t len = host ? strcspn(host + 3, "/?#@ ") : 0;

    if (len == 0 || (host[3 + len] && strcmp(host + 3 + len, "/") != 0))
        return mr_fail(err, MR_EINVAL,
                       "must be https://host or https://host:port, with nothing behind it");
    if (out)
        *out = (struct mr_bucket_endpoint){(size_t)(host - endpoint), host + 3, len};
    return MR_OK;
}
