/* The two clocks: spans come from the monotonic one, instants people read from the wall clock. */
#ifndef MR_PROTO_BASE_CLOCK_H
#define MR_PROTO_BASE_CLOCK_H

#include <stdint.h>

uint64_t mr_clock_ms(void);      /* monotonic; the same clock in every process of this host */
uint64_t mr_clock_us(void);      /* monotonic, microseconds */
uint64_t mr_clock_wall_ms(void); /* unix time in ms */

#endif
