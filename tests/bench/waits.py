"""Cases about time: how soon a job starts, and how many wait at once."""

import os
import struct
import time

from drains import QUEUE, watch
from figures import Figure, percentile, ratios
from stage import Stage, built, children, cpu_ns, key, memory_kib, wait_for

SETTLE_S = 0.2  # the last fetch is counted by then
STAMP = struct.Struct("qq")  # as tests/bench/jobs.c writes it


def take_stamps(stage, jobs):
    """How long each of the jobs waited from its push to its start, in ms; all of them, once each."""
    size = jobs * STAMP.size
    wait_for("the last stamps", lambda: os.path.exists(stage.stamps) and os.path.getsize(stage.stamps) >= size, 30)
    with open(stage.stamps, "rb") as file:
        stamps = list(STAMP.iter_unpack(file.read()))
    os.truncate(stage.stamps, 0)
    if len(stamps) != jobs or len({pushed for pushed, _ in stamps}) != jobs:
        raise RuntimeError(f"{len(stamps)} starts of {jobs} jobs")
    return [(started - pushed) / 1e6 for pushed, started in stamps]


def push_paced(stage, queue, jobs, every_us, into=None):
    """How long each waited; into: the queue whose flood must have lasted until the last was pushed."""
    stage.load(key(queue), "bench.stamp", jobs, "--every-us", every_us)
    if into and stage.client.ask("LLEN", key(into)) == 0:
        raise RuntimeError(f"{into} was empty before the last job was pushed to {queue}")
    return take_stamps(stage, jobs)


def latency_round(stage, jobs):
    before = stage.metric("millrace_empty_fetches_total")
    waits = push_paced(stage, QUEUE, jobs, 5_000)
    time.sleep(SETTLE_S)
    return waits, (stage.metric("millrace_empty_fetches_total") - before) / jobs


def stand_bare_waiters(stage, n):
    for i in range(n):
        stage.start(f"waiter{i}", {"args": [built("tests", "bench", "bench-waiter"), stage.socket, key(QUEUE),
                                            key(QUEUE, f"mine{i}"), stage.stamps]})
    wait_for("the bare waiters", lambda: stage.waiters() == n, 20)


def latency(bench):
    """10 idle workers under a dispatcher, jobs pushed 5 ms apart: from push to start, beside 10 bare BLMOVE clients"""
    jobs = bench.size(1_000, 200)
    with Stage() as stage, Stage() as beside:
        stage.dispatcher("{ bench: { queues: [bench], processes: 10, concurrency: 10 } }", 10)
        stand_bare_waiters(beside, 10)
        for one in (stage, beside):
            push_paced(one, QUEUE, 100, 5_000)
        rounds, bare = bench.in_turns(lambda: latency_round(stage, jobs), lambda: push_paced(beside, QUEUE, jobs, 5_000))
    waits, empty = zip(*rounds)
    at = lambda share, rounds: [percentile(one, share) for one in rounds]
    return [Figure("p50", at(0.50, waits), "ms", ("<", 0.2)),
            Figure("p99", at(0.99, waits), "ms", ("<", 0.6)),
            Figure("p99.9", at(0.999, waits), "ms"),
            ratios("p50 / of bare BLMOVE clients", at(0.50, waits), at(0.50, bare), None, "ms"),
            ratios("p99 / of bare BLMOVE clients", at(0.99, waits), at(0.99, bare), None, "ms"),
            Figure("empty fetches a push", empty, "", ("<=", 1))]


# ---- many at once ----


class Sleepers:
    """One worker by hand that runs jobs of 50 ms, this many at once."""

    def __init__(self, places, seconds):
        jobs = int(places / 0.05 * seconds)
        with Stage() as stage:
            worker = stage.worker("worker", f"{{ bench: {{ queues: [bench], concurrency: {places} }} }}", 1)
            stage.fill("debug.sleep", jobs, "--data", '"ms":50')
            stage.pour(QUEUE)
            self.rate = watch(stage, QUEUE, jobs, [worker.pid], settle_s=0.5)
            stage.await_settled(QUEUE)
            self.rss_mib = memory_kib(worker.pid, "VmHWM") / 1024


