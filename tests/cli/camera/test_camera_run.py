"""`edgekd predict --camera`, without a window."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from camera_predictions import ANSWERED
from tiny_bundles import ANSWER, write_video

from edgekd.cli import main
from edgekd.cli.camera.run import screen_size
from edgekd.errors import InputError


def test_sizes_of_screens() -> None:
    assert screen_size("480x320") == (480, 320)
    for wrong in ("480", "480x", "0x0", "100x100", "480x99999", "-480x320", ""):
        with pytest.raises(InputError, match="no size of a screen"):
            screen_size(wrong)


def test_headless_says_a_line_for_each_frame(
    bundle: Path, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(bundle), "--camera", str(video), "--headless"]) == 0
    lines = capsys.readouterr().out.splitlines()
    decisions = [line.split(" | ")[0] for line in lines]
    expected = ["answer", "retake", "retake", "refer", "answer"]
    assert decisions == [f"frame {index}: {name}" for index, name in enumerate(expected)]
    assert "dark: the photo is too dark" in lines[1]


def test_headless_json_is_a_line_each_and_overlays_are_kept(
    bundle: Path, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a" / "b"
    arguments = ["predict", str(bundle), "--camera", str(video), "--headless", "--json"]
    assert main([*arguments, "--save", str(out), "--screen", "480x320"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["frame"] for line in lines] == list(range(5))
    assert set(lines[0]) == {"frame", *ANSWERED.to_dict()}
    files = sorted(out.iterdir())
    assert [file.name for file in files] == [f"{index:06d}.png" for index in range(5)]
    assert {cv2.imread(str(file)).shape for file in files} == {(320, 480, 3)}


def start(bundle: Path, video: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edgekd", "predict", bundle, "--camera", video]
    return subprocess.Popen(
        [*command, "--headless", "--interval", "0.2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_service_manager_end_it_cleanly(
    bundle: Path, tmp_path: Path, ending: signal.Signals
) -> None:
    running = start(bundle, write_video(tmp_path / "long.avi", [ANSWER] * 600))
    assert running.stdout is not None
    assert running.stdout.readline().startswith("frame 0: answer")
    running.send_signal(ending)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 0
    assert said == "stopped\n"


def test_a_reader_that_went_ends_it_cleanly(bundle: Path, tmp_path: Path) -> None:
    running = start(bundle, write_video(tmp_path / "long.avi", [ANSWER] * 600))
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.readline()
    running.stdout.close()
    assert running.wait(timeout=30) == 0
    assert running.stderr.read() == ""
    running.stderr.close()


def test_the_verbs_import_neither_opencv_nor_the_runtime() -> None:
    heavy = ["cv2", "edgekd.runtime", "edgekd.cli.camera.run"]
    code = (
        "import sys; from edgekd.cli import main; assert main(['predict', '--help']) == 0; "
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
