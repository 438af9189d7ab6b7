"""Text messages a second: a worker's beside bare libcurl loops that send the same requests to the same server."""

import subprocess

from drains import QUEUE
from figures import Figure, ratios
from sinks import Sink
from stage import Stage, built

CONNECTIONS, PLAIN = 10, 0
POOLS = "{ bench: { queues: [bench], concurrency: 64 } }"
DATA = '"to":"+12025550187","text":"Your booking 4711 is confirmed. We look forward to seeing you on Friday at 19:30."'


def from_worker(stage, n):
    sink = Sink(stage, "messages", n)
    worker = stage.worker("worker", POOLS, 1,
                          f'sms: {{ url: "http://127.0.0.1:{sink.port}", account: AC1, token: t, from: "+15005550006", '
                          f"connections: {CONNECTIONS} }}\n")
    stage.fill("sms.send", n, "--data", DATA)
    stage.pour(QUEUE)
    rate = sink.rate(CONNECTIONS)
    stage.await_settled(QUEUE)
    stage.stop(worker)
    stage.client.ask("FLUSHALL")
    return rate


def from_loop(stage, n, connections):
    sink = Sink(stage, "messages", n)
    subprocess.run([built("tests", "bench", "bench-messages"), "--port", str(sink.port), "--connections",
                    str(connections), "--messages", str(n), "--form", sink.kept], check=True)
    return sink.rate(CONNECTIONS)


def messages(bench):
    """text messages into a server that takes all, over 10 connections"""
    n = bench.size(50_000, 5_000)
    with Stage() as stage:
        ours, plain, bare = bench.in_turns(lambda: from_worker(stage, n), lambda: from_loop(stage, n, PLAIN),
                                           lambda: from_loop(stage, n, CONNECTIONS))
    return [Figure("text messages of 1 worker", ours, "messages/s"),
            ratios("1 worker / a plain libcurl loop", ours, plain, (">=", 0.7), "messages/s"),
            ratios("1 worker / a libcurl multi loop over as many connections that does nothing else", ours, bare,
                   None, "messages/s")]
