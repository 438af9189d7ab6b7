"""The demo: jobs of every kind and temper in three tiers, workers killed meanwhile, and every job accounted for. Called by ops/demo."""

import collections
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

from demo_checks import (check_archive, check_attachments, check_audit, check_books, check_csvs, check_files_by_mail, check_months,
                         check_pdfs, check_record, check_subscriptions, leftovers)
from demo_parts import BUILD, PREFIX, Stage, fail
from demo_plan import EXACTLY_ONCE, amends, charges, plan
from demo_world import Evidence, fill_database, put_picture, write_files

KILLS = 11
KILLS_OF_CHARGES = 3  # of these, so many while charges run,
KILLS_OF_AMENDS = 2  # and so many while refunds do
KILLS_BEFORE_THE_MAIL_SERVER = 2
PATIENCE_S = 150


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
    print("  " + ", ".join(f"{len(share)} jobs by {name}" for name, _, share in shares))
    for thread in threads:
        thread.start()
    return threads


# ---- the run ----

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


def charges_of_invoices(stage, jobs, _seen):
    """The charges of what was issued, once all of it is; else None."""
    wanted = [job.uuid for job in jobs if job.want == "invoice"]
    issued = stage.sql("SELECT uuid, currency, total_minor FROM billing_invoices WHERE uuid NOT LIKE 'renew-%'")
    return list(charges(sorted(issued))) if len(issued) == len(wanted) else None


def amends_of_charges(_stage, jobs, seen):
    """Refunds and credit notes, once every charge has been answered."""
    charged = [job for job in jobs if job.job == "billing.charge"]
    if any(seen.outcome(job)[0] == "missing" for job in charged):
        return None
    return list(amends([(job.uuid, job.data) for job in charged if job.want == "charge"]))


# What can only be pushed when something else is done; and how many workers are killed by then.
WAVES = ((charges_of_invoices, "All invoices are issued: their charges follow.", KILLS_OF_CHARGES),
         (amends_of_charges, "All charges are answered: refunds and credit notes follow.", KILLS_OF_AMENDS))


def is_over(jobs, seen, threads):
    return (not any(thread.is_alive() for thread in threads) and seen.left == 0
            and all(seen.outcome(job)[0] != "missing" for job in jobs))


def run(stage, jobs):
    """Until nothing is ready, delayed or leased any more; kills workers on the way. Adds what follows to jobs. Returns the number of kills."""
    threads, waves = push_all(stage, jobs), list(WAVES)
    progress, kills, began = Progress(), 0, time.monotonic()
    next_kill = began + 0.4
    while time.monotonic() - began < PATIENCE_S:
        seen = Evidence(stage)
        settled = sum(1 for job in jobs if seen.outcome(job)[0] != "missing")
        progress.show(f"{settled:4} of {len(jobs)} jobs settled, {seen.left:4} waiting or running, "
                      f"{len(seen.dead):3} dead letters, {kills} workers killed")
        more = waves[0][0](stage, jobs, seen) if waves else None
        if more:
            progress.end()
            print(f"  {waves.pop(0)[1]}")
            threads += push_all(stage, more)
            jobs += more
            next_kill = time.monotonic() + 0.2
        allowed = KILLS - sum(wave[2] for wave in waves)
        if not more and kills == allowed and is_over(jobs, seen, threads):
            break  # with waves left: something was not done, which is told below
        if kills < allowed and time.monotonic() > next_kill:
            kills += kill_one(stage)
            if kills == KILLS_BEFORE_THE_MAIL_SERVER:
                stage.kill("smtp1")
                progress.end()
                print("  The first mail server is killed, too, and stays away: the second one gets its mails.")
            next_kill = time.monotonic() + (0.2 if len(waves) < len(WAVES) else 0.7)
        time.sleep(0.1)
    progress.end()
    return kills


# ---- the account ----

WORDS = {"mail": "mails received", "ledger": "ran", "sms": "messages sent", "invoice": "invoices issued",
         "charge": "charged", "renewal": "renewed all", "report": "reports written", "call": "calls answered", "missing": "MISSING",
         "repeated": "repeated (at least once)"}


def words(outcome):
    return WORDS.get(outcome, f"dead: {outcome}")


