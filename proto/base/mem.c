#include "proto/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
    if (!memory) {
        fputs("millrace: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *mr_zalloc(size_t size)
{
    return must(calloc(1, size ? size : 1));
}

void *mr_zalloc_array(size_t n, size_t size)
{
    return must(calloc(n ? n : 1, size ? size : 1));
}

void *mr_realloc(void *old, size_t size)
{
    return must(realloc(old, size ? size : 1));
}

char *mr_strdup(const char *text)
{
    return text ? must(strdup(text)) : NULL;
}

char *mr_strndup(const char *bytes, size_t len)
{
    char *copy = must(malloc(len + 1));

    if (len)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

char *mr_asprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    return must(len < 0 ? NULL : text);
}
