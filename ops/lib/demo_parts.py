"""The parts the demo stands on: a private Redis and MariaDB, a mail server and a web server that keep what they get, the
dispatcher; all in one fresh folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
CTL = os.path.join(BUILD, "ops", "workerctl")
PREFIX = "demo_"
DATABASE = "shop"
ACCOUNT, TOKEN, KEY = "ACdemo", "demo-token", "sk_demo"  # at the providers of messages and payments


def wait_for(what, ask, seconds):
    """Asks until the answer is true; what is named when it never is."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.05)
    raise RuntimeError(f"{what}: not within {seconds} s")


def redis_server_command(arguments):
    """Debian's redis-tools carries the server as redis-check-rdb: one program that looks at its own name."""
    found = shutil.which("redis-server")
    return {"args": ["redis-server", *arguments], "executable": found or "/usr/bin/redis-check-rdb"}


class Stage:
    """Starts the parts and stops them, by the pids it started and by nothing else."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="millrace-demo-")
        self.redis_socket = os.path.join(self.dir, "redis.sock")
        self.control_socket = os.path.join(self.dir, "run", "control.sock")
        self.database_socket = os.path.join(self.dir, "mariadb.sock")
        self.mails = os.path.join(self.dir, "mails.jsonl")
        self.requests = os.path.join(self.dir, "requests.jsonl")
        self.files = os.path.join(self.dir, "files")
        self.reports = os.path.join(self.dir, "reports")
        self.ledger = os.path.join(self.dir, "ledger")
        self.config = os.path.join(self.dir, "millrace.yaml")
        self.log = os.path.join(self.dir, "millrace.log")
        self.running = []
        self.smtp_port = self.web_port = 0

    def start(self, name, command, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", open(os.path.join(self.dir, name + ".log"), "ab"))
        options.setdefault("stderr", subprocess.STDOUT)
        process = subprocess.Popen(start_new_session=True, **command, **options)
        self.running.append((name, process))
        return process

    def start_redis(self):
        self.start("redis", redis_server_command(
            ["--port", "0", "--unixsocket", self.redis_socket, "--dir", self.dir, "--save", "",
             "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"]))
        wait_for("redis", lambda: self.redis(["PING"])[0] == "PONG", 10)

    def start_peer(self, name, out, *more):
        """A server of tests/peers; the port that it found."""
        open(out, "a").close()
        process = self.start(name, {"args": ["/usr/bin/python3", os.path.join(ROOT, f"tests/peers/{name}.py"),
                                             "--forever", "--out", out, *more]},
                             stdout=subprocess.PIPE,
                             stderr=open(os.path.join(self.dir, name + ".log"), "ab"))
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the {name} server did not start; see {os.path.join(self.dir, name + '.log')}")
        return json.loads(line)["port"]

    def start_smtp(self):
        self.smtp_port = self.start_peer("smtp", self.mails)

    def start_web(self):
        self.web_port = self.start_peer("web", self.requests, "--account", ACCOUNT, "--token", TOKEN, "--bearer", KEY)

    def start_database(self):
        """A MariaDB of our own, without a port; its folder is made by the server's own tool."""
        data = os.path.join(self.dir, "mariadb")
        # A server that starts sweeps its folder for temporary files: it must be nobody else's.
        common = ["--no-defaults", f"--datadir={data}", f"--tmpdir={self.dir}", *(["--user=root"] if os.geteuid() == 0 else []),
                  "--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M"]
        done = subprocess.run(["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--force",
                               "--skip-test-db"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"mariadb-install-db: {done.stdout.strip()[-600:]}")
        server = shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        self.start("mariadb", {"args": [server, *common, f"--socket={self.database_socket}", "--skip-networking",
                                        "--max-connections=500", "--character-set-server=utf8mb4"]})
        wait_for("mariadb", lambda: self.sql("SELECT 1", database="", check=False), 30)
        self.sql(f"CREATE DATABASE {DATABASE}", database="")

    def sql(self, statements, database=DATABASE, check=True):
        """The rows of the answer, each a list of texts; NULL is None. Without check, None when the server does not answer."""
        done = subprocess.run(["mariadb", "--no-defaults", f"--socket={self.database_socket}", "--user=root", "--batch",
                               "--skip-column-names", *([database] if database else [])], input=statements,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            if check:
                raise RuntimeError(f"mariadb: {done.stderr.strip()}")
            return None
        return [[None if cell == "NULL" else cell for cell in line.split("\t")] for line in done.stdout.splitlines()]

    def start_dispatcher(self):
        process = self.start("millrace", {"args": [os.path.join(BUILD, "dispatcher", "millrace-dispatcher"),
                                                   "--config", self.config]})
        def ready():
            if process.poll() is not None:
                raise RuntimeError(f"the dispatcher ended with {process.returncode}; see {self.log}")
            return self.ctl(["status", "-o", "json"], check=False) is not None and self.serving()
        wait_for("the dispatcher", ready, 20)
        return process

    def serving(self):
        return len(self.worker_pids()) == 10

    def redis(self, *commands):
        """Each command is a list of words; each answer comes back as Python sees its JSON."""
        answers = []
        for words in commands:
            done = subprocess.run(["redis-cli", "-s", self.redis_socket, "--json", *words],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
            try:
                answers.append(json.loads(done.stdout))
            except ValueError:
                answers.append(None)
        return answers

    def look(self, *commands):
        """Asks many plain commands at once; each answer as Python sees its JSON."""
        done = subprocess.run(["redis-cli", "-s", self.redis_socket, "--json"], input="\n".join(commands) + "\n",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        answers = [json.loads(line) for line in done.stdout.split("\n") if line]
        if len(answers) != len(commands):
            raise RuntimeError(f"redis answered {len(answers)} of {len(commands)} questions: {done.stderr.strip()}")
        return answers

    def ctl(self, words, check=True, **options):
        done = subprocess.run([CTL, "--socket", self.control_socket, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False, **options)
        if done.returncode != 0:
            if check:
                raise RuntimeError(f"workerctl {' '.join(words[:3])}: {done.stderr.strip()}")
            return None
        return done.stdout

    def worker_pids(self):
        """The worker processes, as the kernel sees them: children of the dispatcher."""
        parent = next((p.pid for name, p in self.running if name == "millrace"), None)
        if parent is None:
            return []
        with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]

    def stop(self):
        for _, process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running = []

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def fail(stage, error):
    print(f"\nops/demo: {error}", file=sys.stderr)
    for name in ("millrace.log", "redis.log", "mariadb.log", "smtp.log", "web.log"):
        path = os.path.join(stage.dir, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                tail = file.read()[-3000:]
            print(f"--- the end of {name}\n{tail}", file=sys.stderr)
