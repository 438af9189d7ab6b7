"""Cases that empty a queue: how many jobs a second, beside the ceiling of the same minute."""

import time

from figures import Figure, ratios
from stage import PREFIX, Stage, cpu_ns, jobs_run, key

QUEUE = "bench"
LOOK_S = 0.01  # seldom enough to cost nobody anything
POOLS = "{ bench: { queues: [bench], concurrency: 10 } }"


class Sight:
    """The length of a queue at an instant, and what Redis and the workers had used of the CPU by then."""

    def __init__(self, stage, queue, pids):
        self.at_s = time.monotonic()
        self.length = stage.client.ask("LLEN", key(queue))
        self.redis_ns = cpu_ns(stage.redis.pid)
        self.workers_ns = sum(cpu_ns(pid) for pid in pids)


class Rate:
    """What happened between two sights."""

    def __init__(self, first, last):
        jobs = first.length - last.length
        seconds = last.at_s - first.at_s
        if jobs <= 0 or seconds <= 0:
            raise RuntimeError("the queue was empty before it could be looked at twice: more jobs are needed")
        self.jobs_s = jobs / seconds
        self.redis_ns = (last.redis_ns - first.redis_ns) / jobs
        self.worker_ns = (last.workers_ns - first.workers_ns) / jobs
        self.workers_cpu = (last.workers_ns - first.workers_ns) / 1e9 / seconds
        self.redis_cpu = (last.redis_ns - first.redis_ns) / 1e9 / seconds


def watch(stage, queue, jobs, pids, settle_s=0.0, seconds=300):
    """
    Looks at the queue until it is empty. The rate is that between the first and the last sight of it in motion, so that
    neither the start nor the end of anybody counts.
    """
    until = time.monotonic() + seconds
    first = last = began = None
    while True:
        sight = Sight(stage, queue, pids)
        if sight.length == 0:
            return Rate(first, last)
        if sight.length < jobs:
            began = began or sight.at_s
            if sight.at_s - began >= settle_s:
                first = first or sight
                last = sight
        if sight.at_s > until:
            raise RuntimeError(f"{queue}: still {sight.length} jobs after {seconds} s")
        time.sleep(LOOK_S)


# ---- who drains ----


def ceiling(stage, job, jobs, load, options=()):
    stage.fill(job, jobs, *load)
    stage.pour(QUEUE)
    process = stage.tool_beside("bench-ceiling", "--socket", stage.socket, "--prefix", PREFIX, "--queue", QUEUE, *options)
    rate = watch(stage, QUEUE, jobs, [process.pid])
    process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"bench-ceiling ended with {process.returncode}")
    stage.client.ask("DEL", key(QUEUE, "workers"))
    return rate


