"""bench-sink: the server that takes mails or text messages while these are counted."""

import json
import os
import subprocess

from stage import built


class Sink:
    """Until it has got all: kind is "mails" or "messages"."""

    def __init__(self, stage, kind, n):
        self.n, self.kept = n, os.path.join(stage.dir, "kept")
        self.process = subprocess.Popen([built("tests", "bench", "bench-sink"), f"--{kind}", str(n), "--keep", self.kept],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def rate(self, connections):
        """How many a second. Fails unless all came, over no more connections than these."""
        seen = json.loads(self.process.stdout.readline())
        self.process.communicate()
        if seen["taken"] != self.n or seen["most_open"] > connections or seen["connections"] > connections:
            raise RuntimeError(f"the sink saw {seen}")
        return (seen["taken"] - 1) / seen["seconds"]
