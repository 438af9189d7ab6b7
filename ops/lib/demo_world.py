"""The demo's world: its configuration, programs, database and report; and what that world shows when the jobs are done."""

import collections
import json
import os
import stat
import time

from demo_parts import ACCOUNT, BUCKET, DATABASE, KEY, PREFIX, S3_KEY, S3_SECRET, TOKEN, free_port
from demo_plan import LOGO, QUEUES, RENEWAL

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
email:
  url: "smtp://127.0.0.1:{smtp[0]}"
  relays: {{ spare: {{ url: "smtp://127.0.0.1:{smtp[1]}", tls: off }} }}
  from: "Demo Shop <shop@example.org>"
  tls: off
  again: 1s
sms:
  url: "http://127.0.0.1:{web}"
  account: {account}
  token: {token}
  from: "+4930901820"
  whatsapp_from: "+4930901820"
  order: [away, default]
  providers:
    away: {{ kind: http, url: "http://127.0.0.1:{nobody}/send", body: '{{"to":"{{{{to}}}}","text":"{{{{text}}}}"}}', ok_when: status=0, from: Shop }}
  record: true
  secret: "the key of the numbers in the record"
payment: {{ url: "http://127.0.0.1:{web}", key: {key}, timeout: 3s }}
http: {{ allow: [127.0.0.1], timeout: 3s }}
mysql: {{ socket: {mysql}, read_hosts: [{replica}], database: {database}, user: root }}
billing: {{ seller: "Demo Shop, Water Street 1, 10115 Berlin", dunning_mail: dunning, due: 14d, timezone: Europe/Berlin }}
templates: {{ dir: {templates} }}
storage: {storage}
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

MONTHS = """\
title: Turnover by month
sql: |
  SELECT nights, DATE_FORMAT(booked_on, '%Y-%m') AS month, COUNT(*) AS bookings, CAST(SUM(price * 100) AS SIGNED) AS cents
  FROM bookings WHERE nights BETWEEN 1 AND 4 GROUP BY nights, month ORDER BY nights, month
format: [csv, jsonl, xlsx, pdf]
columns:
  nights:   { title: Nights, type: integer }
  month:    { title: Month }
  bookings: { title: Bookings, type: integer, total: sum }
  cents:    { title: EUR, type: integer, minor: 2, thousands: ",", total: sum }
groups: [nights]
charts:
  months: { type: bar, title: Bookings by length, x: nights, y: bookings }
  share:  { type: pie, title: Turnover, x: nights, y: cents }
"""

OLD_CALLS = """\
title: Calls older than a year
archive: { from: calls, to: calls_archive, column: created_at, older_than: 365d, batch: 500, pause: 10ms, create: true }
"""

TEMPLATES = {
    "invoice.subject.mustache": "Your invoice {{number}}",
    "invoice.text.mustache": "Dear {{customer.name}},\nplease find attached {{number}} of {{total}}, due on {{due}}.\n",
    "dunning.subject.mustache": "Your card was refused for {{invoice}}",
    "dunning.text.mustache": "Dear {{name}},\nwe could not charge {{amount}} for {{subscription}}. We try again on {{next_on}}.\n",
}

# The smallest picture there is.
PICTURE = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082")

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
CREATE TABLE calls (id INT PRIMARY KEY, caller VARCHAR(30), created_at DATETIME, KEY created_at (created_at)) CHARACTER SET utf8mb4;
INSERT INTO calls SELECT seq, CONCAT('+49170', seq), UTC_TIMESTAMP() - INTERVAL seq HOUR FROM seq_1_to_12000;
INSERT INTO billing_subscriptions (id, customer, currency, source, period_unit, anchor, period_end)
SELECT CONCAT('club-', seq), CONCAT('guest-', seq % 10), ELT(1 + seq % 3, 'EUR', 'JPY', 'KWD'),
       IF(seq % 5 = 4, 'pm_card_declined', 'pm_card_visa'), 'month', CURDATE() - INTERVAL 40 DAY, CURDATE() - INTERVAL 40 DAY
