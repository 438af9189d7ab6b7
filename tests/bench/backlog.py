"""Whether it matters how much waits behind: a worker and a producer that keeps the queue at a certain length."""

import time

from drains import POOLS, QUEUE
from figures import Figure, ratios
from stage import Stage, cpu_ns, free_memory_mib, key

BATCH = 500
BYTES_A_JOB = 600  # in Redis, room to spare
SETTLE_S = 0.5


class Commands:
    """What Redis counted since the last reset."""

    def __init__(self, client):
        rows = client.info("commandstats")
        self.rows = {name[len("cmdstat_"):]: dict(pair.split("=") for pair in row.split(","))
                     for name, row in rows.items()}

    def calls(self, name):
        return int(self.rows.get(name, {"calls": 0})["calls"])

    def usec_per_call(self, name):
        return float(self.rows[name]["usec_per_call"])


class Steady:
    """What one worker did in some seconds while this many jobs waited."""

    def __init__(self, stage, length, seconds):
        worker = stage.worker("worker", POOLS, 1)
        if length > 10 * BATCH:
            stage.fill("bench.noop", length)
            stage.pour(QUEUE)
        feeder = stage.tool_beside("bench-load", "--socket", stage.socket, "--key", key(QUEUE), "--job", "bench.noop",
                                   "--jobs", 0, "--hold", length, "--batch", BATCH,
                                   "--seconds", seconds + 60)
        time.sleep(SETTLE_S)
        self.look(stage, seconds)
        feeder.kill()
        feeder.communicate()
        stage.client.ask("DEL", key(QUEUE))
        stage.await_settled(QUEUE)
        stage.stop(worker)
        stage.client.ask("FLUSHALL")

    def look(self, stage, seconds):
        stage.client.ask("CONFIG", "RESETSTAT")
        before_jobs, before_ns, began_s = stage.client.ask("LLEN", key(QUEUE)), cpu_ns(stage.redis.pid), time.monotonic()
        time.sleep(seconds)
        commands = Commands(stage.client)
        jobs = commands.calls("rpush") * BATCH + before_jobs - stage.client.ask("LLEN", key(QUEUE))
        self.jobs_s = jobs / (time.monotonic() - began_s)
        self.redis_ns = (cpu_ns(stage.redis.pid) - before_ns) / jobs
        self.fetch_us = commands.usec_per_call("evalsha")


def backlog(bench):
    """1 k, 100 k and 5 M jobs waiting"""
    lengths = [1_000, 100_000, bench.size(5_000_000, 1_000_000)]
    while lengths[-1] * BYTES_A_JOB > free_memory_mib() * 2**20 // 2:
        lengths[-1] //= 2
    with Stage() as stage:
        few, some, many = bench.in_turns(*(lambda length=length: Steady(stage, length, bench.size(3, 1))
                                           for length in lengths))
    jobs_s = lambda steady: [one.jobs_s for one in steady]
    most = f"{lengths[-1] / 1e6:g} M"
    return [ratios(f"jobs/s with {most} waiting / with 1 k", jobs_s(many), jobs_s(few), (">=", 0.95), "jobs/s"),
            ratios("with 100 k / with 1 k", jobs_s(some), jobs_s(few), None, "jobs/s"),
            ratios(f"time of a fetch in Redis with {most} / with 1 k", [one.fetch_us for one in many],
                   [one.fetch_us for one in few], None, "us"),
            Figure(f"Redis CPU a job with {most}, the push included", [one.redis_ns for one in many], "ns")]