def workers(stage, job, jobs, load, n_workers=1, numbers=False, pools=POOLS):
    """Real workers, started by hand, that wait when all jobs come at one instant; every job must have been run once."""
    running = [stage.worker(f"worker{i}", pools, i + 1) for i in range(n_workers)]
    stage.fill(job, jobs, *load)
    stage.pour(QUEUE)
    rate = watch(stage, QUEUE, jobs, [process.pid for process in running])
    stage.await_settled(QUEUE)
    ran, total = zip(*(jobs_run(stage.stop(process)) for process in running))
    if sum(ran) != jobs or (numbers and sum(total) != jobs * (jobs - 1) // 2):
        raise RuntimeError(f"{sum(ran)} of {jobs} jobs were run, the sum of their numbers is {sum(total)}")
    stage.client.ask("FLUSHALL")
    return rate


class Contest:
    """Rounds in which each contender drains the same load once; interleaved, each round beside its ceiling."""

    def __init__(self, bench, contenders):
        self.rates = dict(zip(contenders, bench.in_turns(*contenders.values())))

    def jobs_s(self, name):
        return [rate.jobs_s for rate in self.rates[name]]

    def redis_ns(self, name):
        return [rate.redis_ns for rate in self.rates[name]]

    def worker_ns(self, name):
        return [rate.worker_ns for rate in self.rates[name]]

    def ratio(self, title, name, hold, beside="ceiling"):
        return ratios(title, self.jobs_s(name), self.jobs_s(beside), hold, "jobs/s")

    def cpu(self, name, hold=None):
        return [ratios(f"Redis CPU a job / ceiling's, {name}", self.redis_ns(name), self.redis_ns("ceiling"), hold, "ns"),
                Figure(f"worker CPU a job, {name}", self.worker_ns(name), "ns")]


# ---- the cases ----


def drain(bench):
    """no-op jobs of 400 bytes, one and two workers"""
    jobs, load = bench.size(500_000, 200_000), ["--bytes", 400]
    with Stage() as stage:
        contest = Contest(bench, {
            "ceiling": lambda: ceiling(stage, "bench.noop", jobs, load),
            "1 worker": lambda: workers(stage, "bench.noop", jobs, load),
            "2 workers": lambda: workers(stage, "bench.noop", jobs, load, 2),
            "floor": lambda: ceiling(stage, "bench.noop", jobs, load, ["--floor"]),
        })
    return [Figure("the ceiling: the same fetch script, bare", contest.jobs_s("ceiling"), "jobs/s"),
            Figure("the floor: LPOP, unsafe", contest.jobs_s("floor"), "jobs/s"),
            contest.ratio("1 worker / ceiling", "1 worker", (">=", 0.50)),
            contest.ratio("2 workers on the same cores / ceiling", "2 workers", (">=", 0.45)),
            *contest.cpu("1 worker", ("<=", 1.25))]


def drain_data(bench):
    """the handler reads its data through jansson"""
    jobs, load = bench.size(500_000, 100_000), ["--bytes", 400]
    with Stage() as stage:
        contest = Contest(bench, {
            "ceiling": lambda: ceiling(stage, "bench.data", jobs, load),
            "1 worker": lambda: workers(stage, "bench.data", jobs, load, numbers=True),
        })
    return [contest.ratio("1 worker that reads its data / ceiling", "1 worker", (">=", 0.25)), *contest.cpu("1 worker")]


def drain_16k(bench):
    """no-op jobs of 16 KiB"""
    jobs, load = bench.size(60_000, 20_000), ["--bytes", 16384, "--fill-data", "--batch", 50]
    with Stage() as stage:
        contest = Contest(bench, {
            "ceiling": lambda: ceiling(stage, "bench.noop", jobs, load, ["--batch", 50]),
            "1 worker": lambda: workers(stage, "bench.noop", jobs, load),
        })
    return [contest.ratio("1 worker / ceiling at 16 KiB", "1 worker", (">=", 0.60)), *contest.cpu("1 worker")]


def aof_bytes(stage):
    """What has been written to the log of changes so far, buffers included."""
    info = stage.client.info("persistence")
    return int(info["aof_current_size"]) + int(info["aof_buffer_length"])


def drain_aof(bench):
    """no-op jobs, every change logged, fsync every second"""
    jobs, load = bench.size(500_000, 100_000), ["--bytes", 400]
    beyond = []

    def work(stage):
        process = stage.worker("worker", POOLS, 1)
        stage.fill("bench.noop", jobs, *load)
        before = aof_bytes(stage)
        stage.pour(QUEUE)
        rate = watch(stage, QUEUE, jobs, [process.pid])
        stage.await_settled(QUEUE)
        beyond.append((aof_bytes(stage) - before) / jobs)
        if jobs_run(stage.stop(process))[0] != jobs:
            raise RuntimeError("not every job was run once")
        return rate

    with Stage(["--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0"]) as stage:
        contest = Contest(bench, {
            "ceiling": lambda: ceiling(stage, "bench.noop", jobs, load),
            "1 worker": lambda: work(stage),
        })
    return [contest.ratio("1 worker / ceiling, both with AOF", "1 worker", (">=", 0.50)),
            Figure("AOF bytes a job beyond the push", beyond, "B", ("<=", 10)), *contest.cpu("1 worker")]


