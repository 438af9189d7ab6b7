/* Waiting for what a program of ours logs, line by line, never by sleeping. */
#ifndef MR_TESTS_LINES_H
#define MR_TESTS_LINES_H

#define MR_LINES_WAIT_MS 20000 /* generous: a loaded machine is no failure */
#define MR_LINE_MAX 1024

/* A log file, and how far it has been read. */
struct mr_lines {
    char path[128];
    long read;
};

void mr_lines_init(struct mr_lines *lines, const char *path);
/*
 * Waits for the next line behind the last one found that holds all the words (NULL-ended), and copies it to out (MR_LINE_MAX
 * bytes; may be NULL). Fails the test, showing the log's end, when none comes.
 */
void mr_lines_await(struct mr_lines *lines, const char *const *words, char *out);
/* How many lines of the whole file hold text. */
unsigned mr_lines_count(const struct mr_lines *lines, const char *text);
/* The number behind key (" pid=") in a line; fails the test when it is not there. */
long mr_lines_number(const char *line, const char *key);

#endif
