"""Builds the tree as the tests want it, runs them, adds them up. Called by ops/test."""

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

import fuzz_runs

SUITES = ("style", "unit", "flow", "chaos", "bench", "fuzz")
BUILDS = (
    # name, environment, meson options, suites it is not asked for: what a job costs is counted without sanitizers
    ("gcc", {"CC": "gcc"}, [], ()),
    ("clang-sanitized", {"CC": "clang"}, ["-Db_sanitize=address,undefined", "-Db_lundef=false"], ("bench",)),
)
ALONE = ("style", "fuzz")  # no tests of meson's
FUZZ = ("fuzz", {"CC": "clang"}, ["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false"])
PROGRAMS_A_CORE = 3  # test programs mostly wait
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:strict_string_checks=1:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


class Tally:
    """What passed, what failed, and the words to say about the failures."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.failures = []

    def add(self, name, ok, detail=""):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            self.failures.append((name, detail))


def say(text):
    print(text, flush=True)


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **options)


def tracked(*patterns):
    listed = run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]).stdout
    return [name for name in listed.split("\n") if name and os.path.exists(name)]


def shell_scripts():
    return [name for name in tracked("ops/*", ".ci/*", "tests/*")
            if open(name, "rb").read(12).startswith(b"#!/bin/sh")]


def style(tally):
    checks = (
        ("style: clang-format", ["clang-format", "--dry-run", "-Werror", *tracked("*.c", "*.h")]),
        ("style: arrows between the rooms", ["sh", "tests/tree.sh"]),
        ("style: shellcheck", ["shellcheck", *shell_scripts()]),
        ("style: python compiles", [sys.executable, "-m", "py_compile", *tracked("*.py")]),
    )
    for name, command in checks:
        done = run(command, env={**os.environ, "PYTHONPYCACHEPREFIX": "build/pycache"})
        tally.add(name, done.returncode == 0, done.stdout[-4000:])


def configure(name, environment, options):
    folder = os.path.join("build", "test", name)
    command = ["meson", "setup", folder, "-Dwerror=true", *options]
    if os.path.exists(os.path.join(folder, "build.ninja")):
        command.insert(2, "--reconfigure")
    return folder, run(command, env={**os.environ, **environment})


def build(tally, name, environment, options, what=()):
    folder, done = configure(name, environment, options)
    if done.returncode == 0:
        done = run(["ninja", "-C", folder, *what])
    tally.add(f"build: {name}", done.returncode == 0, done.stdout[-6000:])
    return folder if done.returncode == 0 else None


def add_results(tally, name, folder):
    """One count for every single test of every program, as meson wrote them down."""
    path = os.path.join(folder, "meson-logs", "testlog.junit.xml")
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            bad = case.find("failure") is not None or case.find("error") is not None
            tally.add(f"{name}: {suite.get('name')}: {case.get('name')}", not bad)


def meson_test(tally, name, folder, suites):
    command = ["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs", "--num-processes", str(PROGRAMS_A_CORE * (os.cpu_count() or 1))]
    for suite in suites:
        command += ["--suite", suite]
    done = run(command, env={**os.environ, **SANITIZERS})
    before = tally.passed + tally.failed
    failed = tally.failed
    if "No suitable tests" not in done.stdout and "No tests defined" not in done.stdout:
        add_results(tally, name, folder)
    if tally.passed + tally.failed == before:
        tally.add(f"{name}: tests of {' '.join(suites)}", False, "no test was run\n" + done.stdout[-2000:])
    elif done.returncode != 0:
        # A program that died or timed out shows in the exit status alone.
        if tally.failed == failed:
            tally.add(f"{name}: a test program failed", False)
        tally.failures.append((f"{name}: what meson said", done.stdout[-12000:]))


def fuzz(tally):
    folder = build(tally, *FUZZ, ["fuzzers"])
    if not folder:
        return
    for name, good, line, detail in fuzz_runs.run_all(folder, SANITIZERS):
        say(line)
        tally.add(f"fuzz: {name}", good, detail)


def main(wanted):
    unknown = [name for name in wanted if name not in SUITES]
    if unknown:
        print(f"ops/test: {unknown[0]}: no such suite; there are: {' '.join(SUITES)}", file=sys.stderr)
        return 64
    suites = wanted or list(SUITES)
    tally = Tally()
    began = time.monotonic()
    if "style" in suites:
        style(tally)
        say(f"style done after {time.monotonic() - began:.0f} s")
    for name, environment, options, without in BUILDS:
        with_programs = [suite for suite in suites if suite not in ALONE and suite not in without]
        if not with_programs:
            continue
        folder = build(tally, name, environment, options)
        say(f"{name} built after {time.monotonic() - began:.0f} s")
        if folder:
            meson_test(tally, name, folder, with_programs)
            say(f"{name} tested after {time.monotonic() - began:.0f} s")
    if "fuzz" in suites:
        fuzz(tally)
        say(f"fuzz done after {time.monotonic() - began:.0f} s")
    for name, detail in tally.failures:
        say(f"\nFAILED {name}\n{detail}")
    say(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
