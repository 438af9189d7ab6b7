"""Invoices a second: a worker's, numbered, booked and drawn, beside a bare program that runs the same statements and draws the same page."""

import os
import shutil
import subprocess
import time

import demo_parts
from drains import QUEUE
from figures import Figure, ratios
from stage import Stage, built, wait_for

THREADS = 4
POOLS = f"{{ bench: {{ queues: [bench], concurrency: {THREADS}, threads: {THREADS} }} }}"
LINE = '{"text":"Flour, fine, a sack","quantity":1,"unit_minor":1000,"tax_bp":1900}'
DATA = f'"customer":"ann","currency":"EUR","lines":[{LINE},{LINE},{LINE}]'


class Shop:
    """A MariaDB with the product's tables, made anew for each turn, and a folder for the papers."""

    def __init__(self, stage):
        self.stage = stage
        self.parts = demo_parts.Stage()
        self.parts.start_database()
        self.database, self.socket = demo_parts.DATABASE, self.parts.database_socket
        self.files = os.path.join(stage.dir, "files")
        self.more = (f'mysql: {{ socket: "{self.socket}", database: {self.database}, user: root, password: "" }}\n'
                     f'storage: {{ path: "{self.files}" }}\nbilling: {{ seller: "Bench Shop, Mill Lane 7" }}\n')

    def anew(self):
        self.parts.sql(f"DROP DATABASE {self.database}; CREATE DATABASE {self.database}", database="")
        subprocess.run([built("ops", "workerctl"), "-c", self.stage.configure("migrate", POOLS, self.more), "db", "migrate"],
                       stdout=subprocess.DEVNULL, check=True)
        self.parts.sql("INSERT INTO billing_customers VALUES ('ann', 'Ann', NULL, 'Long Street 1\\n10115 Berlin')")
        shutil.rmtree(self.files, ignore_errors=True)

    def expect(self, invoices):
        """Fails unless each stands once, with its lines, its entry and its paper."""
        seen = self.parts.sql("SELECT (SELECT COUNT(*) FROM billing_invoices WHERE pdf_at IS NOT NULL), (SELECT COUNT(*) FROM "
                              "billing_invoice_lines), (SELECT COUNT(*) FROM billing_ledger)")[0]
        papers = len(os.listdir(os.path.join(self.files, "invoices", "INV")))
        if [int(n) for n in seen] != [invoices, 3 * invoices, 3 * invoices] or papers != invoices:
            raise RuntimeError(f"{invoices} invoices, lines and rows of the ledger should be there: {seen}, {papers} papers")


def from_worker(stage, shop, invoices):
    shop.anew()
    worker = stage.worker("worker", POOLS, 1, shop.more)
    stage.fill("billing.invoice", THREADS, "--from", 1_000_000, "--data", DATA)  # fonts and connections come with the first
    stage.pour(QUEUE)
    stage.await_settled(QUEUE)
    stage.fill("billing.invoice", invoices - THREADS, "--data", DATA)
    began = time.monotonic()
    stage.pour(QUEUE)
    wait_for("the invoices", lambda: not stage.left_over(QUEUE), 120)
    rate = (invoices - THREADS) / (time.monotonic() - began)
    stage.stop(worker)
    shop.expect(invoices)
    stage.client.ask("FLUSHALL")
    return rate


def from_loop(stage, shop, invoices):
    shop.anew()
    said = stage.tool("bench-invoices", "--socket", shop.socket, "--database", shop.database, "--folder", shop.files,
                      "--threads", THREADS, "--invoices", invoices)
    shop.expect(invoices)
    return invoices / said["seconds"]


def invoices(bench):
    """invoices of 3 lines in a MariaDB that syncs each commit, and their PDFs on the disk, from 4 threads"""
    n = bench.size(4_000, 1_000)
    with Stage() as stage:
        shop = Shop(stage)
        try:
            ours, bare = bench.in_turns(lambda: from_worker(stage, shop, n), lambda: from_loop(stage, shop, n))
        finally:
            shop.parts.stop()
            shop.parts.remove()
    return [Figure("invoices of 1 worker", ours, "invoices/s"),
            ratios("1 worker / the same statements and pages from a bare program", ours, bare, (">=", 0.7), "invoices/s")]
