"""The queues that are compared, each at its own recommended settings: how it is filled, served, and found empty."""

import glob
import os
import socket
import subprocess
import time

from stage import ROOT, Stage, built, children, key, memory_kib, wait_for

THEIRS = os.path.join(ROOT, "tests", "bench", "theirs")
TOOLS = os.path.join(ROOT, "build", "tools")
PYTHON = "/usr/bin/python3"  # the one whose libraries are Debian's
SETTLE_S = 0.5  # what was taken from a queue last has begun by then


class Ground(Stage):
    """A stage whose processes are told where the server is and where their jobs leave their records."""

    server = None  # another socket than Redis'

    def told(self):
        return {"MILLRACE_BENCH_SOCKET": self.server or self.socket,
                "MILLRACE_BENCH_RECORDS": os.path.join(self.dir, "records")}

    def start(self, name, command, **environment):
        told = self.told()
        os.makedirs(told["MILLRACE_BENCH_RECORDS"], exist_ok=True)
        return super().start(name, command, **{**told, **environment})

    def run(self, command, **environment):
        subprocess.run(command, env={**os.environ, **self.told(), **environment}, check=True, stdout=subprocess.DEVNULL,
                       timeout=300)

    def configure(self, name, pools, more=""):
        """With the module whose jobs leave the same records as everybody's."""
        path = super().configure(name, pools, more)
        with open(path, encoding="utf-8") as file:
            text = file.read().replace("bench.so", "tally.so")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def starts(self, jobs):
        """When each job was pushed and when it began, by number; an error unless every number is there once."""
        rows = []
        for path in glob.glob(os.path.join(self.told()["MILLRACE_BENCH_RECORDS"], "*")):
            with open(path, encoding="ascii") as file:
                rows += [tuple(map(int, line.split())) for line in file]
        rows.sort()
        numbers = [number for number, _, _ in rows]
        if numbers != list(range(jobs)):
            raise RuntimeError(f"{len(rows)} starts of {len(set(numbers))} different jobs, {jobs} were pushed")
        return [(pushed, began) for _, pushed, began in rows]


def child_kib(pid):
    try:
        return memory_kib(pid, "VmRSS")
    except (OSError, RuntimeError):
        return 0  # it has just ended


def memory_mib(processes):
    """The RSS of worker processes and their children together; what several of them share counts in each."""
    kib = [memory_kib(process.pid, "VmRSS") + sum(map(child_kib, children(process.pid))) for process in processes]
    return sum(kib) / 1024


class Contender:
    """One queue. jobs: what it drains in some seconds; processes x places: how it stands idle, and with jobs that wait."""

    name = about = ""
    jobs = 30_000
    processes, places = 1, 10
    settle_s = 120

    def missing(self):
        """What has to be there and is not; "" when it can run."""
        return ""

    def prepare(self, ground):
        """Before anything else: a server, for those that do not stand on Redis."""

    def produce(self, ground, what, jobs):
        """fill: pushes all at once; pace: one every 5 ms."""
        raise NotImplementedError

    def command(self, ground):
        """Of one worker process."""
        raise NotImplementedError

    def environment(self):
        return {}

    def waiting(self, ground):
        """How many wait for a job."""
        return int(ground.client.info("clients")["blocked_clients"])

    def left(self, ground):
        """How many jobs are waiting or being done."""
        raise NotImplementedError

    def sleepers(self):
        """Processes for sleep50, and jobs at once in all of them."""
        return self.processes, self.processes * self.places

    # ---- what is measured ----

    def work(self, ground, processes, sleep_ms):
        environment = {"MILLRACE_BENCH_MS": str(sleep_ms), **self.environment()}
        return [ground.start(f"worker{i}", {"args": self.command(ground)}, **environment) for i in range(processes)]

    def end(self, ground, running, jobs):
        time.sleep(SETTLE_S)
        for process in running:
            process.terminate()
        for process in running:
            process.wait(60)  # all at once: some look up from their waiting only after seconds
            said = ground.stop(process)
            if process.returncode not in (0, -15):
                raise RuntimeError(f"{self.name}: a worker ended with {process.returncode}: {said[-2000:]}")
        try:
            return ground.starts(jobs)
        except RuntimeError as error:
            raise RuntimeError(f"{self.name}: {error}; the last worker said: {said[-2000:]}") from error

    def drain(self, jobs, processes, sleep_ms=0):
        """The starts of jobs that were all there before the workers; and the workers' memory at the end, in MiB."""
        with Ground() as ground:
            self.prepare(ground)
            self.produce(ground, "fill", jobs)
            running = self.work(ground, processes, sleep_ms)
            wait_for(f"{self.name}: the last job", lambda: self.left(ground) == 0, self.settle_s)
            memory = memory_mib(running)
            return self.end(ground, running, jobs), memory

    def paced(self, jobs):
        """The starts of jobs that came one by one to idle workers."""
        with Ground() as ground:
            self.prepare(ground)
            running = self.work(ground, self.processes, 0)
            wait_for(f"{self.name}: idle workers", lambda: self.waiting(ground) >= self.idle_waiters(), 60)
            self.produce(ground, "pace", jobs)
            wait_for(f"{self.name}: the last job", lambda: self.left(ground) == 0, self.settle_s)
            return self.end(ground, running, jobs)

    def idle_waiters(self):
        return self.processes * self.places


