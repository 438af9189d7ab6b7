"""Mails a second: a worker's beside a bare libcurl loop that sends the same message to the same server."""

import subprocess

from drains import QUEUE
from figures import Figure, ratios
from sinks import Sink
from stage import Stage, built

CONNECTIONS = 4
POOLS = "{ bench: { queues: [bench], concurrency: 10, threads: 4 } }"
DATA = ('"to":"Ann <ann@example.org>","subject":"Your booking 4711","text":"' + "Dear Ann, we look forward to seeing you. " * 20
        + '","html":"<p>' + "Dear Ann, we look forward to seeing you. " * 20 + '</p>"')


def from_worker(stage, mails):
    sink = Sink(stage, "mails", mails)
    worker = stage.worker("worker", POOLS, 1,
                          f'email: {{ url: "smtp://127.0.0.1:{sink.port}", from: shop@example.org, tls: off, '
                          f"connections: {CONNECTIONS} }}\n")
    stage.fill("email.send", mails, "--data", DATA)
    stage.pour(QUEUE)
    rate = sink.rate(CONNECTIONS)
    stage.await_settled(QUEUE)
    stage.stop(worker)
    stage.client.ask("FLUSHALL")
    return rate


def from_loop(stage, mails):
    sink = Sink(stage, "mails", mails)
    subprocess.run([built("tests", "bench", "bench-mails"), "--port", str(sink.port), "--connections", str(CONNECTIONS),
                    "--mails", str(mails), "--message", sink.kept], check=True)
    return sink.rate(CONNECTIONS)


def mails(bench):
    """mails of 2 KiB into a server that takes all, over 4 connections"""
    n = bench.size(20_000, 4_000)
    with Stage() as stage:
        ours, bare = bench.in_turns(lambda: from_worker(stage, n), lambda: from_loop(stage, n))
    return [Figure("mails of 1 worker", ours, "mails/s", (">=", 1000)),
            ratios("1 worker / a bare libcurl multi loop", ours, bare, (">=", 0.7), "mails/s")]
