"""Builds, runs the cases that were asked for, prints the table and writes it with the raw values. Called by run."""

import argparse
import datetime
import json
import os
import signal
import statistics
import subprocess
import sys

import backlog
import drains
import figures
import flows
import invoices
import mails
import messages
import noise
import reports
import stage
import waits

CASES = {
    "drain": drains.drain,
    "drain-data": drains.drain_data,
    "drain-16k": drains.drain_16k,
    "drain-aof": drains.drain_aof,
    "latency": waits.latency,
    "sleep50": waits.sleep50,
    "mixed": waits.mixed,
    "enqueue": flows.enqueue,
    "promote": flows.promote,
    "retry-storm": flows.retry_storm,
    "scale": waits.scale,
    "backlog": backlog.backlog,
    "mails": mails.mails,
    "sms": messages.messages,
    "invoices": invoices.invoices,
    "reports": reports.reports,
}


class Bench:
    """How much is measured: in full, or a short look with --quick; and how often again where others disturbed."""

    def __init__(self, quick, rounds, patience):
        self.quick = quick
        self.rounds = rounds or (2 if quick else 5)
        self.patience = patience
        self.others = []  # cores that others used, of each measurement that counts

    def size(self, full, quick):
        return quick if self.quick else full

    def calm(self, measure):
        """Measures; again when others used the machine meanwhile, as often as patience lasts. The calmest one counts."""
        tries = []
        for _ in range(1 + self.patience):
            if self.patience:
                noise.await_idle()
            watch = noise.Watch()
            value = measure()
            tries.append((watch.others(), len(tries), value))
            if tries[-1][0] < noise.OTHERS_AT_MOST:
                break
        others, _, value = min(tries)
        self.others.append(others)
        return value

    def in_turns(self, *measures):
        """Each round measures one after the other; gives, for each of them, its values."""
        return list(zip(*([self.calm(measure) for measure in measures] for _ in range(self.rounds))))


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/run", formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="cases:\n" + "\n".join(f"  {name:12} {case.__doc__}"
                                                                   for name, case in CASES.items()))
    parser.add_argument("cases", nargs="*", metavar="CASE", help="default: all")
    parser.add_argument("--quick", action="store_true", help="smaller loads, two rounds: to see that it works")
    parser.add_argument("--patience", type=int, default=0, metavar="N",
                        help="wait for an idle machine, and measure up to N times again what others disturbed")
    parser.add_argument("--repeats", type=int, help="rounds of each case (default 5)")
    parser.add_argument("--out", default=os.path.join(stage.BUILD, "bench"),
                        help="folder for table.md and figures.json (default build-bench/bench)")
    arguments = parser.parse_args()
    for name in arguments.cases:
        if name not in CASES:
            parser.error(f"{name}: no such case; there are: {' '.join(CASES)}")
    return arguments


def build():
    if not os.path.exists(os.path.join(stage.BUILD, "build.ninja")):
        subprocess.run(["meson", "setup", "--buildtype=release", stage.BUILD, stage.ROOT], check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", stage.BUILD, "bench"], check=True, stdout=subprocess.DEVNULL)


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    redis = subprocess.run(["redis-cli", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return f"{len(models)} x {models[0] if models else 'CPU'}, {redis.replace('redis-cli', 'Redis')}"


def measure(bench, names):
    for name in names:
        bench.others = []
        print(f"{name}: {CASES[name].__doc__} ...", file=sys.stderr, flush=True)
        rows = CASES[name](bench)
        print(figures.table([(name, rows)]).split("\n", 2)[2], file=sys.stderr, flush=True)
        yield name, rows, statistics.median(bench.others)


def leave(*_):
    """Told to stop: out through every stage, so that each stops what it has started."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not end the clean-up
    sys.exit(75)


def main():
    signal.signal(signal.SIGTERM, leave)
    arguments = parse_arguments()
    build()
    bench = Bench(arguments.quick, arguments.repeats, arguments.patience)
    results = list(measure(bench, arguments.cases or list(CASES)))
    table = figures.table([(name, rows) for name, rows, _ in results])
    about = f"{machine()}; {bench.rounds} rounds{', quick' if bench.quick else ''}; cores used by others meanwhile: " + \
        ", ".join(f"{name} {others:.2f}" for name, _, others in results)
    os.makedirs(arguments.out, exist_ok=True)
    with open(os.path.join(arguments.out, "table.md"), "w", encoding="utf-8") as file:
        file.write(f"{table}\n\n{about}\n")
    with open(os.path.join(arguments.out, "figures.json"), "w", encoding="utf-8") as file:
        json.dump({"about": about, "at": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
                   "cases": {name: [row.as_json() for row in rows] for name, rows, _ in results}}, file, indent=1)
    print(f"{table}\n\n{about}")
    return 1 if any(row.held is False for _, rows, _ in results for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
