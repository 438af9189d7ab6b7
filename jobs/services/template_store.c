#include "jobs/services/template_store.h"

#include "proto/base/list.h"
#include "proto/base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_MAX_BYTES = 200,
    FILE_MAX_BYTES = 1 << 20,
    RESULT_MAX_BYTES = 4 << 20,
    NEIGHBOURS_MAX = 1000, /* names looked at for "did you mean" */
};

#define FILE_END ".mustache"

struct mr_template_store {
    char *dir;
    pthread_mutex_t lock; /* of entries; not held while anything is rendered */
    struct mr_list entries;
};

/* One file as it was when it was compiled. As many as there are files: names of jobs alone make none. */
struct entry {
    struct mr_list node;
    char *file; /* "booking.text.mustache", below dir */
    struct stat found;
    struct mr_template *template;
};

/* What a rendering needs to find its partials. */
struct search {
    struct mr_template_store *store;
    const char *part;
};

/* ---- names ---- */

static bool is_name(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool parts = name[i] == '/' || name[i] == '.';

        if (parts && (i == 0 || i + 1 == len || name[i - 1] == '/' || name[i - 1] == '.'))
            return false;
        if (!parts && !isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
            return false;
    }
    return true;
}

/* What stands before ".<part>.mustache"; 0: it is no template's file. */
static size_t base_len(const char *file)
{
    size_t len = strlen(file), end = strlen(FILE_END);

    if (len <= end || strcmp(file + len - end, FILE_END) != 0)
        return 0;
    len -= end;
    while (len > 0 && file[len - 1] != '.')
        len--;
    return len > 0 ? len - 1 : 0;
}

/* The names of templates in folder, as jobs would say them less what is before their last slash; returns how many. The caller frees each. */
static size_t list_names(const char *folder, char **out)
{
    DIR *dir = opendir(folder);
    size_t n = 0;

    for (struct dirent *entry; dir && n < NEIGHBOURS_MAX && (entry = readdir(dir));) {
        size_t len = base_len(entry->d_name);

        if (len > 0)
            out[n++] = mr_strndup(entry->d_name, len);
    }
    if (dir)
        closedir(dir);
    return n;
}

/* There is no file of this name and part: says what there is instead. */
static enum mr_code explain_absence(const struct mr_template_store *store, const char *name,
                                    const char *part, struct mr_err *err)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    char **names = mr_zalloc_array(NEIGHBOURS_MAX, sizeof(*names));
    char *folder = mr_asprintf("%s/%.*s", store->dir, (int)(base - name), name);
    size_t n = list_names(folder, names);
    const char *nearest = mr_str_nearest(base, (const char *const *)names, n);

    if (nearest && strcmp(nearest, base) == 0)
        mr_fail(err, MR_ENOTFOUND,
                "template \"%s\" has no %s: there is no %s.%s" FILE_END " in %s", name, part,
                name, part, store->dir);
    else if (nearest)
        mr_fail(err, MR_ENOTFOUND,
                "there is no template \"%s\" in %s; did you mean \"%.*s%s\"?", name, store->dir,
                (int)(base - name), name, nearest);
    else
        mr_fail(err, MR_ENOTFOUND, "there is no template \"%s\" in %s", name, store->dir);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    free(folder);
    return MR_ENOTFOUND;
}

static enum mr_code check_dir(const struct mr_template_store *store, struct mr_err *err)
{
    if (!store->dir)
        return mr_fail(err, MR_EFAULT,
                       "templates.dir is not configured: no folder to take templates from");
    if (access(store->dir, R_OK | X_OK) != 0)
        return mr_fail(err, MR_EFAULT, "templates.dir %s: %s", store->dir, strerror(errno));
    return MR_OK;
}

/* ---- files ---- */

static enum mr_code unreadable(const char *path, int error, struct mr_err *err)
{
    return mr_fail(err, MR_EFAULT, "%s: cannot be read: %s", path, strerror(error));
}

/* fd is closed in any case. */
static enum mr_code read_file(int fd, const char *path, struct stat *out_found,
                              struct mr_buf *out, struct mr_err *err)
{
    enum mr_code code = MR_OK;
    ssize_t n = 1;

    if (fstat(fd, out_found) != 0)
        code = unreadable(path, errno, err);
    else if (!S_ISREG(out_found->st_mode))
        code = mr_fail(err, MR_EFAULT, "%s: is not a file", path);
    while (code == MR_OK && n > 0) {
        mr_buf_reserve(out, 4096);
        n = read(fd, out->at + out->len, 4096);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n < 0)
            code = unreadable(path, errno, err);
        else
            out->len += (size_t)n;
        if (out->len > FILE_MAX_BYTES)
            code = mr_fail(err, MR_EFAULT, "%s: is larger than %d bytes", path, FILE_MAX_BYTES);
    }
    close(fd);
    return code;
}

