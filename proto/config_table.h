/* The table of every option there is: parser, bounds, reload rule, documentation and printing read these rows. */
#ifndef MR_PROTO_CONFIG_TABLE_H
#define MR_PROTO_CONFIG_TABLE_H

#include "proto/options.h"

extern const struct mr_option_table mr_config_table; /* of struct mr_config */
extern const struct mr_option_table mr_pool_table;   /* of struct mr_pool_config */

#endif
