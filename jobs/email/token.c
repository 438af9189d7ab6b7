#include "jobs/email/token.h"

#include "proto/base/mem.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

enum { TOKEN_MAX_BYTES = 64 << 10 };

struct mr_token {
    const char *path;
    uv_mutex_t lock;
    char *text;       /* under lock */
    struct stat seen; /* under lock: of the file that text is from */
};

struct mr_token *mr_token_new(const char *path)
{
    struct mr_token *token = mr_zalloc(sizeof(*token));

    token->path = path;
    uv_mutex_init(&token->lock);
    return token;
}

void mr_token_free(struct mr_token *token)
{
    if (!token)
        return;
    uv_mutex_destroy(&token->lock);
    free(token->text);
    free(token);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A file that is there and cannot be read is like one that is not there. */
static char *read_file(const char *path, struct stat *out_seen)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = NULL;

    if (fd < 0)
        return NULL;
    if (fstat(fd, out_seen) == 0 && out_seen->st_size <= TOKEN_MAX_BYTES) {
        text = mr_zalloc(TOKEN_MAX_BYTES + 1);
        ssize_t len = read(fd, text, TOKEN_MAX_BYTES);
        text[len > 0 ? len : 0] = '\0';
        text[strcspn(text, "\r\n")] = '\0';
    }
    close(fd);
    return text;
}

char *mr_token_read(struct mr_token *token)
{
    struct stat now;

    uv_mutex_lock(&token->lock);
    if (stat(token->path, &now) != 0 || !token->text || !is_same(&now, &token->seen)) {
        free(token->text);
        token->text = read_file(token->path, &token->seen);
    }
    char *text = mr_strdup(token->text);
    uv_mutex_unlock(&token->lock);
    return text;
}