/* Reads and compiles the entry's file anew. MR_ENOTFOUND without words when it is gone. */
static enum mr_code load(const struct mr_template_store *store, struct entry *entry,
                         struct mr_err *err)
{
    char *path = mr_asprintf("%s/%s", store->dir, entry->file);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct mr_template *template = NULL;
    struct mr_buf text = {0};
    struct stat found;
    enum mr_code code;

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        code = MR_ENOTFOUND;
    else if (fd < 0)
        code = unreadable(path, errno, err);
    else
        code = read_file(fd, path, &found, &text, err);
    if (code == MR_OK)
        code = mr_template_compile(text.at, text.len, path, &template, err);
    if (code == MR_OK) {
        mr_template_unref(entry->template);
        entry->template = template;
        entry->found = found;
    }
    mr_buf_fini(&text);
    free(path);
    return code;
}

static void free_entry(struct entry *entry)
{
    mr_list_remove(&entry->node);
    mr_template_unref(entry->template);
    free(entry->file);
    free(entry);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_ino == b->st_ino &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Whether the entry is what the file is now. */
static bool is_current(const struct mr_template_store *store, const struct entry *entry)
{
    char *path = mr_asprintf("%s/%s", store->dir, entry->file);
    struct stat now;
    bool current = entry->template && stat(path, &now) == 0 && is_same(&now, &entry->found);

    free(path);
    return current;
}

/* With the lock. Takes file. */
static struct entry *get_entry(struct mr_template_store *store, char *file)
{
    mr_list_each (node, &store->entries) {
        struct entry *entry = mr_list_entry(node, struct entry, node);

        if (strcmp(entry->file, file) == 0) {
            free(file);
            return entry;
        }
    }
    struct entry *entry = mr_zalloc(sizeof(*entry));

    entry->file = file;
    mr_list_push_back(&store->entries, &entry->node);
    return entry;
}

/* A reference. MR_ENOTFOUND without words. */
static enum mr_code find(struct mr_template_store *store, const char *name, const char *part,
                         struct mr_template **out, struct mr_err *err)
{
    enum mr_code code = MR_OK;

    pthread_mutex_lock(&store->lock);
    struct entry *entry = get_entry(store, mr_asprintf("%s.%s" FILE_END, name, part));
    if (!is_current(store, entry))
        code = load(store, entry, err);
    if (code == MR_OK)
        *out = mr_template_ref(entry->template);
    else
        free_entry(entry);
    pthread_mutex_unlock(&store->lock);
    return code;
}

static enum mr_code find_partial(void *arg, const char *name, struct mr_template **out,
                                 struct mr_err *err)
{
    const struct search *search = arg;

    return is_name(name) ? find(search->store, name, search->part, out, err) : MR_ENOTFOUND;
}

/* ---- the interface ---- */

struct mr_template_store *mr_template_store_new(const char *dir)
{
    struct mr_template_store *store = mr_zalloc(sizeof(*store));

    store->dir = mr_strdup(dir);
    pthread_mutex_init(&store->lock, NULL);
    mr_list_init(&store->entries);
    return store;
}

void mr_template_store_free(struct mr_template_store *store)
{
    if (!store)
        return;
    mr_list_each_safe (node, &store->entries)
        free_entry(mr_list_entry(node, struct entry, node));
    pthread_mutex_destroy(&store->lock);
    free(store->dir);
    free(store);
}

static json_t *given(json_t *data, const char *member)
{
    json_t *value = json_object_get(data, member);

    return json_is_null(value) ? NULL : value;
}

enum mr_code mr_template_store_asked(json_t *data, const char **out_name, json_t **out_vars,
                                     struct mr_err *err)
{
    json_t *name = given(data, "template"), *vars = given(data, "vars");

    if (name &&
        (!json_is_string(name) || strlen(json_string_value(name)) != json_string_length(name)))
        return mr_fail(err, MR_EINVAL, "data.template must be a string without NUL");
    if (name && vars && !json_is_object(vars))
        return mr_fail(err, MR_EINVAL, "data.vars must be an object");
    *out_name = json_string_value(name);
    *out_vars = vars;
    return MR_OK;
}

enum mr_code mr_template_store_render(struct mr_template_store *store, const char *name,
                                      const char *part, enum mr_template_target target,
                                      json_t *vars, struct mr_buf *out, struct mr_err *err)
{
    struct search search = {store, part};
    const struct mr_template_task task = {.view = vars,
                                          .target = target,
                                          .strict = true,
                                          .max_bytes = RESULT_MAX_BYTES,
                                          .partial = find_partial,
                                          .arg = &search};
    struct mr_template *template = NULL;

    if (!is_name(name))
        return mr_fail(
            err, MR_EINVAL,
            "\"%.80s\" is no name of a template: words of letters, digits, '_' and '-', "
            "parted by '/' or '.'",
            name);
    enum mr_code code = check_dir(store, err);
    if (code == MR_OK)
        code = find(store, name, part, &template, err);
    if (code == MR_ENOTFOUND)
        return explain_absence(store, name, part, err);
    if (code == MR_OK)
        code = mr_template_render(template, &task, out, err);
    mr_template_unref(template);
    return code;
}
