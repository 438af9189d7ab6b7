/* A mail server that says what a test wrote for it: what no real one would say. One connection after the other, on a thread. */
#ifndef MR_TESTS_SMTP_SCENE_H
#define MR_TESTS_SMTP_SCENE_H

#include <pthread.h>
#include <stdbool.h>

enum { MR_SMTP_SCENE_RCPTS = 4, MR_SMTP_SCENE_BYTES = 512 << 10 };

/* Instead of a reply. */
#define MR_SMTP_HANG_UP "(hang up)" /* the connection ends */
#define MR_SMTP_SILENCE "(silence)" /* nothing, until the client hangs up */
#define MR_SMTP_ENDLESS                                                                        \
    "(endless)" /* line after line of one reply, until the client hangs up */
#define MR_SMTP_DRIBBLE "(dribble)" /* a byte now and then, and never a line end */

/* Its replies, with their line ends; NULL: what a server says that takes everything. */
struct mr_smtp_script {
    const char *banner, *ehlo, *auth, *mail, *rcpt[MR_SMTP_SCENE_RCPTS], *data, *dot, *quit;
    const char *body;        /* said instead of reading a message, and then it hangs up */
    const char *second_mail; /* to MAIL on a connection that has had a mail before */
};

struct mr_smtp_scene {
    struct mr_smtp_script script;
    int port, listener;
    unsigned n_connections, n_messages; /* whole ones; to be read when it has been stopped */
    unsigned n_mails;                   /* of them, on the connection at hand */
    unsigned n_rcpts;                   /* of the last mail */
    char message[MR_SMTP_SCENE_BYTES];  /* the last one, NUL-ended */
    char login[256];                    /* the last AUTH command */
    pthread_t thread;
};

void mr_smtp_scene_start(struct mr_smtp_scene *scene, const struct mr_smtp_script *script);
/* Whoever called must have hung up. */
void mr_smtp_scene_stop(struct mr_smtp_scene *scene);

#endif
