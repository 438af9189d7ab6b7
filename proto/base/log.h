/* The log: a stable dotted event, then key=value words, as text or as one JSON object a line, on stderr. */
#ifndef MR_PROTO_BASE_LOG_H
#define MR_PROTO_BASE_LOG_H

#include <stdarg.h>
#include <stddef.h>

enum mr_log_level { MR_LOG_ERROR, MR_LOG_WARN, MR_LOG_INFO, MR_LOG_DEBUG };
enum mr_log_format { MR_LOG_TEXT, MR_LOG_JSON };

/*
 * At start, before threads, and again when a reload changes level or format; program
 * ("dispatcher", borrowed for ever) and the pid stand on every line.
 */
void mr_log_open(const char *program, enum mr_log_level level, enum mr_log_format format);
enum mr_log_level mr_log_level(void);

/*
 * event is a stable dotted name ("slot.exited"); format is "key=%s other=%u ...": one
 * key=conversion a word. log walks the format itself: a %s value is quoted and escaped when it
 * holds anything but plain printable characters, so that no value can forge a line or a JSON
 * member. Conversions: %s %d %u %ld %lu %lld %llu %zu %zd %x %c %p %f %g %.*s and PRIu64. NULL
 * strings are `-` and null. A JSON line begins with at, level, program, pid, event; a word of
 * that name gets a `_` behind it (pid_). Lines stay within PIPE_BUF: long values are cut, and
 * a word that does not fit is left out and `cut=true` said. error: a person must act; warn: we
 * recovered, something was lost; info: a state changed; debug: one line per job. Never a
 * payload, never a secret. One write(2) a line; a full pipe drops it.
 */
void mr_log(enum mr_log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The same with words before those of the format, for whoever logs on behalf of an object (a
 * job's name and uuid). Their values are cut at 200 bytes; two of them always fit.
 */
struct mr_log_word {
    const char *key, *value;
};

void mr_log_words(enum mr_log_level level, const char *event, const struct mr_log_word *first,
                  size_t n_first, const char *format, va_list list)
    __attribute__((format(printf, 5, 0)));

#define mr_log_error(event, ...) mr_log(MR_LOG_ERROR, event, __VA_ARGS__)
#define mr_log_warn(event, ...) mr_log(MR_LOG_WARN, event, __VA_ARGS__)
#define mr_log_info(event, ...) mr_log(MR_LOG_INFO, event, __VA_ARGS__)
/* Costs one comparison when debug is off. */
#define mr_log_debug(event, ...)                                                               \
    do {                                                                                       \
        if (mr_log_level() >= MR_LOG_DEBUG)                                                    \
            mr_log(MR_LOG_DEBUG, event, __VA_ARGS__);                                          \
    } while (0)

#endif
