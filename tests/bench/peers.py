"""Runs the same jobs through millrace and the other queues that are there, prints and writes the ratios. Called by peers."""

import argparse
import datetime
import json
import os
import signal
import statistics
import subprocess
import sys

import main
import stage
from contenders import MILLRACE, OTHERS
from figures import Figure, number, percentile, ratios, table

HOLDS = {"beanstalkd": 6, "BullMQ": 25, "Sidekiq": 40}  # millrace's jobs/s over theirs
ENDS = 0.1  # of the jobs at either end of a run: start and end are nobody's rate
SLEEP_MS = 50
WARM = 100  # jobs that are pushed before those that count: the first in each process loads what it needs


def jobs_s(starts):
    began = sorted(at for _, at in starts)
    first, last = int(len(began) * ENDS), int(len(began) * (1 - ENDS))
    return (last - first) / ((began[last] - began[first]) / 1e9)


class Rounds:
    """What each contender did in each round, one after the other in every round: name -> values."""

    def __init__(self, bench, contenders, measure):
        values = bench.in_turns(*(lambda one=one: measure(one) for one in contenders))
        self.values = {one.name: list(rounds) for one, rounds in zip(contenders, values)}

    def each(self, name, of):
        return [of(value) for value in self.values[name]]

    def others(self):
        return [name for name in self.values if name != MILLRACE.name]

    def ahead(self, title, of, unit, holds=None):
        """How many times as much millrace does as each of the others."""
        ours = self.each(MILLRACE.name, of)
        return [ratios(f"millrace / {name}{title}", ours, self.each(name, of),
                       (">=", holds[name]) if holds and name in holds else None, unit) for name in self.others()]

    def median(self, name, of):
        return statistics.median(self.each(name, of))


