"""The demo: jobs of every temper in three tiers, workers killed meanwhile, and every job accounted for. Called by ops/demo."""

import collections
import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
import uuid as uuids

from demo_parts import BUILD, PREFIX, Stage, fail, wait_for

QUEUES = ("critical", "high", "default", "low", "reports")
KILLS = 6
PATIENCE_S = 150

CONFIG = """\
redis: {{ url: "redis+unix://{redis}", prefix: {prefix} }}
lease: 5s
grace: 10s
runtime_dir: {dir}/run
control: {{ socket: {control} }}
pools:
  high:    {{ queues: [critical, high], processes: 3, concurrency: 20, tries: 3, timeout: 20s, backoff: "200ms..2s" }}
  default: {{ queues: [default],        processes: 5, concurrency: 20, tries: 3, timeout: 20s, backoff: "200ms..2s" }}
  low:     {{ queues: [low, reports],   processes: 2, concurrency: 4,  tries: 3, timeout: 20s, backoff: "200ms..2s", nice: 10 }}
email: {{ url: "smtp://127.0.0.1:{smtp}", from: "Demo Shop <shop@example.org>", tls: off }}
debug_jobs: true
jobs:
  image.resize:  {{ handler: exec, command: [/bin/sh, {dir}/resize.sh], ok: [0], retry: [75] }}
  import.csv:    {{ handler: exec, command: [/usr/bin/python3, {dir}/import.py], ok: [0], retry: [75] }}
"""

# Both write one line a finished job: the demo's own evidence that it ran.
RESIZE = """\
#!/bin/sh
# A job in shell: reads its data, takes its time, and fails the first time if it is told to.
data=$(cat)
case $data in
*'"slow"'*) sleep 1 ;;
*'"flaky"'*) [ "$MILLRACE_ATTEMPT" -gt 1 ] || { echo 'the disk is busy' >&2; exit 75; } ;;
*'"broken"'*) echo 'no such image' >&2; exit 1 ;;
esac
echo "$MILLRACE_UUID" >>LEDGER
"""

IMPORT = """\
#!/usr/bin/python3
import json, os, sys
data = json.load(sys.stdin)
if data["mode"] == "flaky" and int(os.environ["MILLRACE_ATTEMPT"]) == 1:
    print("the file is not complete yet", file=sys.stderr)
    sys.exit(75)
if data["mode"] == "broken":
    sys.exit("row 7: no such customer")
with open("LEDGER", "a") as ledger:
    ledger.write(os.environ["MILLRACE_UUID"] + "\\n")
"""


class Job:
    """One job as it is pushed, what should become of it, and under which row it is counted."""

    def __init__(self, row, queue, job, data, want, delay_s=0, raw=None):
        self.uuid = str(uuids.uuid4())
        self.row, self.queue, self.job, self.data = row, queue, job, data
        self.want = want  # "mail", "ledger" or a class of dead letters
        self.delay_s = delay_s
        self.raw = raw

    def payload(self):
        if self.raw is not None:
            return self.raw
        return json.dumps({"uuid": self.uuid, "job": self.job, "data": self.data, "attempts": 0,
                           "pushedAt": time.time()})


def mail(local, number):
    return {"to": f"{local}{number}@example.org", "subject": f"Your booking {number} – bestätigt",
            "text": f"Dear guest {number},\nyour booking is confirmed.\n"}


def plan():
    """Some hundred jobs of every temper over all queues."""
    jobs, tiers = [], QUEUES
    for n in range(200):
        jobs.append(Job("email.send", tiers[n % 5], "email.send", mail("guest", n), "mail"))
    for n in range(20):
        jobs.append(Job("email.send, deferred once", tiers[n % 5], "email.send", mail("defer1-guest", n), "mail"))
        jobs.append(Job("email.send, delayed 2 s", tiers[n % 5], "email.send", mail("later", n), "mail", delay_s=2))
    for n in range(10):
        jobs.append(Job("email.send, no such user", "default", "email.send", mail("reject", n), "failed"))
        jobs.append(Job("email.send, header forged", "high", "email.send",
                        {**mail("guest", n), "subject": "x\r\nBcc: all@example.org"}, "failed"))
        jobs.append(Job("email.send, always deferred", "low", "email.send", mail("defer-", n), "exhausted"))
    for n in range(30):
        for job, queue in (("image.resize", "default"), ("import.csv", "reports")):
            mode = ["plain", "plain", "slow", "flaky", "broken"][n % 5]
            if job == "import.csv" and mode == "slow":
                mode = "plain"
            want = "failed" if mode == "broken" else "ledger"
            jobs.append(Job(f"{job}, {mode}", queue, job, {"mode": mode, "number": n}, want))
    for n in range(2):
        jobs.append(Job("debug.crash (poison)", "default", "debug.crash", {}, "crashed"))
    jobs.append(Job("no.such.job", "high", "no.such.job", {}, "no_handler"))
    jobs.append(Job("not JSON", "high", None, None, "refused", raw="{\"job\": \"email.send\", oops"))
    jobs.append(Job("no job named", "low", None, None, "refused", raw="{\"data\": 1}"))
    random.shuffle(jobs)
    return jobs


