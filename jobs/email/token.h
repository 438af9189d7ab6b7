/* A token in a file that somebody else renews. */
#ifndef MR_JOBS_EMAIL_TOKEN_H
#define MR_JOBS_EMAIL_TOKEN_H

struct mr_token;

/* path is borrowed. It need not be there yet. */
struct mr_token *mr_token_new(const char *path);
void mr_token_free(struct mr_token *token);
/* What the file holds now, less the line end; read again only when it has changed. The caller's; NULL: it cannot be read. Any thread. */
char *mr_token_read(struct mr_token *token);

#endif
