/* Files that a test lays out for the program it tests. */
#ifndef MR_TESTS_SCRATCH_H
#define MR_TESTS_SCRATCH_H

/* Puts dir/name in place as editors do: whole, by renaming. */
void mr_scratch_put(const char *dir, const char *name, const char *text);

#endif