def table(jobs, seen):
    """Prints a row a kind of job; returns (the jobs that are not what they should be, repeats of what may repeat)."""
    rows = collections.defaultdict(collections.Counter)
    wrong, repeats = [], 0
    for job in jobs:
        outcome, times = seen.outcome(job)
        rows[job.row]["pushed"] += 1
        rows[job.row][outcome] += 1
        if (job.want, outcome) == ("exhausted", "crashed"):
            continue  # its worker was killed in its last attempt
        if outcome != job.want:
            wrong.append((job, outcome))
        elif times > 1 and outcome in EXACTLY_ONCE:
            wrong.append((job, f"{outcome} {times} times"))
        elif times > 1:
            repeats += times - 1
            rows[job.row]["repeated"] += times - 1
    print(f"\n  {'job':36} {'pushed':>6}  became")
    for row, count in sorted(rows.items()):
        became = ", ".join(f"{n} {words(name)}" for name, n in sorted(count.items()) if name != "pushed")
        print(f"  {row:36} {count['pushed']:6}  {became}")
    return wrong, repeats


def account(stage, jobs, kills):
    """Prints what became of the jobs, checked against what the world shows. True when all agree."""
    seen = Evidence(stage)
    wrong, repeats = table(jobs, seen)
    pdfs, bad_pdfs = check_pdfs(stage)
    csvs, bad_csvs = check_csvs(stage)
    faults = [f"{job.row} {job.uuid} in {job.queue}: wanted {job.want}, is {outcome} ({seen.reasons.get(job.uuid, '')})"
              for job, outcome in wrong]
    periods, bad_periods = check_subscriptions(stage, seen)
    carried, bad_mails = check_attachments(jobs, seen)
    told, bad_told = check_files_by_mail(stage, jobs, seen)
    forms, bad_forms = check_months(stage)
    archived, bad_archive = check_archive(stage)
    recorded, bad_record = check_record(stage, jobs)
    faults += bad_told + bad_forms + bad_archive + bad_record
    faults += check_books(stage, jobs) + check_audit(stage) + bad_pdfs + bad_csvs + bad_periods + bad_mails
    faults += [f"nobody asked for the effect of {uuid}" for uuid in seen.strangers(jobs)]
    faults += [f"left half-written: {name}" for name in leftovers(stage)]
    print(f"""
  {len(jobs)} jobs, {kills} workers killed with -9, {len(seen.dead)} dead letters, {seen.left} left over
  {sum(seen.seen['mail'].values())} mails and {sum(seen.seen['sms'].values())} messages received, {recorded} of these in the record; {repeats} jobs of the at-least-once kinds repeated
  {pdfs} invoices, numbered without a gap, their PDFs read; {sum(seen.seen['charge'].values())} charges, one for each key; {seen.replays} requests repeated under their key and done once
  {periods} periods of subscriptions invoiced, each once; {carried} mails with their files, byte for byte
  the ledger sums to 0 for every job, and workerctl billing audit agrees; {csvs} CSV files equal to the database
  {archived} old calls in the archive; {told} invoices and reports brought by mail; reports in other forms: {", ".join(f"{n} {form}" for form, n in sorted(forms.items()))}""")
    for fault in faults[:20]:
        print(f"  WRONG: {fault}")
    with open(os.path.join(stage.dir, "faults"), "w", encoding="utf-8") as file:
        file.writelines(f"{fault}\n" for fault in faults)
    good = not faults and seen.left == 0
    print("\nEvery job is accounted for." if good else "\nNOT every job is accounted for.")
    return good


def set_up(stage):
    stage.start_redis()
    stage.start_smtp()
    stage.start_web()
    stage.start_database()
    put_picture(stage)
    if stage.bucket:
        stage.start_bucket()
    write_files(stage)
    fill_database(stage)
    stage.start_dispatcher()


def main(argv):
    keep = "--keep" in argv
    stage = Stage(bucket="--s3" in argv)
    try:
        set_up(stage)
        print("\nThree tiers are serving: high (critical, high) 3, default 5, low (low, reports) 2 processes.")
        jobs = plan(stage.web_port)
        good = account(stage, jobs, run(stage, jobs))
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
  mariadb  mariadb --socket={stage.database_socket} --user=root shop, and {stage.replica_socket}
  mails    {stage.mails}
  requests {stage.requests}
  files    {stage.files}
  log      {os.path.join(stage.dir, 'millrace.log')}
  stop     kill {pids}; rm -r {stage.dir}""")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