class Millrace(Contender):
    """Workers alone for drain and sleep50; under a dispatcher for latency, as it usually stands."""

    name = "millrace"
    about = "no-op and latency at 10 places a process, 50 ms jobs at 1,000 places in one process"
    jobs = 500_000

    def sleepers(self):
        return 1, 1_000

    def drain(self, jobs, processes, sleep_ms=0):
        places = self.sleepers()[1] if sleep_ms else 10
        with Ground() as ground:
            running = [ground.worker(f"worker{i}", f"{{ bench: {{ queues: [bench], concurrency: {places} }} }}", i + 1)
                       for i in range(processes)]
            ground.fill("tally.sleep" if sleep_ms else "tally.noop", jobs, "--bytes", 400, "--fill-data")
            ground.pour("bench")
            ground.await_settled("bench", self.settle_s)
            memory = memory_mib(running)
            return self.end(ground, running, jobs), memory

    def paced(self, jobs):
        with Ground() as ground:
            dispatcher = ground.dispatcher("{ bench: { queues: [bench], processes: 10, concurrency: 10 } }", 10)
            ground.load(key("bench"), "tally.noop", jobs, "--every-us", 5000, "--bytes", 400, "--fill-data")
            ground.await_settled("bench", self.settle_s)
            return self.end(ground, [dispatcher], jobs)


class Beanstalkd(Contender):
    """A server of its own that keeps no log, as Redis keeps none here; producer and workers in C."""

    name = "beanstalkd"
    about = "1.12, no log, workers in C; 10 of them for latency and 50 ms jobs"
    jobs = 100_000
    processes, places = 10, 1
    program = built("tests", "bench", "bench-beanstalkd")

    def missing(self):
        return "" if os.access(os.path.join(TOOLS, "beanstalkd"), os.X_OK) else "build/tools/beanstalkd"

    def prepare(self, ground):
        ground.server = os.path.join(ground.dir, "beanstalkd.sock")
        ground.start("beanstalkd", {"args": [os.path.join(TOOLS, "beanstalkd"), "-l", "unix:" + ground.server]})
        wait_for("beanstalkd", lambda: os.path.exists(ground.server), 10)

    def produce(self, ground, what, jobs):
        ground.run([self.program, what, str(jobs)])

    def command(self, ground):
        return [self.program, "work"]

    def stats(self, ground):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.connect(ground.server)
            link.sendall(b"stats\r\n")
            said = link.recv(65536).decode()
        return {name: value for name, _, value in (line.partition(": ") for line in said.splitlines())}

    def waiting(self, ground):
        return int(self.stats(ground)["current-waiting"])

    def left(self, ground):
        stats = self.stats(ground)
        return int(stats["current-jobs-ready"]) + int(stats["current-jobs-reserved"])