def drain(bench, contenders, overview):
    """no-op jobs, one process and two"""
    found = []
    for processes in (1, 2):
        rounds = Rounds(bench, contenders,
                        lambda one, n=processes: jobs_s(one.drain(bench.size(one.jobs, one.jobs // 10), n)[0]))
        found += rounds.ahead(f", {processes} process{'es' if processes > 1 else ''} each", float, "jobs/s",
                              HOLDS if processes == 1 else None)
        ours = rounds.each(MILLRACE.name, float)
        for name in rounds.values:
            overview[name].append(f"{number(rounds.median(name, float))}")
            overview[name].append(factor(ratios("", ours, rounds.each(name, float), None, "").median))
    return found


def latency(bench, contenders, overview):
    """pushed one by one, 5 ms apart, to idle workers: from the producer's call to the job's start"""
    jobs = WARM + bench.size(500, 200)
    rounds = Rounds(bench, contenders, lambda one: [(began - pushed) / 1e6 for pushed, began in one.paced(jobs)[WARM:]])
    found = []
    for title, share in (("p50", 0.50), ("p99", 0.99)):
        of = lambda waits, share=share: percentile(waits, share)
        ours = rounds.each(MILLRACE.name, of)
        found.append(Figure(f"millrace: {title}", ours, "ms"))
        found += [ratios(f"{title}: {name} / millrace", rounds.each(name, of), ours, (">=", 1), "ms")
                  for name in rounds.others()]
        for name in rounds.values:
            overview[name].append(f"{rounds.median(name, of):.2f}")
    return found


def sleep50(bench, contenders, overview):
    """jobs of 50 ms, as many at once as is usual for each; the memory of its worker processes"""

    def measure(one):
        processes, places = one.sleepers()
        starts, memory = one.drain(int(places / (SLEEP_MS / 1000) * bench.size(3, 1)), processes, SLEEP_MS)
        return jobs_s(starts), memory

    rounds = Rounds(bench, contenders, measure)
    rate, memory = (lambda value: value[0]), (lambda value: value[1])
    for one in contenders:
        overview[one.name] += [f"{number(rounds.median(one.name, rate))} ({one.sleepers()[1]:,} at once)",
                               f"{rounds.median(one.name, memory):.0f}"]
    return rounds.ahead("", rate, "jobs/s") + [Figure(f"{name}: RSS of its workers", rounds.each(name, memory), "MiB")
                                               for name in rounds.values]


CASES = {"drain": drain, "latency": latency, "sleep50": sleep50}
COLUMNS = {
    "drain": ["no-op jobs/s, 1 process", "millrace is", "2 processes", "millrace is"],
    "latency": ["push to start, p50 ms", "p99 ms"],
    "sleep50": ["50 ms jobs/s", "RSS MiB"],
}


def factor(value):
    return f"{number(value)} x"


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/peers", formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="cases:\n" + "\n".join(f"  {name:8} {case.__doc__}"
                                                                   for name, case in CASES.items()))
    parser.add_argument("cases", nargs="*", metavar="CASE", help="default: all")
    parser.add_argument("--only", help="these others alone, by name, with commas between")
    parser.add_argument("--quick", action="store_true", help="a tenth of the jobs, two rounds: to see that it works")
    parser.add_argument("--patience", type=int, default=0, metavar="N",
                        help="wait for an idle machine, and measure up to N times again what others disturbed")
    parser.add_argument("--repeats", type=int, help="rounds of each case (default 3)")
    parser.add_argument("--out", default=os.path.join(stage.BUILD, "peers"),
                        help="folder for table.md and figures.json (default build-bench/peers)")
    arguments = parser.parse_args()
    for name in arguments.cases:
        if name not in CASES:
            parser.error(f"{name}: no such case; there are: {' '.join(CASES)}")
    return arguments


def gather(only):
    """Those that are there; what is missing is said."""
    wanted = only.split(",") if only else [one.name for one in OTHERS]
    there, left_out = [MILLRACE], []
    for one in OTHERS:
        if one.name not in wanted:
            continue
        missing = one.missing()
        if missing:
            left_out.append(f"{one.name} (there is no {missing.replace(stage.ROOT + '/', '')})")
        else:
            there.append(one)
    return there, left_out


def overview_table(cases, contenders, overview):
    heads = ["queue", *(column for case in cases for column in COLUMNS[case])]
    rows = [heads, ["---"] * len(heads), *([one.name, *overview[one.name]] for one in contenders)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def run():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, main.leave)
    main.build()
    subprocess.run(["ninja", "-C", stage.BUILD, "bench-peers"], check=True, stdout=subprocess.DEVNULL)
    bench = main.Bench(arguments.quick, arguments.repeats or (2 if arguments.quick else 3), arguments.patience)
    contenders, left_out = gather(arguments.only)
    overview = {one.name: [] for one in contenders}
    cases = arguments.cases or list(CASES)
    results, others = [], []
    for case in cases:
        print(f"{case}: {CASES[case].__doc__} ...", file=sys.stderr, flush=True)
        bench.others = []
        results.append((case, CASES[case](bench, contenders, overview)))
        print(table(results[-1:]), file=sys.stderr, flush=True)
        others.append(f"{case} {statistics.median(bench.others):.2f}")
    write(arguments.out, bench, cases, contenders, left_out, overview, results, others)
    return 1 if any(figure.held is False for _, figures in results for figure in figures) else 0


def write(out, bench, cases, contenders, left_out, overview, results, others):
    about = [f"{main.machine()}; medians of {bench.rounds} rounds{', quick' if bench.quick else ''}, ratios within a "
             f"round; every job was done once; cores used by others meanwhile: {', '.join(others)}.",
             *(f"- {one.name}: {one.about}" for one in contenders),
             *(["Left out: " + ", ".join(left_out)] if left_out else [])]
    text = "\n\n".join([overview_table(cases, contenders, overview), table(results), "\n".join(about)])
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "table.md"), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    with open(os.path.join(out, "figures.json"), "w", encoding="utf-8") as file:
        json.dump({"about": about, "at": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
                   "cases": {case: [figure.as_json() for figure in figures] for case, figures in results}}, file, indent=1)
    print(text)


if __name__ == "__main__":
    sys.exit(run())
