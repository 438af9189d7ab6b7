/* Files that a test lays out for the program it tests, and how they go again. */
#ifndef MR_TESTS_SCRATCH_H
#define MR_TESTS_SCRATCH_H

#include "proto/config.h"

#include <stdbool.h>

/* A fresh folder below /tmp; its path is written into out, which holds at least 24 bytes. */
void mr_scratch_folder(char *out);
/* A folder and all below it; no link is followed. */
void mr_scratch_remove(const char *dir);
/* Puts dir/name in place as editors do: whole, by renaming. */
void mr_scratch_put(const char *dir, const char *name, const char *text);

/*
 * A disk of that size ("64k") in dir's place, seen by this process and its children alone, until they end or it is unmounted. False where
 * the kernel allows none.
 */
bool mr_scratch_small_disk(const char *dir, const char *size);

/* mr_config_load from a file that holds yaml, and is gone afterwards. */
enum mr_code mr_scratch_load(const char *yaml, const char *const *environment,
                             struct mr_config **out, struct mr_config_errors *errors);

#endif
