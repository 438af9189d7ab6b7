"""Rows a second of a report to CSV, from MariaDB to the disk, beside the database's own client that dumps the same query to a file."""

import os
import subprocess
import time

import demo_parts
from drains import QUEUE
from figures import Figure, ratios
from stage import Stage, built, wait_for

POOLS = "{ bench: { queues: [bench], concurrency: 2, timeout: 10m } }"
COLUMNS = "id, country, city, day, total, note"
DEFINITION = f"""\
sql: SELECT {COLUMNS} FROM sales ORDER BY id
max_rows: 1000000000
max_size: 1TiB
timeout: 10m
columns:
  id:      {{ type: integer }}
  country: {{}}
  city:    {{}}
  day:     {{ type: date }}
  total:   {{ type: decimal }}
  note:    {{}}
"""


class Desk:
    """A MariaDB with a table of sales, a folder with one definition, and one for files."""

    def __init__(self, stage, rows):
        self.rows = rows
        self.parts = demo_parts.Stage()
        self.parts.start_database()
        self.files = os.path.join(stage.dir, "files")
        definitions = os.path.join(stage.dir, "definitions")
        os.mkdir(definitions)
        with open(os.path.join(definitions, "sales.yaml"), "w", encoding="ascii") as file:
            file.write(DEFINITION)
        self.parts.sql("CREATE TABLE sales (id BIGINT PRIMARY KEY, country VARCHAR(20), city VARCHAR(40), day DATE, "
                       "total DECIMAL(12,2), note VARCHAR(100)) CHARSET utf8mb4;"
                       "INSERT INTO sales SELECT seq, ELT(1 + seq % 3, 'Germany', 'Israel', 'Poland'), CONCAT('City ', seq % 997), "
                       f"'2026-01-01' + INTERVAL seq % 365 DAY, seq / 7, REPEAT('x', seq % 60) FROM seq_1_to_{rows}")
        self.more = (f'mysql: {{ socket: "{self.parts.database_socket}", database: {demo_parts.DATABASE}, user: root, password: "" }}\n'
                     f'storage: {{ path: "{self.files}" }}\nreports: {{ dir: "{definitions}" }}\n')
        subprocess.run([built("ops", "workerctl"), "-c", stage.configure("migrate", POOLS, self.more), "db", "migrate"],
                       stdout=subprocess.DEVNULL, check=True)

    def expect(self, path, head):
        """Fails unless the file has a line for each row, and one of titles."""
        lines = int(subprocess.run(["wc", "-l", path], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[0])
        if lines != self.rows + head:
            raise RuntimeError(f"{path} has {lines} lines, not {self.rows + head}")
        os.unlink(path)


def from_worker(stage, desk):
    worker = stage.worker("worker", POOLS, 1, desk.more)
    stage.fill("report.generate", 1, "--data", '"report":"sales"')
    began = time.monotonic()
    stage.pour(QUEUE)
    wait_for("the report", lambda: not stage.left_over(QUEUE), 300)
    rate = desk.rows / (time.monotonic() - began)
    stage.stop(worker)
    folder = os.path.join(desk.files, "reports")
    [name] = os.listdir(folder)
    desk.expect(os.path.join(folder, name), 1)
    stage.client.ask("FLUSHALL")
    return rate


def from_client(stage, desk):
    """--quick: row by row, as ours; it syncs nothing."""
    path = os.path.join(stage.dir, "dump.tsv")
    began = time.monotonic()
    with open(path, "wb") as file:
        subprocess.run(["mariadb", "--no-defaults", "--user=root", f"--socket={desk.parts.database_socket}", "--quick", "--batch",
                        "--skip-column-names", "-e", f"SELECT {COLUMNS} FROM sales ORDER BY id", demo_parts.DATABASE],
                       stdout=file, check=True)
    rate = desk.rows / (time.monotonic() - began)
    desk.expect(path, 0)
    return rate


def reports(bench):
    """a report of 6 columns to CSV, checked by type, summed and synced"""
    with Stage() as stage:
        desk = Desk(stage, bench.size(1_000_000, 200_000))
        try:
            ours, bare = bench.in_turns(lambda: from_worker(stage, desk), lambda: from_client(stage, desk))
        finally:
            desk.parts.stop()
            desk.parts.remove()
    return [Figure("rows of a report", ours, "rows/s"),
            ratios("a report / the mariadb client's dump of the same query", ours, bare, (">=", 0.7), "rows/s")]
