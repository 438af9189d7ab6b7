"""Whether the machine was ours while something was measured: what all processes used of the CPU, less what ours did."""

import os
import resource
import time

from stage import children, cpu_ns

OTHERS_AT_MOST = 0.2  # cores; more than that, and a round says more of the others than of us
LOOK_S = 0.5
IDLE_AT_MOST_S = 10


def busy_ns():
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def live_ns(pid):
    """Of a process and all its living descendants; those that end while it is looked at count for nothing."""
    try:
        return cpu_ns(pid) + sum(live_ns(child) for child in children(pid))
    except OSError:
        return 0


def own_ns():
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return live_ns(os.getpid()) + int((ended.ru_utime + ended.ru_stime) * 1e9)


class Watch:
    """From its making on: the cores that others used on the average."""

    def __init__(self):
        self.began = (time.monotonic(), busy_ns(), own_ns())

    def others(self):
        seconds, busy, own = (now - then for now, then in zip((time.monotonic(), busy_ns(), own_ns()), self.began))
        return max(0.0, (busy - own) / 1e9 / seconds)


def await_idle():
    """Waits for a moment in which nobody else runs, within reason."""
    until = time.monotonic() + IDLE_AT_MOST_S
    while time.monotonic() < until:
        watch = Watch()
        time.sleep(LOOK_S)
        if watch.others() < OTHERS_AT_MOST:
            return
