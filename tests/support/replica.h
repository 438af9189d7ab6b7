/* A real replica of a test's MariaDB: it follows by GTID over loopback TCP, and falls behind when the test says so. */
#ifndef MR_TESTS_REPLICA_H
#define MR_TESTS_REPLICA_H

#include "tests/support/mariadb.h"

/* Starts a server that others can follow: on TCP, with a binary log. extra as mr_mariadb_start takes it. */
void mr_replica_primary_start(struct mr_mariadb *primary, const char *const *extra);
/*
 * Starts a read-only replica of it and waits until it has all that primary has, its users too. On its unix socket only, which its yaml and
 * config name. mr_mariadb_kill and _stop work on it as on any other.
 */
void mr_replica_start(struct mr_mariadb *replica, struct mr_mariadb *primary,
                      const char *const *extra);
/* After mr_mariadb_kill: it goes on following from where it was. */
void mr_replica_again(struct mr_mariadb *replica, const char *const *extra);

/* Waits until all that is committed at primary now is at replica too. */
void mr_replica_catch_up(struct mr_mariadb *replica, struct mr_mariadb *primary);
/* Replication stops and goes on: Seconds_Behind_Master is NULL meanwhile. */
void mr_replica_halt(struct mr_mariadb *replica);
void mr_replica_resume(struct mr_mariadb *replica);
/*
 * The replica falls behind by behind_s at once, and stays there: what is written to primary from now on arrives only after mr_replica_hurry. What
 * was written before is waited for.
 */
void mr_replica_lag(struct mr_mariadb *replica, struct mr_mariadb *primary, unsigned behind_s);
/* It no longer waits, and has caught up. */
void mr_replica_hurry(struct mr_mariadb *replica, struct mr_mariadb *primary);
/* Lets the configuration's user see how replication goes (at primary; its replicas follow). New connections only. */
void mr_replica_let_look(struct mr_mariadb *primary);

#endif
