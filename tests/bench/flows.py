"""Cases of the other ways a job goes: pushed by a producer, promoted when due, tried again until it is dead."""

import csv
import io
import json
import subprocess
import time

from drains import QUEUE
from figures import Figure, ratios
from stage import PREFIX, Stage, built, cpu_ns, key, wait_for

POOL = "{ bench: { queues: [bench], concurrency: 10, tries: 3, backoff: 1s..2s } }"


def redis_benchmark(stage, jobs, pipeline):
    """The pushes a second that Redis' own yardstick does with 400 bytes on one connection."""
    said = subprocess.run(["redis-benchmark", "-s", stage.socket, "-c", "1", "-n", str(jobs), "-P", str(pipeline),
                           "-d", "400", "-t", "rpush", "--csv"], stdout=subprocess.PIPE, text=True, check=True).stdout
    rows = list(csv.DictReader(io.StringIO(said)))
    stage.client.ask("FLUSHALL")
    return float(rows[0]["rps"])


def libmillrace(stage, jobs, bulk):
    said = subprocess.run([built("tests", "bench", "bench-enqueue"), f"redis+unix://{stage.socket}", PREFIX, QUEUE,
                           str(jobs), str(bulk)], stdout=subprocess.PIPE, check=True).stdout
    if stage.client.ask("LLEN", key(QUEUE)) != jobs:
        raise RuntimeError("not every job that was pushed is there")
    stage.client.ask("FLUSHALL")
    return jobs / json.loads(said)["seconds"]


def variadic(stage, jobs):
    """Bare RPUSHes of 500 jobs each, four in flight."""
    said = stage.load(key(QUEUE), "bench.noop", jobs)
    stage.client.ask("FLUSHALL")
    return jobs / said["seconds"]


def enqueue(bench):
    """a producer on libmillrace, beside redis-benchmark and bare variadic pushes"""
    few, many = bench.size(50_000, 10_000), bench.size(500_000, 100_000)
    with Stage() as stage:
        single, bench_single, bulk, bench_bulk, bare = bench.in_turns(
            lambda: libmillrace(stage, few, 1), lambda: redis_benchmark(stage, few, 1),
            lambda: libmillrace(stage, many, 500), lambda: redis_benchmark(stage, many, 100),
            lambda: variadic(stage, many))
    return [ratios("one at a time / redis-benchmark", single, bench_single, None, "jobs/s"),
            ratios("500 at a time / redis-benchmark -P 100", bulk, bench_bulk, None, "jobs/s"),
            ratios("500 at a time / bare variadic RPUSH", bulk, bare, None, "jobs/s")]


def promotion(stage, jobs):
    """Seconds from the due until all are ready, and Redis' CPU a job in ns."""
    due = int(time.time()) + 4
    stage.load(key(QUEUE, "delayed"), "bench.noop", jobs, "--due", due)
    before = cpu_ns(stage.redis.pid)
    wait_for("the due", lambda: stage.client.ask("LLEN", key(QUEUE)) == jobs, 60)
    late = time.time() - due
    redis_ns = (cpu_ns(stage.redis.pid) - before) / jobs
    stage.client.ask("DEL", key(QUEUE))
    return late, redis_ns


def promote(bench):
    """100,000 delayed jobs due in the same second, under a dispatcher"""
    jobs = bench.size(100_000, 20_000)
    with Stage() as stage:
        stage.dispatcher(POOL, 1)
        stage.client.ask("SET", key(QUEUE, "paused"), 1)
        rounds, = bench.in_turns(lambda: promotion(stage, jobs))
    late, redis_ns = zip(*rounds)
    return [Figure(f"{jobs:,} are ready after", late, "s"), Figure("Redis CPU a job", redis_ns, "ns")]


def storm(stage, jobs):
    """First attempts a second, seconds until the last one has failed, Redis' CPU an attempt in ns."""
    stage.fill("debug.fail", jobs)
    before, began = cpu_ns(stage.redis.pid), time.monotonic()
    stage.pour(QUEUE)
    wait_for("the first attempts", lambda: stage.client.ask("LLEN", key(QUEUE)) == 0, 120)
    first = jobs / (time.monotonic() - began)
    wait_for("the last attempts", lambda: stage.client.ask("ZCARD", key(QUEUE, "dead")) == jobs, 300)
    whole = time.monotonic() - began
    redis_ns = (cpu_ns(stage.redis.pid) - before) / jobs / 3
    stage.client.ask("DEL", key(QUEUE, "dead"), key(QUEUE, "dead", "jobs"))
    return first, whole, redis_ns


def retry_storm(bench):
    """100,000 jobs that fail three times each, under a dispatcher"""
    jobs = bench.size(100_000, 10_000)
    with Stage() as stage:
        stage.dispatcher(POOL, 1)
        rounds, = bench.in_turns(lambda: storm(stage, jobs))
    first, whole, redis_ns = zip(*rounds)
    return [Figure("first attempts, failed and put off", first, "jobs/s"),
            Figure(f"{jobs:,} jobs tried three times with 1 s to 2 s between, dead after", whole, "s"),
            Figure("Redis CPU an attempt", redis_ns, "ns")]
