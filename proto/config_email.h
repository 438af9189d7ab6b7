/* What the options of mail servers mean together. */
#ifndef MR_PROTO_CONFIG_EMAIL_H
#define MR_PROTO_CONFIG_EMAIL_H

#include "proto/config_errors.h"
#include "proto/yaml.h"

#include <jansson.h>

/* Complains of mail servers nobody could reach or log in to. values: what was read from root, the whole document. */
void mr_config_check_email(const struct mr_yaml *root, const json_t *values,
                           struct mr_config_errors *errors);

#endif
