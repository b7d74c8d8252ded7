"""Floors on every backend: a good student, and three that lose nothing by being lowered.

Two networks are trained for seconds, one on images in which melanoma looks like a naevus. The
worthless students are these with another last layer; the gate against the float student passes for
each of them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import lenient
import numpy as np
import pytest
import torch
from torch import nn

from edgekd.bundle import Bundle, PolicyRecord
from edgekd.cli import main
from edgekd.models import load_checkpoint, save_checkpoint
from edgekd.models.card import METRICS, SPLIT
from edgekd.runtime import Classifier
from edgekd.seals import seal_files

COLOURS = {
    "bcc": (40, 40, 220), "bkl": (40, 220, 40), "mel": (220, 40, 40), "nv": (200, 200, 200),
}  # fmt: skip
NUMBERS = {"bcc": 120, "bkl": 120, "mel": 240, "nv": 420}
CLASSES = tuple(COLOURS)
MEL, NV = CLASSES.index("mel"), CLASSES.index("nv")
QUICK = ("cpu-onnx",)
ALL = ("cpu", "cpu-onnx", "rpi", "jetson")
"""One of each backend; what is built for the Jetson is judged by ONNX Runtime here."""

each_backend = pytest.mark.parametrize(
    "targets",
    [pytest.param(QUICK, id="quick"), pytest.param(ALL, id="all", marks=pytest.mark.slow)],
)
MadeOnce = Callable[[str, Callable[[Path], None]], Path]

RECIPE = """
name: four
image_size: 32
data: {{source: csv, file: {table}, classes: [bcc, bkl, mel, nv]}}
split: {{validation: 0.6, test: 0.1}}
student:
  model: {{arch: resnet10t, options: {{channels: [8, 8, 16, 16], stem_width: 8, act_layer: relu6}}}}
  fit: {{epochs: 10, batch_size: 16, learning_rate: 1.0e-2}}
