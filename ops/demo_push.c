/*
 * A small producer on libmillrace, for the demo: pushes the jobs it reads, one a line, five words parted by tabs:
 * queue, job, uuid, delay in seconds, data as JSON. Usage: demo-push URL PREFIX
 */
#include "proto/millrace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 5 };

/* Cuts the line at its tabs; false unless there are just as many words as wanted. */
static int split(char *line, char *words[WORDS])
{
    int n = 0;

    line[strcspn(line, "\n")] = '\0';
    for (char *word = line; word && n < WORDS; n++) {
        words[n] = word;
        word = n + 1 < WORDS ? strchr(word, '\t') : NULL;
        if (word)
            *word++ = '\0';
    }
    return n == WORDS;
}

static int push_line(struct millrace *queue, char *line)
{
    char *words[WORDS];

    if (!split(line, words)) {
        fprintf(stderr, "demo-push: a line has not its five words\n");
        return 0;
    }
    struct millrace_job job = {
        .job = words[1], .uuid = words[2], .delay_s = atof(words[3]), .data = words[4]};

    if (millrace_push(queue, words[0], &job, NULL) != MILLRACE_OK) {
        fprintf(stderr, "demo-push: %s\n", millrace_error(queue));
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    char error[256], *line = NULL;
    size_t room = 0;
    int good = 1;

    if (argc != 3) {
        fputs("Usage: demo-push URL PREFIX <jobs\n", stderr);
        return 64;
    }
    struct millrace_options options = {.url = argv[1], .prefix = argv[2]};
    struct millrace *queue = millrace_open(&options, error, sizeof(error));
    if (!queue) {
        fprintf(stderr, "demo-push: %s\n", error);
        return 78;
    }
    while (good && getline(&line, &room, stdin) > 0)
        good = push_line(queue, line);
    free(line);
    millrace_close(queue);
    return good ? 0 : 1;
}
