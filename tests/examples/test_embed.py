from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tiny_bundles import ANSWER, REFER, RETAKE, write_photo


def run(examples: Path, *arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", examples / "embed.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_each_decision_is_acted_on(examples: Path, bundle: Path, tmp_path: Path) -> None:
    colours = {"answer": ANSWER, "refer": REFER, "retake": RETAKE}
    photos = [write_photo(tmp_path / f"{name}.png", colour) for name, colour in colours.items()]
    done = run(examples, bundle, *photos)
    assert done.returncode == 0, done.stderr
    answer, refer, retake = done.stdout.splitlines()
    assert answer == "bkl, 100%"
    assert refer.startswith("refer the patient: the top probability")
    assert retake.startswith("take the photo again: the photo is too dark")


def test_a_mistake_is_told_in_a_line(examples: Path, bundle: Path, tmp_path: Path) -> None:
    done = run(examples, bundle, tmp_path / "none.jpg")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"the image {tmp_path}/none.jpg does not exist; check the path"
    ]


def test_it_is_small(examples: Path) -> None:
    lines = (examples / "embed.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 25
