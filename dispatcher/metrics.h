/* Everything that is counted, as Prometheus' text format. */
#ifndef MR_DISPATCHER_METRICS_H
#define MR_DISPATCHER_METRICS_H

#include "dispatcher/snapshot.h"
#include "proto/base/str.h"

#define MR_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends the exposition of one moment: base units, bounded labels, every family with HELP and TYPE. */
void mr_metrics_print(const struct mr_snapshot *snapshot, struct mr_buf *out);

#endif
