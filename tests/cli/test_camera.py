"""The camera loop, on video files and on a screen that keeps what it is shown."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_bundles import ANSWER, REFER, RETAKE, plate, write_tiny_bundle, write_video

from edgekd.bundle import CaptureRule, Limit
from edgekd.cli import main
from edgekd.cli.camera.frames import LiveFrames, open_frames
from edgekd.cli.camera.gauges import gauges_of
from edgekd.cli.camera.lettering import plain, width_of, wrapped
from edgekd.cli.camera.loop import Judged, Loop
from edgekd.cli.camera.overlay import draw_overlay
from edgekd.cli.camera.screen import Key, key_of
from edgekd.cli.camera.watch import size_of
from edgekd.data.synthetic import paint
from edgekd.errors import DeviceUnreachableError, InputError
from edgekd.runtime import CaptureQuality, Classifier, Measures, Prediction, Reason

Picture = NDArray[np.uint8]

RULE = CaptureRule(
    limits={
        "sharpness": Limit(low=1.5),
        "brightness": Limit(low=0.25, high=0.9),
        "glare": Limit(high=0.02),
        "contrast": Limit(low=8.0),
        "off_centre": Limit(high=0.5),
    }
)
GOOD = CaptureQuality(Measures(3.1, 0.62, 0.001, 21.0, 0.12), None)
BLURRED = CaptureQuality(Measures(0.6, 0.55, 0.0, 11.0, 0.7), None)
ANSWERED = Prediction(
    label="mel",
    probability=0.93,
    probabilities={"mel": 0.93, "nv": 0.05, "bkl": 0.02},
    decision="answer",
    reasons=(),
    conformal_set=("mel",),
    quality=GOOD,
    logits=(3.0, 1.0, 0.0),
    timings_ms={"preprocess": 4.0, "quality": 1.0, "model": 18.0},
)
REFERRED = replace(
    ANSWERED,
    decision="refer",
    reasons=(Reason("unsure", "the top probability 0.41 is below 0.62"),),
    conformal_set=("bkl", "mel"),
)
SPOILT = replace(
    ANSWERED,
    decision="retake",
    reasons=(
        Reason("blurred", "the photo is blurred (sharpness 0.6 is below 1.5): hold still"),
        Reason("unsure", "the top probability 0.41 is below 0.62"),
    ),
    quality=BLURRED,
)
ALL = [ANSWERED, REFERRED, SPOILT]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "video.avi", [ANSWER, RETAKE, RETAKE, REFER, ANSWER])


def photo(width: int = 320, height: int = 240) -> Picture:
    side = max(width, height)
    return np.ascontiguousarray(paint("mel", 5, side)[:height, :width, ::-1])


# What is drawn


@pytest.mark.parametrize("prediction", ALL, ids=lambda one: one.decision)
@pytest.mark.parametrize(("width", "height"), [(640, 480), (320, 240), (480, 320), (240, 320)])
def test_the_overlay_is_a_pure_function(prediction: Prediction, width: int, height: int) -> None:
    frame = photo(width, height)
    before = frame.copy()
    drawn = draw_overlay(frame, prediction, RULE)
    assert (drawn.shape, drawn.dtype) == (frame.shape, np.uint8)
    np.testing.assert_array_equal(frame, before)
    np.testing.assert_array_equal(drawn, draw_overlay(frame, prediction, RULE))
    middle = slice(int(0.55 * height), int(0.72 * height)), slice(width // 3, width // 2)
    np.testing.assert_array_equal(drawn[middle], frame[middle])  # the lesion stays to be seen


def test_the_label_and_its_probability_are_shown_for_an_answer_alone() -> None:
    frame = photo()
    for prediction in ALL:
        other = replace(prediction, label="nv", probability=0.77)
        same = np.array_equal(draw_overlay(frame, prediction), draw_overlay(frame, other))
        assert same == (prediction.decision != "answer")


def test_a_photo_that_is_no_use_tells_nothing_of_its_classes() -> None:
    other = replace(SPOILT, conformal_set=("bkl", "nv"), reasons=SPOILT.reasons[:1])
    np.testing.assert_array_equal(
        draw_overlay(photo(), SPOILT, RULE), draw_overlay(photo(), other, RULE)
    )


def test_decisions_differ_without_colour_and_without_words() -> None:
    frame = np.zeros((480, 640, 3), np.uint8)
    side = slice(10, 38), slice(10, 38)
    signs = []
    for prediction in ALL:
        sign = draw_overlay(frame, prediction)[side]
        grey = cv2.cvtColor(sign, cv2.COLOR_BGR2GRAY)
        assert int(grey.max()) - int(grey.min()) > 60
        signs.append(grey > (int(grey.max()) + int(grey.min())) // 2)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.mean(signs[first] != signs[second]) > 0.08


def test_text_stands_on_dark_even_over_a_white_picture() -> None:
    """A contrast of 4.5 is what WCAG 2.2, criterion 1.4.3, asks for."""
    white = np.full((240, 320, 3), 255, np.uint8)
    for prediction in ALL:
        panel = draw_overlay(white, prediction, RULE)[2:20, 150:250]
        background = float(np.median(panel)) / 255
        luminance = ((background + 0.055) / 1.055) ** 2.4
        assert 1.05 / (luminance + 0.05) > 4.5


def test_what_the_camera_sees_now_is_shown_small_over_a_frozen_picture() -> None:
    frozen, live = photo(), np.full((240, 320, 3), (0, 200, 0), np.uint8)
    green = (draw_overlay(frozen, SPOILT, RULE, live=live) == (0, 200, 0)).all(axis=2)
    assert 0.02 < green.mean() < 0.08
    assert not (draw_overlay(frozen, SPOILT, RULE) == (0, 200, 0)).all(axis=2).any()


def test_a_screen_of_another_shape_gets_the_whole_frame_and_the_square_that_is_judged() -> None:
    frame = np.full((90, 160, 3), 120, np.uint8)
    drawn = draw_overlay(frame, ANSWERED, screen=(320, 240))
    assert drawn.shape == (240, 320, 3)
    row = drawn[120]
    assert (row[[0, 319]] == 120).all()  # the frame reaches both sides
    assert (row[[70, 249]] == 255).all()  # and the square is of the frame's height, 180
    column = drawn[:, 1]
    assert (column[60:180] == 120).all()
    assert (column[210:] == 0).all()  # black where the frame has another shape


def test_long_texts_leave_half_of_the_picture() -> None:
    reasons = tuple(
        Reason(
            "not-excluded", f"class {index} cannot be excluded: its probability 0.31 reaches 0.12"
        )
        for index in range(30)
    )
    names = tuple(f"a class with the name {index}" for index in range(30))
    frame = np.full((240, 320, 3), 120, np.uint8)
    crowded = draw_overlay(frame, replace(REFERRED, reasons=reasons, conformal_set=names), RULE)
    assert (crowded[125:175, 100:200] == 120).all()


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    label=st.text(max_size=60),
    value=st.floats(allow_nan=True, allow_infinity=True),
    decision=st.sampled_from([0, 1, 2]),
    frozen=st.booleans(),
)
def test_whatever_is_drawn_is_a_picture(
    width: int, height: int, label: str, value: float, decision: int, frozen: bool
) -> None:
    frame = np.full((height, width, 3), 120, np.uint8)
    measures = Measures(value, value, value, value, value)
    prediction = replace(
        ALL[decision],
        label=label,
        conformal_set=(label,),
        probability=value,
        quality=CaptureQuality(measures, value),
    )
    drawn = draw_overlay(frame, prediction, RULE, live=frame if frozen else None)
    assert drawn.shape == frame.shape


def test_bars_say_in_words_what_is_wrong() -> None:
    faults = {gauge.name: gauge.fault for gauge in gauges_of(BLURRED, RULE)}
    assert faults == {"sharp": "low", "light": "", "glare": "", "lesion": "", "centre": "high"}
    assert gauges_of(GOOD, None) == []
    assert gauges_of(None, RULE) == []


def test_bars_stand_on_the_side_of_the_limit_that_the_value_is_on() -> None:
    for quality in (GOOD, BLURRED):
        for gauge, limit in zip(gauges_of(quality, RULE), RULE.limits.values(), strict=True):
            below = limit.low is not None and gauge.value < gauge.ticks[0]
            above = limit.high is not None and gauge.value > gauge.ticks[-1]
            assert gauge.fault == ("low" if below else "high" if above else "")


def test_letters() -> None:
    assert plain("Läsion – naevus ≥ µ") == "Lasion - naevus >= ?"
    lines = wrapped("hold still and focus, then take it again", 10, 120)
    assert len(lines) > 1
    assert " ".join(lines) == "hold still and focus, then take it again"
    assert all(width_of(line, 10) <= 120 for line in lines)
    assert wrapped("unbreakable", 10, 1) == ["unbreakable"]


# What is done with each frame


class KeptScreen:
    """A screen that keeps its pictures, with somebody at its keys."""

    def __init__(self, keys: Sequence[Key] = ()) -> None:
        self.pictures: list[Picture] = []
        self._keys = list(keys)

    def show(self, picture: Picture) -> Key:
        self.pictures.append(picture)
        return self._keys.pop(0) if self._keys else "none"

    def close(self) -> None:
        pass


def watched(
    bundle: Path, colours: list[tuple[int, int, int]], keys: Sequence[Key], save: Path | None = None
) -> tuple[list[Picture], list[Judged], Loop]:
    screen, told = KeptScreen(keys), list[Judged]()
    frames = [np.ascontiguousarray(plate(colour)[..., ::-1]) for colour in colours]
    with Classifier.open(bundle) as classifier:
        loop = Loop(classifier, screen, told.append, save)
        loop.run(frames)
    return screen.pictures, told, loop


def test_a_photo_that_is_no_use_stays_until_a_good_one_comes(bundle: Path) -> None:
    colours = [ANSWER, RETAKE, (4, 4, 12), (12, 4, 4), REFER]
    pictures, told, loop = watched(bundle, colours, [])
    decisions = [judged.prediction.decision for judged in told]
    assert decisions == ["answer", "retake", "retake", "retake", "refer"]
    np.testing.assert_array_equal(pictures[1], loop.overlay(told[1]))
    np.testing.assert_array_equal(pictures[2], loop.overlay(told[1], told[2]))
    np.testing.assert_array_equal(pictures[3], loop.overlay(told[1], told[3]))
    np.testing.assert_array_equal(pictures[4], loop.overlay(told[4]))


def test_a_key_lets_a_frozen_picture_go(bundle: Path) -> None:
    colours = [RETAKE, (4, 4, 12), (12, 4, 4)]
    pictures, told, loop = watched(bundle, colours, ["none", "other"])
    np.testing.assert_array_equal(pictures[1], loop.overlay(told[0], told[1]))
    np.testing.assert_array_equal(pictures[2], loop.overlay(told[2]))


def test_quit_ends_it(bundle: Path) -> None:
    pictures, told, _ = watched(bundle, [ANSWER] * 5, ["none", "quit"])
    assert (len(pictures), len(told)) == (2, 2)


def test_space_keeps_the_frame_that_is_on_the_screen(bundle: Path, tmp_path: Path) -> None:
    colours = [RETAKE, (4, 4, 12), ANSWER]
    _, told, _ = watched(bundle, colours, ["none", "capture", "capture"], tmp_path)
    pictures = sorted(tmp_path.glob("*.png"), key=lambda file: file.stem.rsplit("-", 1)[1])
    assert len(pictures) == 2
    for file, judged in zip(pictures, (told[0], told[2]), strict=True):
        np.testing.assert_array_equal(cv2.imread(str(file)), judged.frame)
        facts = json.loads(file.with_suffix(".json").read_text())
        assert (facts["image"], facts["frame"]) == (file.name, judged.number)
        assert facts["decision"] == judged.prediction.decision
        assert facts["logits"] == pytest.approx(judged.prediction.logits)


def test_space_without_a_folder_says_so(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watched(bundle, [ANSWER], ["capture"])
    assert "--save FOLDER" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "key"),
    [
        (-1, "none"),
        (ord("q"), "quit"),
        (27, "quit"),
        (32, "capture"),
        (0x10001B, "quit"),
        (97, "other"),
    ],
)
def test_keys(code: int, key: Key) -> None:
    assert key_of(code) == key


# Where frames come from


def test_a_video_gives_every_frame_and_a_camera_the_newest(video: Path) -> None:
    with open_frames(str(video)) as frames:
        assert len(list(frames)) == 5
    with LiveFrames(cv2.VideoCapture(str(video)), "camera 0") as live:
        wait_for(lambda: not reading())  # meanwhile one frame takes the place of the other
        frames_seen = iter(live)
        newest = next(frames_seen)
        assert np.abs(newest.astype(int) - plate(ANSWER)[..., ::-1]).max() < 12
        with pytest.raises(DeviceUnreachableError, match="camera 0 gives no more frames"):
            next(frames_seen)


def test_a_camera_is_given_back(video: Path) -> None:
    capture = cv2.VideoCapture(str(video))
    with LiveFrames(capture, "camera 0"):
        pass
    assert not reading()
    assert not capture.isOpened()


def reading() -> bool:
    return any(thread.name == "edgekd-camera" for thread in threading.enumerate())


def wait_for(condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("none.avi", "no camera or video file"),
        ("99999999999999999999", "no camera 99999999999999999999"),
        ("http://127.0.0.1/a.mp4", "is an address"),
        ("rtsp://camera", "is an address"),
        ("", "no camera or video file"),
        (".", "no camera or video file"),
    ],
)
def test_what_is_no_source(source: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_frames(source)


def test_a_file_that_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match="cannot be read as a video"):
        open_frames(str(tmp_path / "a.mp4"))


def test_a_playlist_fetches_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{address}\n#EXT-X-ENDLIST\n"
        (tmp_path / "list.m3u8").write_text(text)
        with pytest.raises(InputError, match="cannot be read as a video"):
            open_frames(str(tmp_path / "list.m3u8"))
        with pytest.raises(TimeoutError):
            server.accept()


def test_sizes_of_screens() -> None:
    assert size_of("480x320") == (480, 320)
    for wrong in ("480", "480x", "0x0", "100x100", "480x99999", "-480x320", ""):
        with pytest.raises(InputError, match="no size of a screen"):
            size_of(wrong)


# The verb


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


def test_no_camera_is_exit_5(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if Path("/dev/video97").exists():
        pytest.skip("this machine has that many cameras")
    assert main(["predict", str(bundle), "--camera", "97", "--headless"]) == 5
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith("error: no camera 97; ")


def test_a_window_that_this_opencv_has_not_is_exit_3(
    bundle: Path, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not any(line.split() == ["GUI:", "NONE"] for line in cv2.getBuildInformation().splitlines()):
        pytest.skip("this OpenCV has windows")
    assert main(["predict", str(bundle), "--camera", str(video)]) == 3
    said = capsys.readouterr()
    assert "pip install opencv-python;" in said.err
    assert "--headless" in said.err
    assert said.out == ""


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
    heavy = ["cv2", "edgekd.runtime", "edgekd.cli.camera.watch"]
    code = (
        "import sys; from edgekd.cli import main; assert main(['predict', '--help']) == 0; "
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
