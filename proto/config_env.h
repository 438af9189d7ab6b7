/* What a configuration takes from outside its file: ${VAR}, file:/path, and MILLRACE_* laid over it. */
#ifndef MR_PROTO_CONFIG_ENV_H
#define MR_PROTO_CONFIG_ENV_H

#include "proto/base/str.h"
#include "proto/config_errors.h"
#include "proto/yaml.h"

/*
 * The value of a variable, borrowed from environment ("NAME=value", NULL-ended; NULL is
 * empty); NULL if not set.
 */
const char *mr_config_variable(const char *const *environment, const char *name);

/*
 * Resolves ${VAR} and ${VAR:-otherwise} in every scalar below root, then a whole scalar
 * file:/path to what that file holds, less one line end. $${ stays as ${. What is resolved is
 * text: it is never read as YAML.
 */
void mr_config_expand(struct mr_yaml *root, const char *const *environment,
                      struct mr_config_errors *errors);

/*
 * Sets what MILLRACE_* variables say in root; empty ones say nothing. A variable that is
 * nearly one of ours is an error; others are let be, and so is what text, the file, speaks of
 * itself.
 */
void mr_config_overlay(struct mr_yaml *root, const char *const *environment, const char *text,
                       struct mr_config_errors *errors);

/* "redis.url" -> "REDIS_URL", added to out. */
void mr_config_variable_name(const char *option, struct mr_buf *out);

#endif
