"""When a process began, by the clock that is told to the host."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from edgekd.bench.measure import process_start
from edgekd.bench.measure.process_start import process_start_time

CODE = """
import time
time.sleep(0.3)
from edgekd.bench.measure import process_start
print(process_start.process_start_time(), process_start._LOADED)
"""


def test_a_process_began_after_it_was_asked_for_and_before_its_modules_were_loaded():
    asked = time.monotonic()
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    began, loaded = map(float, done.stdout.split())
    assert asked <= began <= loaded
    if sys.platform == "linux":
        assert began <= loaded - 0.25


@pytest.mark.parametrize("content", [None, "", "1 (python) S 1 2", "1 (a) b) S " + "x " * 40])
def test_where_the_kernel_does_not_tell_it_is_when_the_module_was_loaded(tmp_path, content):
    if content is not None:
        (tmp_path / "stat").write_text(content)
    assert process_start_time(tmp_path / "stat") == process_start._LOADED


def test_a_start_in_the_future_is_not_believed(tmp_path):
    (tmp_path / "stat").write_text("1 (a) " + "9" * 18 + " " + "999999999999 " * 40)
    assert process_start_time(tmp_path / "stat") == process_start._LOADED
