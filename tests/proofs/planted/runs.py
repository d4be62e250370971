"""Short runs of pytest, one after the other, each in a fork of one process that has imported what
takes longest and is not planted in."""

import json
import os
import subprocess
import sys

SERVER = """
import json, os, sys, tempfile
import numba, numpy, pytest
for line in sys.stdin:
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if not child:
            os.dup2(output.fileno(), 1), os.dup2(output.fileno(), 2)
            status = pytest.main(json.loads(line))
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        print(json.dumps([status, output.read().decode(errors="replace")]), flush=True)
"""


class Runs:
    """pytest in a folder: call with its arguments -> its exit status and what it printed."""

    def __init__(self, folder, environment):
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            cwd=folder,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments):
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        """Waits for the process, which ends with its input."""
        self.process.communicate()
        assert self.process.returncode == 0