class Sidekiq(Contender):
    """One process with ten threads."""

    name = "Sidekiq"
    about = "7.3 on Ruby 3.1, 10 threads in a process"
    jobs = 20_000
    script = os.path.join(THEIRS, "sidekiq.rb")
    root = os.path.join(TOOLS, "sidekiq", "usr")

    def missing(self):
        program = os.path.join(self.root, "bin", "sidekiq")
        return "" if os.access(program, os.X_OK) and os.path.exists("/usr/bin/ruby") else program

    def environment(self):
        return {"GEM_PATH": os.path.join(self.root, "share", "rubygems-integration", "all")}

    def produce(self, ground, what, jobs):
        ground.run(["/usr/bin/ruby", self.script, what, str(jobs)], **self.environment())

    def command(self, ground):
        return ["/usr/bin/ruby", os.path.join(self.root, "bin", "sidekiq"), "-r", self.script, "-q", "bench", "-c",
                str(self.places)]

    def left(self, ground):
        return ground.client.ask("LLEN", "queue:bench")


class Laravel(Contender):
    """One job at a time in each process, ten processes; waits in Redis instead of polling."""

    name = "Laravel"
    about = "8.83, the worker of queue:work with block_for 5; 10 processes for latency and 50 ms jobs"
    jobs = 5_000
    processes, places = 10, 1
    script = os.path.join(THEIRS, "laravel.php")

    def missing(self):
        autoload = "/usr/share/php/Illuminate/autoload.php"
        return "" if os.path.exists(autoload) and os.path.exists("/usr/bin/php") else autoload

    def produce(self, ground, what, jobs):
        ground.run(["/usr/bin/php", self.script, what, str(jobs)])

    def command(self, ground):
        return ["/usr/bin/php", self.script, "work"]

    def left(self, ground):
        return ground.client.ask("LLEN", "queues:bench") + ground.client.ask("ZCARD", "queues:bench:reserved")


class Rq(Contender):
    """One job at a time in each process, ten processes; each job in a fork of its own, as is its default."""

    processes, places = 10, 1
    script = os.path.join(THEIRS, "rq_jobs.py")

    def __init__(self, name, about, jobs, options=()):
        self.name, self.about, self.jobs, self.options = name, about, jobs, options

    def missing(self):
        return "" if os.path.exists("/usr/bin/rq") else "/usr/bin/rq"

    def produce(self, ground, what, jobs):
        ground.run([PYTHON, self.script, what, str(jobs)])

    def command(self, ground):
        return [PYTHON, "/usr/bin/rq", "worker", "--quiet", "--url", f"unix://{ground.socket}", "--path", THEIRS,
                *self.options, "bench"]

    def left(self, ground):
        # Between queue and registry a job is nowhere but in its own key, which goes when it is done.
        return ground.client.ask("LLEN", "rq:queue:bench") or len(ground.client.ask("KEYS", "rq:job:*"))


class BullMq(Contender):
    """One process, a hundred at once."""

    name = "BullMQ"
    about = "6.7 on Node 20, concurrency 100 in a process"
    jobs = 15_000
    processes, places = 1, 100
    script = os.path.join(THEIRS, "bullmq.js")

    def missing(self):
        folder = os.path.join(TOOLS, "bullmq", "node_modules", "bullmq")
        return "" if os.path.exists(folder) and os.path.exists("/usr/bin/node") else folder

    def environment(self):
        return {"NODE_PATH": os.path.join(TOOLS, "bullmq", "node_modules"), "NODE_ENV": "production"}

    def produce(self, ground, what, jobs):
        ground.run(["node", self.script, what, str(jobs)], **self.environment())

    def command(self, ground):
        return ["node", self.script, "work", str(self.places)]

    def idle_waiters(self):
        return 1  # one connection waits for all places

    def left(self, ground):
        return ground.client.ask("LLEN", "bull:bench:wait") + ground.client.ask("LLEN", "bull:bench:active")


MILLRACE = Millrace()
OTHERS = (
    Beanstalkd(),
    BullMq(),
    Sidekiq(),
    Laravel(),
    Rq("RQ", "1.13, a fork a job; 10 processes for latency and 50 ms jobs", 300),
    Rq("RQ without fork", "its SimpleWorker", 2_000, ("--worker-class", "rq.SimpleWorker")),
)