# ---- three ways of pushing ----

def push_with_redis_cli(stage, jobs):
    for job in jobs:
        key = f"{PREFIX}queues:{job.queue}"
        if job.delay_s:
            stage.redis(["ZADD", key + ":delayed", str(time.time() + job.delay_s), job.payload()])
        else:
            stage.redis(["RPUSH", key, job.payload()])


def push_with_workerctl(stage, jobs):
    for job in jobs:
        words = ["push", job.queue, job.job, json.dumps(job.data), "--uuid", job.uuid]
        if job.delay_s:
            words += ["--delay", f"{job.delay_s}s"]
        stage.ctl(words)


def push_with_c(stage, jobs):
    """The C program reads a line a job: queue, name, uuid, delay, data."""
    lines = "".join(f"{j.queue}\t{j.job}\t{j.uuid}\t{j.delay_s}\t{json.dumps(j.data)}\n" for j in jobs)
    done = subprocess.run([os.path.join(BUILD, "ops", "demo-push"), f"redis+unix://{stage.redis_socket}", PREFIX],
                          input=lines, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"demo-push: {done.stderr.strip()}")


def push_all(stage, jobs):
    raw = [job for job in jobs if job.raw is not None]
    rest = [job for job in jobs if job.raw is None]
    shares = (("redis-cli RPUSH", push_with_redis_cli, rest[0::3] + raw),
              ("workerctl push", push_with_workerctl, rest[1::3]),
              ("libmillrace, from C", push_with_c, rest[2::3]))
    threads = [threading.Thread(target=push, args=(stage, share)) for _, push, share in shares]
    for name, _, share in shares:
        print(f"  {len(share):4} jobs by {name}")
    for thread in threads:
        thread.start()
    return threads


# ---- what the world shows ----

def read_lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [line for line in file.read().split("\n") if line]


class Evidence:
    """What the SMTP server received, what the programs wrote down, what Redis holds."""

    def __init__(self, stage):
        self.mails = collections.Counter(json.loads(line)["uuid"] for line in read_lines(stage.mails))
        self.ledger = collections.Counter(read_lines(stage.ledger))
        self.dead = {}
        self.raw_dead = collections.Counter()
        keys = [f"{PREFIX}queues:{queue}" for queue in QUEUES]
        # Lease names of dead workers stay closed for a day, by a string; only lists hold jobs.
        *counts, leases = stage.look(*(f"LLEN {key}" for key in keys), *(f"ZCARD {key}:delayed" for key in keys),
                                     f"SCAN 0 MATCH {PREFIX}queues:*:lease:* COUNT 100000 TYPE list")
        self.left = sum(counts) + len(leases[1])
        for letters in stage.look(*(f"HGETALL {key}:dead:jobs" for key in keys)):
            self.read_letters(letters)

    def read_letters(self, letters):
        for field, value in letters.items():
            if field.endswith(":meta"):
                record = json.loads(value)
                payload = letters[field[:-len(":meta")]]
                if record["class"] == "refused":
                    self.raw_dead[payload] += 1
                self.dead[record["uuid"] or record["id"]] = record["class"]

    def outcome(self, job):
        """Where the job is, and how often its effect is to be seen."""
        if job.raw is not None:
            return ("refused", 1) if self.raw_dead[job.raw] else ("missing", 0)
        if job.uuid in self.dead:
            return self.dead[job.uuid], 1
        seen = self.mails[job.uuid] + self.ledger[job.uuid]
        if seen:
            return job.want if job.want in ("mail", "ledger") else "ran", seen
        return "missing", 0


# ---- the run ----

def write_files(stage):
    for name, text in (("resize.sh", RESIZE), ("import.py", IMPORT)):
        path = os.path.join(stage.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("LEDGER", stage.ledger))
        os.chmod(path, stat.S_IRWXU)
    with open(stage.config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(redis=stage.redis_socket, prefix=PREFIX, dir=stage.dir,
                                 control=stage.control_socket, smtp=stage.smtp_port))


