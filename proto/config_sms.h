/* What the options of sms must be to each other: what a provider needs, who is asked in which order, and what that takes. */
#ifndef MR_PROTO_CONFIG_SMS_H
#define MR_PROTO_CONFIG_SMS_H

#include "proto/config_errors.h"
#include "proto/yaml.h"

#include <jansson.h>

/* values are the checked options, root the document they come from, source its name. Complains of every error it meets. */
void mr_config_check_sms(const json_t *values, const struct mr_yaml *root, const char *source,
                         struct mr_config_errors *errors);

#endif
