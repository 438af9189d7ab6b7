/* All that is wrong with a configuration, collected in one run: lines for people, `file:line:col: what, and what was meant`. */
#ifndef MR_PROTO_CONFIG_ERRORS_H
#define MR_PROTO_CONFIG_ERRORS_H

#define MR_CONFIG_ERRORS_MAX 50 /* then one more line says that there are others */

/* Zero-initialised is empty and valid; mr_config_errors_fini frees the lines. */
struct mr_config_errors {
    char **lines;
    unsigned n_lines;
};

/*
 * Where something was written. line 0: origin alone says it (the name of an environment
 * variable).
 */
struct mr_place {
    const char *origin; /* borrowed */
    unsigned line, column;
};

void mr_config_errors_add(struct mr_config_errors *errors, struct mr_place at,
                          const char *format, ...) __attribute__((format(printf, 3, 4)));
void mr_config_errors_fini(struct mr_config_errors *errors);

#endif
