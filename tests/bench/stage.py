"""What a case stands on: a Redis of its own, workers alone or under a dispatcher, and what the kernel says of them."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build-bench")
PREFIX = "b_"
sys.path.insert(0, os.path.join(ROOT, "ops", "lib"))

from demo_parts import redis_server_command, wait_for  # noqa: E402


def built(*path):
    return os.path.join(BUILD, *path)


def key(queue, *more):
    return ":".join([PREFIX + "queues", queue, *more])


class Client:
    """A connection to Redis, one question at a time; small, because it runs beside what it measures."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def ask(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            bytes_ = str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(bytes_), bytes_))
        self.socket.sendall(b"".join(parts))
        return self.answer()

    def answer(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError("redis says: " + rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return None if rest == b"-1" else [self.answer() for _ in range(int(rest))]
        return rest.decode()

    def info(self, section):
        lines = self.ask("INFO", section).split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def close(self):
        self.file.close()
        self.socket.close()


# ---- what the kernel knows ----


def cpu_ns(pid):
    """What all threads of a process have used, in nanoseconds."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


def memory_kib(pid, name, file="status"):
    """A row of /proc/PID/status (VmRSS, VmHWM) or smaps_rollup (Pss)."""
    with open(f"/proc/{pid}/{file}", encoding="ascii") as lines:
        for line in lines:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise RuntimeError(f"/proc/{pid}/{file} has no {name}")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def free_memory_mib():
    with open("/proc/meminfo", encoding="ascii") as file:
        rows = dict(line.split(":", 1) for line in file)
    return int(rows["MemAvailable"].split()[0]) // 1024


# ---- the parts ----


class Stage:
    """One folder, one Redis, and the processes that were started for a case; stopped by their pids."""

    def __init__(self, redis_options=()):
        self.dir = tempfile.mkdtemp(prefix="millrace-bench-")
        self.socket = os.path.join(self.dir, "redis.sock")
        self.stamps = os.path.join(self.dir, "stamps")
        self.running = []
        self.redis = self.start("redis", redis_server_command(
            ["--port", "0", "--unixsocket", self.socket, "--dir", self.dir, "--save", "", *redis_options]))
        wait_for("redis", self.connect, 10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(list(self.running)):
            self.stop(process)
        self.client.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def connect(self):
        try:
            self.client = Client(self.socket)
            return self.client.ask("PING") == "PONG"
        except (OSError, RuntimeError):
            return False

    def start(self, name, command, **environment):
        log = os.path.join(self.dir, name + ".log")
        with open(log, "wb") as out:
            process = subprocess.Popen(**command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                       env={**os.environ, **environment}, start_new_session=True)
        process.log = log
        self.running.append(process)
        return process

    def stop(self, process):
        """Returns what it logged."""
        self.running.remove(process)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with open(process.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def configure(self, name, pools, more=""):
        path = os.path.join(self.dir, name + ".yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'redis: {{ url: "redis+unix://{self.socket}", prefix: {PREFIX} }}\n'
                       f"runtime_dir: {self.dir}/run\n"
                       f'modules: ["{built("tests", "bench", "bench.so")}"]\n'
                       f"debug_jobs: true\npools: {pools}\n{more}")
        return path

    def waiters(self):
        return self.client.ask("CLIENT", "LIST").count("cmd=blmove")

    def worker(self, name, pools, n_waiters, more=""):
        """A worker by hand, once n_waiters in all are waiting in Redis for a job."""
        process = self.start(name, {"args": [built("worker", "millrace-worker"), "--config",
                                             self.configure(name, pools, more)]}, MILLRACE_BENCH_STAMPS=self.stamps)
        wait_for(name, lambda: self.waiters() >= n_waiters, 20)
        return process

    def dispatcher(self, pools, n_waiters, more=""):
        process = self.start("dispatcher", {"args": [built("dispatcher", "millrace-dispatcher"), "--config",
                                                     self.configure("dispatcher", pools, more)]},
                             MILLRACE_BENCH_STAMPS=self.stamps)
        wait_for("the dispatcher's workers", lambda: self.waiters() >= n_waiters, 60)
        return process

    def metric(self, name):
        """The sum of a metric's samples, from the dispatcher."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.connect(os.path.join(self.dir, "run", "control.sock"))
            control.sendall(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            text = b"".join(iter(lambda: control.recv(65536), b"")).decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))

    def tool(self, name, *words):
        """Runs a program of tests/bench; gives what it says."""
        done = subprocess.run([built("tests", "bench", name), *map(str, words)], stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    def tool_beside(self, name, *words):
        return subprocess.Popen([built("tests", "bench", name), *map(str, words)], stdout=subprocess.PIPE)

    def load(self, list_, job, jobs, *words):
        return self.tool("bench-load", "--socket", self.socket, "--key", list_, "--job", job, "--jobs", jobs, *words)

    def fill(self, job, jobs, *words):
        """Puts jobs aside, so that pour() can give them all to a queue at one instant."""
        self.load(PREFIX + "aside", job, jobs, *words)

    def pour(self, queue):
        self.client.ask("RENAME", PREFIX + "aside", key(queue))

    def left_over(self, queue):
        """Keys that still hold jobs of the queue; none when all were settled."""
        keys = self.client.ask("KEYS", key(queue) + "*")
        idle = (":workers", ":reaped", ":paused")
        return [name for name in keys if not name.endswith(idle) and self.client.ask("TYPE", name) != "string"]

    def await_settled(self, queue, seconds=60):
        wait_for(f"the end of {queue}", lambda: not self.left_over(queue), seconds)


def jobs_run(log):
    """How many jobs a process's bench handlers ran, and the sum of their numbers."""
    ended = re.findall(r"bench\.ended.* jobs=(\d+) sum=(\d+)", log)
    return sum(int(jobs) for jobs, _ in ended), sum(int(sum_) for _, sum_ in ended)