def kill_one(stage):
    pids = stage.worker_pids()
    if pids:
        os.kill(random.choice(pids), signal.SIGKILL)
        return 1
    return 0


class Progress:
    """One line that changes on a terminal, a plain line now and then elsewhere."""

    def __init__(self):
        self.live = sys.stdout.isatty()
        self.said_at = 0

    def show(self, text):
        if self.live:
            print(f"\r\x1b[K  {text}", end="", flush=True)
        elif time.monotonic() - self.said_at > 2:
            self.said_at = time.monotonic()
            print(f"  {text}", flush=True)

    def end(self):
        if self.live:
            print()


def run(stage, jobs):
    """Until nothing is ready, delayed or leased any more; kills workers on the way. Returns the number of kills."""
    threads = push_all(stage, jobs)
    progress, kills, began = Progress(), 0, time.monotonic()
    next_kill = began + 0.4
    while True:
        seen = Evidence(stage)
        settled = sum(1 for job in jobs if seen.outcome(job)[0] != "missing")
        progress.show(f"{settled:4} of {len(jobs)} jobs settled, {seen.left:4} waiting or running, "
                      f"{len(seen.dead):3} dead letters, {kills} workers killed")
        if not any(t.is_alive() for t in threads) and seen.left == 0 and settled == len(jobs) and kills == KILLS:
            break
        if time.monotonic() - began > PATIENCE_S:
            break
        if kills < KILLS and time.monotonic() > next_kill:
            kills += kill_one(stage)
            next_kill = time.monotonic() + 0.5
        time.sleep(0.1)
    progress.end()
    return kills


def table(jobs, seen):
    """Prints row by row what was pushed and what became of it; returns the jobs that are not where they belong."""
    rows, wrong, repeats = collections.OrderedDict(), [], 0
    for job in sorted(jobs, key=lambda job: job.row):
        outcome, times = seen.outcome(job)
        count = rows.setdefault(job.row, collections.Counter())
        count["pushed"] += 1
        count[outcome] += 1
        if times > 1:
            repeats += times - 1
            count["repeated"] += times - 1
        if outcome != job.want:
            wrong.append((job, outcome))
    print(f"\n  {'job':32} {'pushed':>6}  became")
    for row, count in rows.items():
        became = ", ".join(f"{n} {words(name)}" for name, n in sorted(count.items()) if name != "pushed")
        print(f"  {row:32} {count['pushed']:6}  {became}")
    return wrong, repeats


def words(outcome):
    return {"mail": "mails received", "ledger": "ran", "missing": "MISSING", "repeated": "repeated (at least once)"}.get(
        outcome, f"dead: {outcome}")


def main(argv):
    keep = "--keep" in argv
    stage = Stage()
    try:
        stage.start_redis()
        stage.start_smtp()
        write_files(stage)
        stage.start_dispatcher()
        print("\nThree tiers are serving: high (critical, high) 3, default 5, low (low, reports) 2 processes.")
        jobs = plan()
        kills = run(stage, jobs)
        seen = Evidence(stage)
        wrong, repeats = table(jobs, seen)
        strangers = set(seen.mails) - {job.uuid for job in jobs}
        print(f"\n  {len(jobs)} jobs, {kills} workers killed with -9, {sum(seen.mails.values())} mails received, "
              f"{len(seen.dead)} dead letters, {repeats} repeated, {seen.left} left over")
        good = not wrong and not strangers and seen.left == 0
        for job, outcome in wrong[:20]:
            print(f"  WRONG: {job.row} {job.uuid} in {job.queue}: wanted {job.want}, is {outcome}")
        print("\nEvery job is accounted for." if good else "\nNOT every job is accounted for.")
        if keep:
            say_how_to_reach(stage)
            return 0 if good else 1
        stage.stop()
        if good:
            stage.remove()
        else:
            print(f"What was written is in {stage.dir}")
        return 0 if good else 1
    except (RuntimeError, OSError, KeyboardInterrupt) as error:
        fail(stage, error or "interrupted")
        stage.stop()
        return 1


def say_how_to_reach(stage):
    pids = " ".join(str(process.pid) for _, process in stage.running)
    print(f"""
Everything keeps running.
  status   {os.path.join(BUILD, 'ops', 'workerctl')} --socket {stage.control_socket} status
  redis    redis-cli -s {stage.redis_socket}
  mails    {stage.mails}
  log      {os.path.join(stage.dir, 'millrace.log')}
  stop     kill {pids}; rm -r {stage.dir}""")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
