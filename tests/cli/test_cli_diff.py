"""`edgekd diff`: two students by a plan; an allowed change is 0, all else 4 with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import refused
from tiny_bundles import ANSWER, write_photo, write_tiny_bundle

from edgekd.bundle import Lineage
from edgekd.bundle.seen_images import SEEN_IMAGES, SeenImages
from edgekd.cli import main
from edgekd.data.image_hashes import image_hashes

MEANS = np.array([[4.0, -3.0, 0.5], [-2.0, 5.0, 1.0], [1.0, -1.0, 3.0]], np.float32) / 64
GREEN, BLUE = (20, 240, 20), (20, 20, 240)
PLAN = """\
name: seeds
may_change: [method]
margins:
  - {figure: balanced_accuracy, worse: 0.2}
  - {figure: sensitivity, of: mel, worse: 0.25, images: 20}
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "old", lineage=Lineage(method="kd", seed=1))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Another student of the same method, whose answers are the same."""
    weights = (1.01 * MEANS).astype(np.float32)
    lineage = Lineage(method="kd", seed=2)
    return write_tiny_bundle(tmp_path / "new", lineage=lineage, weights=weights)


@pytest.fixture
def blind(tmp_path: Path) -> Path:
    """One that has unlearnt melanoma."""
    lineage = Lineage(method="kd", seed=3)
    weights = MEANS[:, [0, 2, 1]]
    return write_tiny_bundle(tmp_path / "blind", lineage=lineage, weights=weights)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = ["image,label"]
    for number in range(75):
        label, colour = (("bkl", ANSWER), ("mel", GREEN), ("nv", BLUE))[number % 3]
        shade = tuple(max(0, part - number // 3) for part in colour)
        write_photo(tmp_path / f"{number}.png", shade)
        lines.append(f"{number}.png,{label}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    return tmp_path / "table.csv"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    (tmp_path / "plan.yaml").write_text(PLAN)
    return tmp_path / "plan.yaml"


def outside(capsys: pytest.CaptureFixture[str], words: list[str], *reasons: str) -> str:
    """The verdict of a change outside of its plan, as it is printed."""
    capsys.readouterr()
    assert main(["diff", *words]) == 4
    printed = capsys.readouterr()
    (error,) = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    for reason in reasons:
        assert reason in error
    assert "outside of" in printed.out
    return printed.out


def test_an_allowed_change_within_its_margins(
    old: Path, new: Path, table: Path, plan: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    files = {kind: tmp_path / f"out.{kind}" for kind in ("json", "markdown", "html")}
    outputs = [word for kind, file in files.items() for word in (f"--{kind}", str(file))]
    words = [str(old), str(new), "--plan", str(plan), "--csv", str(table), *outputs]
    assert main(["diff", *words]) == 0
    printed = capsys.readouterr().out
    assert "within the plan seeds" in printed
    assert "| method | lineage.seed | 1 | 2 | allowed |" in printed
    assert files["markdown"].read_text() == printed
    assert "<h1>Change of a bundle</h1>" in files["html"].read_text()
    values = json.loads(files["json"].read_text())
    assert values["verdict"]["within"] is True
    (mel,) = [f for f in values["figures"] if (f["figure"], f["of"]) == ("sensitivity", "mel")]
    assert (mel["images"], mel["difference"]["value"]) == (25, 0.0)


def test_a_forbidden_change_says_why(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.yaml").write_text("name: seeds\nmay_change: [method]\nmargins: []\n")
    lineage = Lineage(method="kd", seed=1, data_sha256="other")
    retrained = write_tiny_bundle(tmp_path / "data", lineage=lineage)
    words = [str(old), str(retrained), "--plan", str(tmp_path / "plan.yaml")]
    reason = "lineage.data_sha256 changed from none to other, and the plan allows no change of data"
    outside(capsys, words, "outside of the plan seeds", reason)


def test_a_margin_that_does_not_hold_says_why(
    old: Path, blind: Path, table: Path, plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(old), str(blind), "--plan", str(plan), "--csv", str(table)]
    printed = outside(capsys, words, "balanced accuracy changed by", "(and 1 more)")
    assert "sensitivity of mel changed by -100.0 points" in printed


def test_without_images_no_margin_holds(
    old: Path, new: Path, plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(old), str(new), "--plan", str(plan)]
    printed = outside(capsys, words, "was not compared on the same images: give --csv")
    assert "are not paired and decide nothing" in printed


def test_without_a_plan_there_is_no_verdict(
    old: Path, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", str(old), str(new)]) == 0
    assert "there is no verdict" in capsys.readouterr().out


def test_images_that_a_bundle_was_made_with_are_refused(
    old: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hashes = image_hashes([tmp_path / "3.png"])
    listed = SeenImages.of({"train": hashes}, "split").encode()
    seen = write_tiny_bundle(tmp_path / "seen", files={SEEN_IMAGES: listed})
    words = ["diff", str(old), str(seen), "--csv", str(table)]
    refused(capsys, words, 2, "1 of 75 images are not new to")


def test_the_plans_template_is_a_plan(
    tmp_path: Path, old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["diff", "--plan-template"]) == 0
    (tmp_path / "mine.yaml").write_text(capsys.readouterr().out)
    assert main(["diff", str(old), str(old), "--plan", str(tmp_path / "mine.yaml")]) == 4


def test_a_plan_that_is_none(
    old: Path, new: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.yaml").write_text("name: a\nmay_change: [methods]\nmargins: []\n")
    words = ["diff", str(old), str(new), "--plan", str(tmp_path / "plan.yaml")]
    refused(capsys, words, 2, "'methods'", "did you mean 'method'?")
