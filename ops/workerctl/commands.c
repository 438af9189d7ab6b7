#include "ops/workerctl/commands.h"

#include "proto/base/mem.h"

/* clang-format off */
const struct mr_command mr_commands[] = {
    {"status",       "",                         "the dispatcher, Redis, pools, queues (1: not ready)", 0,  0, mr_command_status},
    {"pools",        "",                         "workers of each pool and what they run",             0,  0, mr_command_pools},
    {"queues",       "",                         "how many jobs stand where",                          0,  0, mr_command_queues},
    {"jobs",         "",                         "what runs on this host now, and how far it is",      0,  0, mr_command_jobs},
    {"scale",        "POOL=N|POOL=+N|POOL=-N...","set or change the number of processes",              1, -1, mr_command_scale},
    {"pause",        "QUEUE...",                 "stop fetching from a queue (--for: for a while)",    1, -1, mr_command_pause},
    {"resume",       "QUEUE...",                 "fetch from it again",                                1, -1, mr_command_resume},
    {"cancel",       "UUID...",                  "ask jobs that run on this host to stop; they are dead then", 1, -1, mr_command_cancel},
    {"push",         "QUEUE JOB [DATA|@FILE|-]", "enqueue a job; DATA is JSON (--lines: one a line)",  2,  3, mr_command_push},
    {"dead list",    "QUEUE",                    "dead letters, newest first (--job, --class)",        1,  1, mr_command_dead_list},
    {"dead show",    "QUEUE ID",                 "one dead letter whole",                              2,  2, mr_command_dead_show},
    {"dead retry",   "QUEUE [ID...]",            "put back to ready (or --job, --class, --all)",       1, -1, mr_command_dead_retry},
    {"dead drop",    "QUEUE [ID...]",            "forget for good (or --job, --class, --all)",         1, -1, mr_command_dead_drop},
    {"drain",        "",                         "finish what runs, then end the dispatcher",          0,  0, mr_command_drain},
    {"restart",      "",                         "replace every worker, one after the other",          0,  0, mr_command_restart},
    {"reload",       "",                         "read the configuration again",                       0,  0, mr_command_reload},
    {"config check", "[FILE]",                   "say everything that is wrong with it",               0,  1, mr_command_config_check},
    {"config show",  "[FILE]",                   "as it will be in force, without secrets",            0,  1, mr_command_config_show},
    {"config docs",  "",                         "every option with its default and bounds",           0,  0, mr_command_config_docs},
    {"db status",    "",                         "the database's migrations (1: some are not applied)",  0,  0, mr_command_db_status},
    {"db migrate",   "",                         "bring the database's tables up to date (--dry-run)", 0,  0, mr_command_db_migrate},
    {"billing audit",   "",                      "whether the books are right; 1 when they are not",   0,  0, mr_command_billing_audit},
    {"billing unknown", "",                      "charges and refunds of which nobody knows whether they were made", 0,  0, mr_command_billing_unknown},
    {"billing resolve", "UUID ok|refused",       "say what became of a held charge or refund (--id: at the provider)", 2,  2, mr_command_billing_resolve},
    {"doctor",       "",                         "look for what endangers jobs; 1 when something does",0,  0, mr_command_doctor},
};
/* clang-format on */

const unsigned mr_n_commands = MR_COUNT(mr_commands);
