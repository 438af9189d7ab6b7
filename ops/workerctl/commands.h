/* What workerctl can do, one function a command; each gives the exit status. argv holds the words behind the command's name. */
#ifndef MR_OPS_COMMANDS_H
#define MR_OPS_COMMANDS_H

#include "ops/workerctl/session.h"

typedef int mr_command_fn(struct mr_session *session, int argc, char **argv);

struct mr_command {
    const char *name; /* one or two words: "dead list" */
    const char *args; /* as --help shows them */
    const char *help;
    int least, most; /* words behind the name; most -1: any number */
    mr_command_fn *run;
};

extern const struct mr_command mr_commands[];
extern const unsigned mr_n_commands;

/* fleet.c */
mr_command_fn mr_command_status, mr_command_pools, mr_command_queues, mr_command_jobs;
/* steer.c */
mr_command_fn mr_command_scale, mr_command_pause, mr_command_resume, mr_command_cancel,
    mr_command_drain, mr_command_restart, mr_command_reload;
/* push.c */
mr_command_fn mr_command_push;
/* letters.c */
mr_command_fn mr_command_dead_list, mr_command_dead_show, mr_command_dead_retry,
    mr_command_dead_drop;
/* settings.c */
mr_command_fn mr_command_config_check, mr_command_config_show, mr_command_config_docs;
/* db.c */
mr_command_fn mr_command_db_status, mr_command_db_migrate;
/* billing.c */
mr_command_fn mr_command_billing_audit, mr_command_billing_unknown, mr_command_billing_resolve;
/* doctor.c */
mr_command_fn mr_command_doctor;

#endif
