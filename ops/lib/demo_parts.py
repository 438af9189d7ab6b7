"""The parts the demo stands on: a private Redis and MariaDB, a mail server and a web server that keep what they get, the
dispatcher; all in one fresh folder."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
CTL = os.path.join(BUILD, "ops", "workerctl")
PREFIX = "demo_"
DATABASE = "shop"
ACCOUNT, TOKEN, KEY = "ACdemo", "demo-token", "sk_demo"  # at the providers of messages and payments
BUCKET, S3_KEY, S3_SECRET = "demo-files", "AKIADEMO", "demo-secret"


def wait_for(what, ask, seconds):
    """Asks until the answer is true; what is named when it never is."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.05)
    raise RuntimeError(f"{what}: not within {seconds} s")


def free_port():
    """One that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def redis_server_command(arguments):
    """Debian's redis-tools carries the server as redis-check-rdb: one program that looks at its own name."""
    found = shutil.which("redis-server")
    return {"args": ["redis-server", *arguments], "executable": found or "/usr/bin/redis-check-rdb"}


class Stage:
    """Starts the parts and stops them, by the pids it started and by nothing else."""

    def __init__(self, bucket=False):
        self.bucket = bucket  # files go to an S3 server, not to a folder
        self.dir = tempfile.mkdtemp(prefix="millrace-demo-")
        self.redis_socket = os.path.join(self.dir, "redis.sock")
        self.control_socket = os.path.join(self.dir, "run", "control.sock")
        self.database_socket = os.path.join(self.dir, "mariadb.sock")
        self.replica_socket = os.path.join(self.dir, "replica.sock")
        self.mails = os.path.join(self.dir, "mails.jsonl")
        self.requests = os.path.join(self.dir, "requests.jsonl")
        self.files = os.path.join(self.dir, "files")
        self.reports = os.path.join(self.dir, "reports")
        self.templates = os.path.join(self.dir, "templates")
        self.ledger = os.path.join(self.dir, "ledger")
        self.config = os.path.join(self.dir, "millrace.yaml")
        self.log = os.path.join(self.dir, "millrace.log")
        self.running = []
        self.smtp_ports, self.web_port, self.s3_port = [], 0, 0

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

    def start_peer(self, name, program, out, *more):
        """A server of tests/peers; the port that it found."""
        open(out, "a").close()
        interpreter = "node" if program.endswith(".js") else "/usr/bin/python3"
        # They serve until their standard input ends, and this one never does: who reads it can write to it, too.
        endless = os.path.join(self.dir, name + ".stdin")
        os.mkfifo(endless)
        process = self.start(name, {"args": [interpreter, os.path.join(ROOT, "tests/peers", program), "--out", out, *more]},
                             stdin=os.open(endless, os.O_RDWR), stdout=subprocess.PIPE,
                             stderr=open(os.path.join(self.dir, name + ".log"), "ab"))
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the {name} server did not start; see {os.path.join(self.dir, name + '.log')}")
        return json.loads(line)["port"]

    def start_smtp(self):
        """Two of them: the second is there for when the first is not."""
        self.smtp_ports = [self.start_peer(name, "smtp.py", self.mails) for name in ("smtp1", "smtp2")]

    def start_web(self):
        self.web_port = self.start_peer("web", "web.py", self.requests, "--account", ACCOUNT, "--token", TOKEN, "--bearer", KEY)

    def start_bucket(self):
        """An S3 server that recomputes every signature, and is not always well."""
        faults = [word for fault in ("put=slowdown:3", "put=reset:3", "put=reset-after:3", "head=fail:3")
                  for word in ("--fault", fault)]
        self.s3_port = self.start_peer("s3", "s3.js", os.path.join(self.dir, "s3.jsonl"), "--store", self.files,
                                       "--modules", os.path.join(BUILD, "tools", "smithy", "node_modules"),
                                       "--bucket", BUCKET, "--key", S3_KEY, "--secret", S3_SECRET, "--adopt", *faults)

    def file(self, key):
        """Where the bytes of a stored file are; the S3 server keeps each object as a file of its encoded name."""
        return os.path.join(self.files, urllib.parse.quote(key, safe="") if self.bucket else key)

    def stored(self):
        """The keys of all files that are there."""
        found = [os.path.relpath(os.path.join(folder, name), self.files)
                 for folder, _, names in os.walk(self.files) for name in names]
        return [urllib.parse.unquote(name) if self.bucket else name for name in found if not name.startswith(".parts")]

    def kill(self, name):
        """-9, and for good."""
        for running in [running for running in self.running if running[0] == name]:
            running[1].kill()
            running[1].wait()
            self.running.remove(running)

    def start_mariadb(self, name, path, *more):
        """One of our own, without a port but as its own options say; its folder is made by the server's own tool."""
        data = os.path.join(self.dir, name)
        temporary = os.path.join(self.dir, name + "-tmp")
        os.mkdir(temporary)
        # A server that starts sweeps its folder for temporary files: it must be nobody else's.
        common = ["--no-defaults", f"--datadir={data}", f"--tmpdir={temporary}", *(["--user=root"] if os.geteuid() == 0 else []),
                  "--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M"]
        done = subprocess.run(["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--force",
                               "--skip-test-db"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"mariadb-install-db: {done.stdout.strip()[-600:]}")
        server = shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        self.start(name, {"args": [server, *common, f"--socket={path}", "--max-connections=500",
                                   "--character-set-server=utf8mb4", *more]})
        wait_for(name, lambda: self.sql("SELECT 1", database="", check=False, path=path), 30)

    def start_database(self):
        """A server that is written to, and one that follows it: over a loopback port, for replication knows no unix sockets."""
        port = free_port()
        self.start_mariadb("mariadb", self.database_socket, "--bind-address=127.0.0.1", f"--port={port}", "--server-id=1",
                           "--log-bin=log", "--binlog-format=ROW")
        self.start_mariadb("replica", self.replica_socket, "--skip-networking", "--server-id=2", "--read-only=ON")
        self.sql("CREATE USER follower@127.0.0.1 IDENTIFIED BY 'demo'; GRANT REPLICATION SLAVE ON *.* TO follower@127.0.0.1",
                 database="")
        self.sql("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_USER='follower', MASTER_PASSWORD='demo', "
                 f"MASTER_PORT={port}, MASTER_USE_GTID=slave_pos; START SLAVE", database="", path=self.replica_socket)
        self.sql(f"CREATE DATABASE {DATABASE}", database="")

    def await_replica(self):
        """Until it has all that the first server has."""
        at = self.sql("SELECT @@gtid_binlog_pos", database="")[0][0]
        done = self.sql(f"SELECT MASTER_GTID_WAIT('{at}', 30)", database="", path=self.replica_socket)[0][0]
        if done != "0":
            raise RuntimeError("the replica does not follow; see replica.log")

    def sql(self, statements, database=DATABASE, check=True, path=None):
        """The rows of the answer, each a list of texts; NULL is None. Without check, None when the server does not answer."""
        done = subprocess.run(["mariadb", "--no-defaults", f"--socket={path or self.database_socket}", "--user=root", "--batch",
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

    def look_at_once(self, *commands):
        """The same, with nothing in between: what moves from one key to another is seen on one of them."""
        return self.look("MULTI", *commands, "EXEC")[-1]

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
    for name in ("millrace.log", "redis.log", "mariadb.log", "replica.log", "smtp2.log", "web.log", "s3.log"):
        path = os.path.join(stage.dir, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                tail = file.read()[-3000:]
            print(f"--- the end of {name}\n{tail}", file=sys.stderr)
