"""An engine in a process that was forked after it was opened: a sentence, and no hang at the end.

The forks are made in a process of their own, which has one thread besides the engines'.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FORK = """
import gc, os, sys, time
import numpy as np
from edgekd.errors import EdgekdError
from edgekd.runtime.sessions import open_session

backend, file, how = sys.argv[1:]
session = open_session(backend, file, threads=4)
image = np.zeros(session.input_shape, np.uint8)
before = session.run(image)
child = os.fork()
if child == 0:
    if how == "run":
        try:
            session.run(image)
        except EdgekdError as error:
            print(type(error).__name__, error.message, error.hint, flush=True)
    elif how == "close":
        session.close()
    elif how == "forget":
        del session
        gc.collect()
    sys.exit(7)
for _ in range(400):
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        break
    time.sleep(0.05)
else:
    os.kill(child, 9)
    os.waitpid(child, 0)
    sys.exit("the child hangs")
assert os.waitstatus_to_exitcode(status) == 7, status
assert np.array_equal(session.run(image), before)
session.close()
"""


@pytest.mark.parametrize("how", ["end", "run", "close", "forget"])
@pytest.mark.parametrize("backend", ["onnx", "openvino", "tflite"])
def test_a_forked_child(backend: str, how: str, files: dict[str, Path]) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORK, backend, str(files[backend]), how]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ("ForkedError" in done.stdout and "after the fork" in done.stdout) == (how == "run")
