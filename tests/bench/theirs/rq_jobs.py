"""RQ's job, for its own command line (rq worker --path HERE); run itself, its producer: fill JOBS | pace JOBS."""

import os
import sys
import time

RECORD = os.open(os.path.join(os.environ["MILLRACE_BENCH_RECORDS"], f"rq-{os.getpid()}"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
SLEEP_S = int(os.environ.get("MILLRACE_BENCH_MS", "0")) / 1000
BATCH = 500


def tally(job):
    """Unbuffered: the process that runs one job ends right after it."""
    os.write(RECORD, b"%d %d %d\n" % (job["n"], job["at_ns"], time.monotonic_ns()))
    if SLEEP_S:
        time.sleep(SLEEP_S)


def data(number):
    return {"n": number, "at_ns": time.monotonic_ns(), "to": "ann@example.org", "lang": "en", "body": "0" * 120}


def produce(what, jobs):
    import redis
    import rq

    queue = rq.Queue("bench", connection=redis.Redis(unix_socket_path=os.environ["MILLRACE_BENCH_SOCKET"]))
    if what == "fill":
        for first in range(0, jobs, BATCH):
            queue.enqueue_many([rq.Queue.prepare_data("rq_jobs.tally", (data(number),), result_ttl=0)
                                for number in range(first, min(jobs, first + BATCH))])
        return
    at_s = time.monotonic()
    for number in range(jobs):
        at_s += 0.005
        time.sleep(max(0, at_s - time.monotonic()))
        queue.enqueue_call("rq_jobs.tally", (data(number),), result_ttl=0)


if __name__ == "__main__":
    produce(sys.argv[1], int(sys.argv[2]))
