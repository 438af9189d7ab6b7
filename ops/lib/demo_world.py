"""The demo's world: its configuration, programs, database and report; and what that world shows when the jobs are done."""

import collections
import csv
import json
import os
import re
import stat
import subprocess

from demo_parts import ACCOUNT, DATABASE, KEY, PREFIX, TOKEN
from demo_plan import QUEUES

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
sms: {{ url: "http://127.0.0.1:{web}", account: {account}, token: {token}, from: "+4930901820", whatsapp_from: "+4930901820" }}
payment: {{ url: "http://127.0.0.1:{web}", key: {key}, timeout: 3s }}
http: {{ allow: [127.0.0.1], timeout: 3s }}
mysql: {{ socket: {mysql}, database: {database}, user: root }}
billing: {{ seller: "Demo Shop, Water Street 1, 10115 Berlin" }}
storage: {{ path: {files} }}
reports: {{ dir: {reports} }}
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

REPORT = """\
title: Bookings
sql: |
  SELECT id, guest, nights, price, booked_on, note FROM bookings
  WHERE booked_on BETWEEN :from AND :to ORDER BY id
params:
  from: { type: date }
  to:   { type: date }
columns:
  id:        { title: Booking, type: integer }
  guest:     { title: Guest }
  nights:    { title: Nights,  type: integer }
  price:     { title: Price,   type: decimal }
  booked_on: { title: Booked,  type: date }
  note:      { title: Note }
"""

# Notes that a spreadsheet would take for formulas, and that a careless writer would break lines with.
DATABASE_ROWS = """\
INSERT INTO billing_customers (id, name, email, address)
SELECT CONCAT('guest-', seq), CONCAT('Gast Nº ', seq, ' & Söhne'), CONCAT('guest', seq, '@example.org'), 'Seestraße 1\\n8002 Zürich'
FROM seq_0_to_9;
CREATE TABLE bookings (id INT PRIMARY KEY, guest VARCHAR(100), nights INT, price DECIMAL(10, 2), booked_on DATE, note TEXT)
CHARACTER SET utf8mb4;
INSERT INTO bookings
SELECT seq, CONCAT('Zoë ', seq), seq % 14, seq * 1.25 - 100, '2026-01-01' + INTERVAL seq % 120 DAY,
       ELT(1 + seq % 4, 'late, "very" late', '=1+1', NULL, 'two\\nlines')
FROM seq_1_to_20000;
"""


def write_files(stage):
    os.mkdir(stage.reports)
    for path, text in (("resize.sh", RESIZE), ("import.py", IMPORT), ("reports/bookings.yaml", REPORT)):
        path = os.path.join(stage.dir, path)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("LEDGER", stage.ledger))
        os.chmod(path, stat.S_IRWXU)
    with open(stage.config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(redis=stage.redis_socket, prefix=PREFIX, dir=stage.dir, control=stage.control_socket,
                                 smtp=stage.smtp_port, web=stage.web_port, account=ACCOUNT, token=TOKEN, key=KEY,
                                 mysql=stage.database_socket, database=DATABASE, files=stage.files,
                                 reports=stage.reports))


def fill_database(stage):
    stage.ctl(["--config", stage.config, "db", "migrate"])
    stage.sql(DATABASE_ROWS)


def read_lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [line for line in file.read().split("\n") if line]


class Evidence:
    """What the mail and web servers received, what the programs wrote down, what MariaDB and Redis hold."""

    def __init__(self, stage):
        self.stage = stage
        self.seen = {kind: collections.Counter() for kind in ("mail", "ledger", "sms", "charge", "call", "invoice", "report")}
        self.seen["mail"].update(json.loads(line)["uuid"] for line in read_lines(stage.mails))
        self.seen["ledger"].update(read_lines(stage.ledger))
        self.replays = 0
        self.read_requests()
        self.seen["invoice"].update(uuid for uuid, in stage.sql("SELECT uuid FROM billing_invoices"))
        self.seen["report"].update(uuid for uuid, in stage.sql("SELECT uuid FROM report_runs WHERE state = 'done'"))
        self.dead, self.reasons = {}, {}
        self.raw_dead = collections.Counter()
        keys = [f"{PREFIX}queues:{queue}" for queue in QUEUES]
        # Lease names of dead workers stay closed for a day, by a string; only lists hold jobs.
        *counts, leases = stage.look(*(f"LLEN {key}" for key in keys), *(f"ZCARD {key}:delayed" for key in keys),
                                     f"SCAN 0 MATCH {PREFIX}queues:*:lease:* COUNT 100000 TYPE list")
        self.left = sum(counts) + len(leases[1])
        for letters in stage.look(*(f"HGETALL {key}:dead:jobs" for key in keys)):
            self.read_letters(letters)

    def read_requests(self):
        """Only what was really done counts as done; that a request came again is told apart."""
        kinds = {"message": "sms", "charge": "charge", "plain": "call"}
        for line in read_lines(self.stage.requests):
            request = json.loads(line)
            if request["effect"] is True and request["kind"] in kinds:
                self.seen[kinds[request["kind"]]][request["key"]] += 1
            self.replays += request["effect"] == "replay"

    def read_letters(self, letters):
        for field, value in letters.items():
            if field.endswith(":meta"):
                record = json.loads(value)
                payload = letters[field[:-len(":meta")]]
                if record["class"] == "refused":
                    self.raw_dead[payload] += 1
                name = record["uuid"] or record["id"]
                self.dead[name], self.reasons[name] = record["class"], record["reason"]

    def outcome(self, job):
        """Where the job is, and how often its effect is to be seen."""
        if job.raw is not None:
            return ("refused", 1) if self.raw_dead[job.raw] else ("missing", 0)
        if job.uuid in self.dead:
            effects = sum(seen[job.uuid] for seen in self.seen.values())
            return self.dead[job.uuid] if effects == 0 else "dead, and yet done", 1
        for kind, seen in self.seen.items():
            if seen[job.uuid]:
                return kind, seen[job.uuid]
        return "missing", 0

    def strangers(self, jobs):
        """Effects that no job of ours asked for."""
        ours = {job.uuid for job in jobs}
        return [uuid for seen in self.seen.values() for uuid in seen if uuid not in ours]


