#include "worker/module.h"

#include "proto/base/mem.h"

#include <dlfcn.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* The size of the first version of struct mr_handler: no module has less. */
#define FIRST_SIZE (offsetof(struct mr_handler, cancel) + sizeof(void (*)(void)))

/* Where they lie in a build tree, seen from the worker's program and from a test's. */
static const char *const build_tree[] = {"../jobs", "../../jobs"};

/* The folder of this program; false when /proc is not there. */
static bool find_home(char home[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", home, PATH_MAX - 1);

    if (n <= 0)
        return false;
    home[n] = '\0';
    char *slash = strrchr(home, '/');
    if (slash)
        *slash = '\0';
    return slash != NULL;
}

void mr_module_find(const char *name, struct mr_buf *out_path)
{
    char home[PATH_MAX];
    size_t n = find_home(home) ? MR_COUNT(build_tree) : 0;

    for (size_t i = 0; i < n; i++) {
        mr_buf_clear(out_path);
        mr_buf_printf(out_path, "%s/%s/%s.so", home, build_tree[i], name);
        if (access(out_path->at, R_OK) == 0)
            return;
    }
    mr_buf_clear(out_path);
    mr_buf_printf(out_path, "%s/%s.so", MR_MODULES_DIR, name);
}

static enum mr_code check(const char *path, const struct mr_handler *handler,
                          struct mr_err *err)
{
    if (handler->abi != MR_HANDLER_ABI)
        return mr_fail(err, MR_EINVAL,
                       "module %s: built for handler ABI %u, this worker speaks %u: build it "
                       "again with the installed worker/handler.h",
                       path, handler->abi, MR_HANDLER_ABI);
    if (handler->size < FIRST_SIZE)
        return mr_fail(err, MR_EINVAL,
                       "module %s: a handler of %zu bytes, %zu expected: set size to "
                       "sizeof(struct mr_handler)",
                       path, handler->size, FIRST_SIZE);
    if (!handler->name || !mr_str_is_job_name(mr_bytes_of(handler->name)))
        return mr_fail(err, MR_EINVAL, "module %s: '%.200s' is no job name", path,
                       handler->name ? handler->name : "");
    if (!handler->start == !handler->run)
        return mr_fail(err, MR_EINVAL,
                       "module %s: handler %s needs either start or run, and has %s", path,
                       handler->name, handler->start ? "both" : "neither");
    return MR_OK;
}

enum mr_code mr_module_load(const char *path, const struct mr_handler *const **out_handlers,
                            struct mr_err *err)
{
    /* Without a slash dlopen would search the system's libraries. */
    if (!strchr(path, '/'))
        return mr_fail(err, MR_EINVAL, "module %s: give it with its path: ./%s", path, path);
    if (access(path, F_OK) != 0)
        return mr_fail(err, MR_ENOTFOUND, "module %s: no such file", path);
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        return mr_fail(err, MR_EINVAL, "module %s: cannot load: %s", path, dlerror());
    const struct mr_handler *const *handlers = dlsym(module, "mr_handlers");
    if (!handlers)
        return mr_fail(err, MR_EINVAL, "module %s: exports no mr_handlers: is it a handler?",
                       path);
    for (size_t i = 0; handlers[i]; i++)
        if (check(path, handlers[i], err) != MR_OK)
            return MR_EINVAL;
    *out_handlers = handlers;
    return MR_OK;
}
