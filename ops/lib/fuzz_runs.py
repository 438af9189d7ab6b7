"""Runs the libFuzzer programs of tests/fuzz from a copy of their kept corpus, a bounded time each."""

import concurrent.futures
import glob
import os
import random
import re
import shutil
import subprocess
import tempfile

SECONDS = {"envelope": 15}
SECONDS_ELSE = 3  # as many as there are, all of it stays below a minute
SHOWN_BYTES = 512


def targets():
    return sorted(os.path.basename(path)[len("fuzz_"):-len(".c")] for path in glob.glob("tests/fuzz/fuzz_*.c"))


def hex_of(path):
    with open(path, "rb") as file:
        found = file.read(SHOWN_BYTES + 1)
    return found[:SHOWN_BYTES].hex() + (" ..." if len(found) > SHOWN_BYTES else "")


def findings(prefix, program):
    """What libFuzzer kept of the bytes that broke a rule, and how to see it again."""
    lines = []
    for path in sorted(glob.glob(prefix + "*")):
        lines += [f"kept: {path}", f"hex: {hex_of(path)}", f"again: {program} {path}"]
    return "\n".join(lines)


def run_one(folder, name, seed, environment):
    """(name, whether all went well, a line to say, what to show of a failure)"""
    program = os.path.join(folder, "tests", "fuzz", f"fuzz_{name}")
    prefix = os.path.join(folder, "found", f"{name}-{seed}-")
    seconds = SECONDS.get(name, SECONDS_ELSE)
    os.makedirs(os.path.dirname(prefix), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="millrace-fuzz-") as scratch:
        corpus = shutil.copytree(os.path.join("tests", "fuzz", "corpus", name), os.path.join(scratch, "corpus"))
        command = [program, f"-seed={seed}", f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024",
                   "-max_len=4096", f"-artifact_prefix={prefix}", corpus]
        with open(os.path.join(scratch, "log"), "w+b") as log:
            try:
                status = subprocess.run(command, stdout=log, stderr=log, check=False, timeout=seconds + 120,
                                        env={**os.environ, **environment}).returncode
            except subprocess.TimeoutExpired:
                status = "no end"
            log.seek(0)
            said = log.read().decode(errors="replace")
    done = re.search(r"^Done (\d+) runs", said, re.MULTILINE)
    good = status == 0 and done is not None and int(done.group(1)) > 0
    line = f"fuzz {name}: {done.group(1) if done else 'no'} runs in {seconds} s, seed {seed}"
    detail = "" if good else f"{' '.join(command)}\nstatus {status}\n{said[-4000:]}\n{findings(prefix, program)}"
    return name, good, line, detail


def run_all(folder, environment):
    """One result after another, in the order of the names, from a seed that a failure says."""
    seed = int(os.environ.get("FUZZ_SEED") or random.randrange(1, 1 << 31))
    names = targets()
    # The longest one first, so that it is not what all wait for in the end.
    by_time = sorted(names, key=lambda name: -SECONDS.get(name, SECONDS_ELSE))
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        runs = {name: pool.submit(run_one, folder, name, seed, environment) for name in by_time}
        for name in names:
            yield runs[name].result()