# ---- the books, and the files ----

def check_books(stage, jobs):
    """Everything wrong with the billing tables, each as a line for a person; empty when the books are right."""
    wrong = []
    for series, last, count, highest, lowest in stage.sql(
            "SELECT s.name, s.last_number, COUNT(i.uuid), MAX(i.number), MIN(i.number) FROM billing_series s "
            "LEFT JOIN billing_invoices i ON i.series = s.name GROUP BY s.name, s.last_number"):
        if not int(count) == int(last) == int(highest) or int(lowest) != 1:
            wrong.append(f"series {series}: {count} invoices numbered {lowest} to {highest}, last number {last}")
    for uuid, currency, total in stage.sql(
            "SELECT uuid, currency, SUM(amount_minor) FROM billing_ledger GROUP BY uuid, currency HAVING SUM(amount_minor) <> 0"):
        wrong.append(f"ledger of {uuid}: sums to {total} {currency}")
    states = dict(stage.sql("SELECT uuid, state FROM billing_charges"))
    for job in (job for job in jobs if job.job == "billing.charge"):
        want = "ok" if job.want == "charge" else "refused"
        if states.get(job.uuid) != want:
            wrong.append(f"charge {job.uuid}: {states.get(job.uuid)} in the books, not {want}")
    open_minor = stage.sql("SELECT COALESCE(SUM(amount_minor), 0) FROM billing_ledger WHERE account = 'cash'")[0][0]
    charged = sum(job.data["amount_minor"] for job in jobs if job.want == "charge")
    if int(open_minor) != charged:
        wrong.append(f"cash: {open_minor} in the ledger, {charged} charged")
    return wrong


def check_pdfs(stage):
    """Opens every invoice: it must tell its number."""
    wrong, good = [], 0
    for series, number, key in stage.sql("SELECT series, number, pdf_key FROM billing_invoices"):
        path = os.path.join(stage.files, key or "(none)")
        done = subprocess.run(["pdftotext", "-layout", path, "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
        if done.returncode != 0:
            wrong.append(f"invoice {series} {number}: {done.stderr.strip()}")
        elif not re.search(rf"{series}-0*{number}\b", done.stdout):
            wrong.append(f"invoice {series} {number}: {path} does not tell its number")
        else:
            good += 1
    return good, wrong


def check_csvs(stage):
    """Opens every report: each row as the database has it."""
    want = [[*row[:5], row[5] or ""] for row in stage.sql(
        "SELECT id, guest, nights, price, booked_on, REPLACE(note, '\n', '|') FROM bookings "
        "WHERE booked_on BETWEEN '2026-02-01' AND '2026-03-31' ORDER BY id")]
    wrong, good = [], 0
    for uuid, rows, size, place in stage.sql("SELECT uuid, row_count, bytes, place FROM report_runs WHERE state = 'done'"):
        path = os.path.join(stage.files, place)
        with open(path, encoding="utf-8", newline="") as file:
            head, *got = list(csv.reader(file))
        # A quote stands before what a spreadsheet would run.
        got = [[*row[:5], row[5].removeprefix("'").replace("\n", "|")] for row in got]
        if head != ["Booking", "Guest", "Nights", "Price", "Booked", "Note"] or got != want:
            wrong.append(f"report {uuid}: {path} is not what the database holds")
        elif int(rows) != len(got) or int(size) != os.path.getsize(path):
            wrong.append(f"report {uuid}: {rows} rows and {size} bytes recorded, not so in {path}")
        else:
            good += 1
    return good, wrong


def leftovers(stage):
    """Files that are neither an invoice nor a report: something was left half-written."""
    kept = {key for key, in stage.sql("SELECT pdf_key FROM billing_invoices UNION SELECT place FROM report_runs WHERE place IS NOT NULL")}
    found = {os.path.relpath(os.path.join(folder, name), stage.files)
             for folder, _, names in os.walk(stage.files) for name in names}
    return sorted(found - kept)