FROM seq_0_to_14;
INSERT INTO billing_subscription_items (subscription, line_no, text, quantity, unit_minor, tax_bp)
SELECT CONCAT('club-', seq), 1, 'Club membership', 1, 990 + seq, 1900 FROM seq_0_to_14;
"""


def storage_of(stage):
    if not stage.bucket:
        return f"{{ path: {stage.files} }}"
    return (f"{{ kind: s3, s3: {{ bucket: {BUCKET}, key: {S3_KEY}, secret: {S3_SECRET}, region: eu-central-1, path_style: true, spool: {stage.dir}, "
            f'endpoint: "http://127.0.0.1:{stage.s3_port}" }} }}')


def put_picture(stage):
    """What the shop has in its storage before anything runs."""
    os.makedirs(os.path.dirname(stage.file(LOGO)))
    with open(stage.file(LOGO), "wb") as file:
        file.write(PICTURE)


def write_files(stage):
    for folder in (stage.reports, stage.templates):
        os.makedirs(folder)
    for name, text in TEMPLATES.items():
        with open(os.path.join(stage.templates, name), "w", encoding="utf-8") as file:
            file.write(text)
    for path, text in (("resize.sh", RESIZE), ("import.py", IMPORT), ("reports/bookings.yaml", REPORT),
                       ("reports/months.yaml", MONTHS), ("reports/old_calls.yaml", OLD_CALLS)):
        path = os.path.join(stage.dir, path)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("LEDGER", stage.ledger))
        os.chmod(path, stat.S_IRWXU)
    with open(stage.config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(redis=stage.redis_socket, prefix=PREFIX, dir=stage.dir, control=stage.control_socket,
                                 smtp=stage.smtp_ports, web=stage.web_port, nobody=free_port(), account=ACCOUNT, token=TOKEN, key=KEY,
                                 mysql=stage.database_socket, replica=stage.replica_socket, database=DATABASE,
                                 storage=storage_of(stage), reports=stage.reports, templates=stage.templates))


def fill_database(stage):
    stage.ctl(["--config", stage.config, "db", "migrate"])
    stage.sql(DATABASE_ROWS)
    stage.await_replica()


def read_lines(path):
    """Those that are whole: somebody may be writing another."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [line for line in file.read().split("\n")[:-1] if line]


CHILDREN = ("renew-", "dun-")  # names of the jobs that a renewal pushes, and of those that these push


class Evidence:
    """What the mail and web servers received, what the programs wrote down, what MariaDB and Redis hold."""

    def __init__(self, stage):
        self.stage = stage
        self.seen = {kind: collections.Counter() for kind in ("mail", "ledger", "sms", "charge", "call", "invoice", "credit", "refund", "renewal",
                                                       "report")}
        self.mails = [json.loads(line) for line in read_lines(stage.mails)]
        self.count_mails()
        self.seen["ledger"].update(read_lines(stage.ledger))
        self.replays = 0
        self.read_requests()
        self.seen["invoice"].update(uuid for uuid, in stage.sql(
            "SELECT uuid FROM billing_invoices WHERE uuid NOT IN (SELECT uuid FROM billing_credits)"))
        self.seen["credit"].update(uuid for uuid, in stage.sql("SELECT uuid FROM billing_credits"))
        self.seen["report"].update(uuid for uuid, in stage.sql("SELECT uuid FROM report_runs WHERE state = 'done'"))
        due = stage.sql("SELECT COUNT(*) FROM billing_subscriptions WHERE period_end <= CURDATE()")[0][0]
        self.seen["renewal"][RENEWAL] = int(due == "0")
        self.dead, self.reasons = {}, {}
        self.raw_dead = collections.Counter()
        keys = [f"{PREFIX}queues:{queue}" for queue in QUEUES]
        # A refused card of a subscription is asked again in days: that job may wait.
        soon = int(time.time()) + 3600
        # All in one: a job that is given back while they are counted would be on none of them.
        # Lease names of dead workers stay closed for a day, by a string; only lists hold jobs.
        *counts, leases = stage.look_at_once(*(f"LLEN {key}" for key in keys), *(f"ZCOUNT {key}:delayed -inf {soon}" for key in keys),
                                     f"SCAN 0 MATCH {PREFIX}queues:*:lease:* COUNT 100000 TYPE list")
        self.left = sum(counts) + len(leases[1])
        for letters in stage.look(*(f"HGETALL {key}:dead:jobs" for key in keys)):
            self.read_letters(letters)

    def read_requests(self):
        """Only what was really done counts as done; that a request came again is told apart."""
        kinds = {"message": "sms", "charge": "charge", "refund": "refund", "plain": "call"}
        for line in read_lines(self.stage.requests):
            request = json.loads(line)
            if request["effect"] is True and request["kind"] in kinds:
                self.seen[kinds[request["kind"]]][request["key"]] += 1
            self.replays += request["effect"] == "replay"

    def count_mails(self):
        """One recipient may have a mail more often than others: that often it was sent."""
        got = collections.Counter((mail["uuid"], to) for mail in self.mails for to in mail["to"])
        for (uuid, _), times in got.items():
            self.seen["mail"][uuid] = max(times, self.seen["mail"][uuid])

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
        return [uuid for seen in self.seen.values() for uuid in seen
                if uuid not in ours and not uuid.startswith(CHILDREN) and uuid.rpartition(".")[0] not in ours]
