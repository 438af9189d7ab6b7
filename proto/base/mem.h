/* Memory that is there or ends the process: the supervisor starts us again, and half the branches vanish. */
#ifndef MR_PROTO_BASE_MEM_H
#define MR_PROTO_BASE_MEM_H

#include <stddef.h>

#define MR_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MR_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* size zeroed bytes, never NULL; free with free(). Sizes from outside are bounded by the caller first. */
void *mr_zalloc(size_t size);

/* An array of n elements of size bytes, zeroed; aborts on overflow too. */
void *mr_zalloc_array(size_t n, size_t size);

/* realloc() that never answers NULL; new bytes are not zeroed. */
void *mr_realloc(void *old, size_t size);

/* A copy owned by the caller; NULL gives NULL. */
char *mr_strdup(const char *text);

/* A NUL-ended copy of len bytes, owned by the caller. */
char *mr_strndup(const char *bytes, size_t len);

/* printf into fresh memory owned by the caller. */
char *mr_asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
