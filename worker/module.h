/* A shared module: found, loaded, its handlers checked. Never unloaded: code of it may be anywhere. */
#ifndef MR_WORKER_MODULE_H
#define MR_WORKER_MODULE_H

#include "proto/base/err.h"
#include "proto/base/str.h"
#include "worker/handler.h"

/* Where a module of our own is: near this program in a build tree (../jobs/NAME.so), else where it is installed. */
void mr_module_find(const char *name, struct mr_buf *out_path);

/*
 * Loads path and gives its table of handlers. MR_ENOTFOUND: no such file; MR_EINVAL: it is no module of ours, or
 * of another ABI. err says what to do.
 */
enum mr_code mr_module_load(const char *path, const struct mr_handler *const **out_handlers,
                            struct mr_err *err);

#endif
