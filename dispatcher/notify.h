/* Tells the service manager how we are (the protocol of sd_notify); says nothing where there is none. */
#ifndef MR_DISPATCHER_NOTIFY_H
#define MR_DISPATCHER_NOTIFY_H

/* Sends one datagram to $NOTIFY_SOCKET: "READY=1", "STATUS=...", "WATCHDOG=1", several parted by newlines. Best effort. */
void mr_notify(const char *text);

#endif