method: {{name: none}}
"""

Head = Callable[[nn.Linear], None]


def train(folder: Path, colours: dict[str, tuple[int, int, int]]) -> None:
    """A student of images with these mean colours, and noise."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    rows = ["image,label"]
    for label, colour in colours.items():
        for number in range(NUMBERS[label]):
            image = np.array(colour) + generator.normal(0, 25, size=(32, 32, 3))
            name = f"{label}-{number}.png"
            assert cv2.imwrite(str(folder / name), np.clip(image, 0, 255).astype("u1"))
            rows.append(f"{name},{label}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    (folder / "recipe.yaml").write_text(RECIPE.format(table=folder / "labels.csv"))
    out = folder / "run" / "student"
    command = ["train", str(folder / "recipe.yaml"), "--role", "student", "--out", str(out)]
    assert main([*command, "--set", "trainer.threads=1"]) == 0


@pytest.fixture(scope="module")
def good(made_once: MadeOnce) -> Path:
    """A student that recognises four classes."""
    return made_once("good", lambda folder: train(folder, COLOURS)) / "run" / "student"


@pytest.fixture(scope="module")
def blind(made_once: MadeOnce) -> Path:
    """A student for which nothing distinguishes melanoma from a naevus."""
    colours = COLOURS | {"mel": COLOURS["nv"]}
    return made_once("blind", lambda folder: train(folder, colours)) / "run" / "student"


def constant(head: nn.Linear) -> None:
    """The same answer for every image."""
    head.weight.zero_()
    head.bias.copy_(torch.eye(len(CLASSES))[NV] * 5)


def lost(head: nn.Linear) -> None:
    """Melanoma is never answered; a naevus is, with great confidence."""
    head.bias[MEL] -= 6


def referring(head: nn.Linear) -> None:
    """Melanoma is nearly as probable as a naevus, whichever of them is shown."""
    head.weight[MEL] = head.weight[NV]
    head.bias[MEL] = head.bias[NV] - 0.1


def variant(good: Path, change: Head, out: Path) -> Path:
    """The good student with another last layer."""
    checkpoint = load_checkpoint(good)
    head = checkpoint.network.get_classifier()
    with torch.no_grad():
        change(head)
    save_checkpoint(out, checkpoint.network, checkpoint.card)
    for name in (SPLIT, METRICS):
        shutil.copyfile(good / name, out / name)
    seal_files(out, [file.name for file in out.iterdir()])
    return out


def built(
    model: Path, out: Path, capsys: pytest.CaptureFixture[str], *flags: str,
    targets: tuple[str, ...] = QUICK,
) -> tuple[int, dict[str, Any], str]:  # fmt: skip
    """Exit code, results by target, and stderr."""
    capsys.readouterr()
    command = ["build", "--target", ",".join(targets), "--precision", "fp32", "--json"]
    code = main([*command, "--model", str(model), "--out", str(out), *flags])
    printed = capsys.readouterr()
    return code, {one["target"]: one for one in json.loads(printed.out)}, printed.err


def policy_of(bundle: Path) -> PolicyRecord:
    with Bundle.open(bundle) as opened:
        record = opened.manifest.policy
    assert record is not None
    return record


CHANCE = "balanced accuracy is 0.250 [0.250, 0.250]; the lower end does not exceed 0.25"
ANSWERED = "the share of images that get an answer is"


@each_backend
@pytest.mark.parametrize(
    ("student", "change", "sentence"),
    [
        pytest.param("good", constant, CHANCE, id="constant"),
        pytest.param("blind", lost, ANSWERED, id="lost-melanoma", marks=pytest.mark.slow),
        pytest.param("blind", referring, ANSWERED, id="refers-everybody", marks=pytest.mark.slow),
    ],
)
def test_worthless_student_is_refused_on_every_backend(
    request: pytest.FixtureRequest, targets: tuple[str, ...], student: str, change: Head,
    sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    model = variant(request.getfixturevalue(student), change, tmp_path / "student")
    code, bundles, err = built(model, tmp_path / "out", capsys, targets=targets)
    assert code == 4
    assert set(bundles) == set(targets)
    for name in targets:
        assert bundles[name]["path"] is None, name
        error = bundles[name]["error"]
        assert error["exit_code"] == 4
        assert "a floor of the policy dermoscopy is not met" in error["message"]
        assert sentence in error["message"]
        assert "--research" in error["hint"]
    assert sentence in err
    assert {path.name for path in (tmp_path / "out").iterdir()} <= {"logs"}


@pytest.mark.slow
@each_backend
def test_good_student_is_taken_on_every_backend(
    good: Path, targets: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, bundles, _ = built(good, tmp_path / "out", capsys, targets=targets)
    assert code == 0
    assert set(bundles) == set(targets)
    for name in targets:
        assert bundles[name]["passed"]
        record = policy_of(Path(bundles[name]["path"]))
        assert (record.name, record.research) == ("dermoscopy", False)
        assert record.critical == {"bcc": 0.1, "mel": 0.05}
        assert {floor.code for floor in record.floors} == {"beyond-chance", "noticed", "answered"}
        assert all(floor.met for floor in record.floors)
        assert record.warnings == ()
        assert record.teacher is not None
        assert record.teacher.state == "not-measured"
        assert "trained without a teacher" in (record.teacher.reason or "")


@pytest.mark.slow
def test_lost_class_is_named_where_nobody_is_referred_for_it(
    blind: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With thresholds the lost class shows in the answers that are left; without, by itself."""
    policy = tmp_path / "answers.toml"
    text = lenient.POLICY.read_text().replace("critical_sensitivity = 0.9", "")
    policy.write_text(text.replace("[floors]", "[floors]\nnoticed = 0.9"))
    model = variant(blind, lost, tmp_path / "student")
    code, bundles, _ = built(model, tmp_path / "out", capsys, "--policy", str(policy))
    assert code == 4
    message = bundles["cpu-onnx"]["error"]["message"]
    assert "the share of mel images in which mel is answered or referred is 0." in message
    assert "bcc is answered or referred" not in message  # which is not lost


def test_research_takes_it_all_the_same_and_says_so(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = variant(good, constant, tmp_path / "student")
    code, bundles, err = built(model, tmp_path / "out", capsys, "--research")
    assert code == 0
    assert f"warning: cpu-onnx-fp32: for research, floor not met: {CHANCE}" in err
    assert bundles["cpu-onnx"]["policy"]["research"]
    bundle = Path(bundles["cpu-onnx"]["path"])
    record = policy_of(bundle)
    assert record.research
    assert f"for research, floor not met: {CHANCE}" in record.warnings
    assert f"for research, floor not met: {CHANCE}" in (bundle / "card.md").read_text()
    with Classifier.open(bundle) as classifier:
        assert set(record.warnings) <= set(classifier.warnings)
    image = next((good.parents[1]).glob("mel-*.png"))
    assert main(["predict", str(bundle), str(image)]) == 0
    assert f"for research, floor not met: {CHANCE}" in capsys.readouterr().err
    assert main(["verify", str(bundle), "--json"]) == 0
    assert set(record.warnings) <= set(json.loads(capsys.readouterr().out)["warnings"])
    code, bundles, _ = built(model, tmp_path / "out", capsys)
    assert code == 4  # without the flag the bundle that is there is none of this build
