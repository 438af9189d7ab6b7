/* Asks Redis for its version and for the settings that decide which promise holds. */
#ifndef MR_DISPATCHER_SETTINGS_H
#define MR_DISPATCHER_SETTINGS_H

struct mr_dispatcher;

/* Fills redis_version, durability, maxmemory_policy and promise, later, from the loop; logs the promise when it changed. */
void mr_settings_ask(struct mr_dispatcher *dispatcher);

#endif