def sleep50(bench):
    """50 ms jobs in one worker process, 100, 1,000 and 5,000 at once"""
    figures = []
    for places, share, rss in ((100, 0.95, None), (1_000, 0.95, 40), (5_000, 0.9, None)):
        most = places / 0.05
        rounds, = bench.in_turns(lambda places=places: Sleepers(places, bench.size(4, 2)))
        jobs_s = [one.rate.jobs_s for one in rounds]
        note = f"{sum(jobs_s) / len(jobs_s):,.0f} of {most:,.0f} jobs/s"
        figures += [Figure(f"{places:,} at once / what 50 ms allow", [rate / most for rate in jobs_s], "",
                           (">=", share), note),
                    Figure(f"{places:,} at once: RSS at most", [one.rss_mib for one in rounds], "MiB",
                           ("<", rss) if rss else None),
                    Figure(f"{places:,} at once: CPU of the worker", [one.rate.workers_cpu for one in rounds], "cores",
                           None, f"Redis {sum(one.rate.redis_cpu for one in rounds) / len(rounds):.2f}")]
    return figures


# ---- the urgent among many ----


def in_pool_of_its_own(bench):
    """Start of the critical while a million of low jobs drain beside, in ms."""
    jobs, low = bench.size(400, 100), bench.size(1_000_000, 300_000)
    with Stage() as stage:
        stage.dispatcher("{ critical: { queues: [critical], processes: 1 }, low: { queues: [low], processes: 1 } }", 2)
        push_paced(stage, "critical", 20, 5_000)
        stage.fill("bench.noop", low)
        stage.pour("low")
        return push_paced(stage, "critical", jobs, 1_000, "low")


def in_shared_pool(bench):
    """The same in one worker that serves both, with low jobs of 0.1 ms that are fetched ahead."""
    jobs = bench.size(600, 150)
    with Stage() as stage:
        stage.worker("worker", "{ both: { queues: [critical, low], concurrency: 10 } }", 2)
        push_paced(stage, "critical", 20, 5_000)
        stage.fill("bench.spin", jobs * 100, "--data", '"us":100')
        stage.pour("low")
        waits = push_paced(stage, "critical", jobs, 5_000, "low")
        stage.client.ask("DEL", key("low"))
    return waits


def mixed(bench):
    """critical jobs pushed into a flood of low ones"""
    own, shared = bench.in_turns(lambda: in_pool_of_its_own(bench), lambda: in_shared_pool(bench))
    return [Figure("its own pool: p50", [percentile(one, 0.50) for one in own], "ms"),
            Figure("its own pool: p99", [percentile(one, 0.99) for one in own], "ms", ("<", 5)),
            Figure("shared pool: p50", [percentile(one, 0.50) for one in shared], "ms"),
            Figure("shared pool: p99", [percentile(one, 0.99) for one in shared], "ms", ("<", 2.5),
                   "2 ms of jobs fetched ahead, and its own way"),
            Figure("shared pool: longest", [max(one) for one in shared], "ms")]


# ---- nothing to do ----


def idle(stage, seconds):
    """What a quiet house uses: share of a core, and per worker RSS and PSS in MiB."""
    dispatcher = stage.running[-1].pid
    workers = children(dispatcher)
    before, redis_before, began = sum(map(cpu_ns, [dispatcher, *workers])), cpu_ns(stage.redis.pid), time.monotonic()
    time.sleep(seconds)
    spent_ns = (time.monotonic() - began) * 1e9
    share = (sum(map(cpu_ns, [dispatcher, *workers])) - before) / spent_ns
    redis_share = (cpu_ns(stage.redis.pid) - redis_before) / spent_ns
    rss = max(memory_kib(pid, "VmRSS") for pid in workers) / 1024
    pss = sum(memory_kib(pid, "Pss", "smaps_rollup") for pid in workers) / len(workers) / 1024
    whole = sum(memory_kib(pid, "Pss", "smaps_rollup") for pid in [dispatcher, *workers]) / 1024
    return {"share": 100 * share, "redis": 100 * redis_share, "rss": rss, "pss": pss, "whole": whole}


def scale(bench):
    """1, 10 and 50 idle worker processes under a dispatcher"""
    figures = []
    for n in (1, 10, 50):
        with Stage() as stage:
            stage.dispatcher(f"{{ bench: {{ queues: [bench], processes: {n} }} }}", n)
            time.sleep(1)
            rounds, = bench.in_turns(lambda stage=stage: idle(stage, bench.size(10, 3)))
        each = lambda name: [one[name] for one in rounds]
        figures += [Figure(f"{n} workers and their dispatcher: CPU", each("share"), "% of a core",
                           ("<", 1) if n == 50 else None, f"Redis {sum(each('redis')) / len(rounds):.2f} %"),
                    Figure(f"{n} workers: RSS of the largest", each("rss"), "MiB", ("<", 10)),
                    Figure(f"{n} workers: PSS of each", each("pss"), "MiB", ("<", 4) if n >= 10 else None,
                           f"with the dispatcher {each('whole')[-1]:.0f} MiB in all")]
    return figures
