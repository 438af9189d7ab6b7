/* The types of options that only this product has: queues with weights, backoff, commands, exit statuses, rates, time zones. */
#ifndef MR_PROTO_CONFIG_TYPES_H
#define MR_PROTO_CONFIG_TYPES_H

#include "proto/options.h"

#define MR_CONFIG_DAYS 20 /* billing.dunning has no more */

extern const struct mr_option_type mr_config_queues;     /* of struct mr_pool_config */
extern const struct mr_option_type mr_config_backoff;    /* of struct mr_pool_config */
extern const struct mr_option_type mr_config_redis_url;  /* char * */
extern const struct mr_option_type mr_config_command;    /* list of text, not empty */
extern const struct mr_option_type mr_config_codes;      /* list of exit statuses */
extern const struct mr_option_type mr_config_text_map;   /* names to text */
extern const struct mr_option_type mr_config_statuses;   /* list of HTTP statuses */
extern const struct mr_option_type mr_config_conditions; /* list of text path=value */
extern const struct mr_option_type mr_config_rate;       /* text that mr_rate_parse takes */
extern const struct mr_option_type
    mr_config_number; /* text that mr_number_format_check takes */
extern const struct mr_option_type
    mr_config_days; /* list of days that grow; at most MR_CONFIG_DAYS */
extern const struct mr_option_type mr_config_zone; /* text: a time zone of this system */

#endif
