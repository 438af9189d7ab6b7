/* Any bytes as a configuration: refused with a line, or read, printed and read again to the same. */
#include "proto/config.h"
#include "proto/config_env.h"
#include "proto/yaml.h"
#include "tests/fuzz/must.h"

#include <stdlib.h>
#include <string.h>

static void check_round_trip(const struct mr_config *config)
{
    struct mr_config_errors errors = {0};
    struct mr_config *again = NULL;
    struct mr_buf once = {0}, twice = {0};

    mr_config_print(config, true, &once);
    must(mr_config_parse(once.at, once.len, "printed", &again, &errors) == MR_OK);
    must(mr_config_compare(config, again, NULL) == MR_CONFIG_SAME);
    must(json_equal(config->sections, again->sections));
    mr_config_print(again, true, &twice);
    must(once.len == twice.len && memcmp(once.at, twice.at, once.len) == 0);
    mr_config_print(config, false, &twice);
    mr_config_free(again);
    mr_buf_fini(&once);
    mr_buf_fini(&twice);
}

/* Variables only: a fuzzer that could write file:/... would read its host's files. */
static void check_expansion(const char *text, size_t len)
{
    static const char *const environment[] = {"A=1", "B=x: [y", "MILLRACE_POOLS=a,b",
                                              "MILLRACE_POOLS_B_TRIES=1", NULL};
    struct mr_config_errors errors = {0};
    struct mr_yaml *root = NULL;

    if (!memmem(text, len, ":/", 2) &&
        mr_yaml_parse(text, len, "fuzz", &root, &errors) == MR_OK) {
        mr_config_overlay(root, environment, "", &errors);
        mr_config_expand(root, environment, &errors);
    }
    mr_yaml_free(root);
    mr_config_errors_fini(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mr_config_errors errors = {0};
    struct mr_config *config = NULL;
    const char *text = (const char *)bytes;

    if (mr_config_parse(text, len, "fuzz", &config, &errors) == MR_OK)
        check_round_trip(config);
    else
        must(errors.n_lines > 0 && !config);
    mr_config_free(config);
    mr_config_errors_fini(&errors);
    check_expansion(text, len);
    return 0;
}
