"""Bundles from a real student: what is made again, what is refused, and what a kill leaves."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lenient
import msgspec
import pytest
import torch

from edgekd.bundle import Bundle, Rung
from edgekd.bundle.manifest import encode_manifest
from edgekd.bundle.seen_images import read_seen_images
from edgekd.data.image_hashes import image_hashes
from edgekd.errors import GateFailedError, InputError
from edgekd.lower.build import BuiltBundle, build
from edgekd.lower.plan import BuildRequest
from edgekd.models import load_checkpoint, save_checkpoint
from edgekd.models.card import CARD, WEIGHTS, read_card, read_own_split
from edgekd.policy import load_policy
from edgekd.seals import seal_files
from edgekd.targets import Target, load_target

POLICY = ["--policy", str(lenient.POLICY)]
NO_FLIPS = {"max_flips": 0.0}

BUILD = ["build", "--target", "cpu-onnx", "--precision", "fp32", *POLICY]


class Notes:
    """A watch that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.lowered: list[tuple[str, str]] = []
        self.ran: list[tuple[str, str]] = []
        self.rungs: list[tuple[str, Rung]] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def state(self, backend: str, label: str, state: str) -> None:
        if state in ("lowering", "ran"):
            (self.lowered if state == "lowering" else self.ran).append((backend, label))

    def rung(self, bundle: str, rung: Rung) -> None:
        self.rungs.append((bundle, rung))


@pytest.fixture(scope="module")
def loud_run(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run with a student that int8 answers wrongly for, on every machine.

    In front of some convolutions all channels but one are a thousandth of what they were, and its
    weights a thousand times: the same function but where ReLU6 had cut. The one, which nothing
    reads, is so loud that a step of eight bits is larger than what the others say.
    """
    run = tmp_path_factory.mktemp("loud") / "run"
    shutil.copytree(small_run, run)
    checkpoint = load_checkpoint(run / "student")
    blocks: list[Any] = [checkpoint.network.get_submodule(f"layer{n}.0") for n in (1, 2, 3, 4)]
    with torch.no_grad():
        for block in blocks:
            block.bn1.weight /= 1000
            block.bn1.bias /= 1000
            block.conv2.weight *= 1000
            block.bn1.bias[0], block.conv2.weight[:, 0] = 6.0, 0.0
    save_checkpoint(run / "student", checkpoint.network, checkpoint.card)
    seal_files(run / "student", [CARD, WEIGHTS])
    return run


@pytest.fixture
def target() -> Target:
    return load_target("cpu-onnx")


def run(
    model: Path, out: Path, targets: Sequence[Target], **options: Any
) -> tuple[list[BuiltBundle], Notes]:
    notes = Notes()
    options = {"policy": lenient.POLICY, **options}
    return build(BuildRequest(model, targets, out, observer=notes, **options)), notes


def test_building_again_makes_nothing_again(
    small_run: Path, target: Target, tmp_path: Path
) -> None:
    ((first,), notes) = run(small_run, tmp_path / "a", [target])
    assert first.passed
    assert first.path is not None
    assert first.manifest is not None
    assert {label for _, label in notes.lowered} <= {"int8", "fp32"}
    written = (first.path / "manifest.json").stat()
    ((again,), notes) = run(small_run, tmp_path / "a", [target])
    assert not again.fresh
    assert encode_manifest(again.manifest) == encode_manifest(first.manifest)
    assert (first.path / "manifest.json").stat().st_ino == written.st_ino
    ((elsewhere,), more) = run(small_run, tmp_path / "b", [target])
    assert elsewhere.fresh
    assert encode_manifest(elsewhere.manifest) == encode_manifest(first.manifest)
    assert (notes.lowered, notes.ran, more.lowered, more.ran) == ([], [], [], [])


@pytest.mark.slow
def test_another_calibration_list_lowers_int8_again_and_nothing_else(
    small_run: Path, target: Target, tmp_path: Path
) -> None:
    run(small_run, tmp_path, [target])
    ((built,), notes) = run(small_run, tmp_path, [target], calibration_images=80)
    assert built.fresh
    assert notes.lowered == [("onnx", "int8")]
    assert notes.ran == [("onnx", "int8")]
    assert built.manifest is not None
    calibration = built.manifest.lowering.calibration
    assert calibration is not None
    assert (calibration["images"], len(calibration["list"])) == (80, 80)


def test_a_damaged_bundle_is_built_again(small_run: Path, target: Target, tmp_path: Path) -> None:
    ((first,), _) = run(small_run, tmp_path, [target])
    assert first.path is not None
    (first.path / "model.onnx").write_bytes(b"damaged")
    ((again,), _) = run(small_run, tmp_path, [target])
    assert again.fresh
    Bundle.open(first.path).close()


def test_a_bundle_lists_the_images_that_it_was_made_of(
    small_run: Path, target: Target, tmp_path: Path
) -> None:
    ((built,), _) = run(small_run, tmp_path, [target])
    split = read_own_split(small_run / "student", read_card(small_run / "student"))
    hashes = image_hashes(split.dataset.paths())
    assert built.path is not None
    with Bundle.open(built.path) as bundle:
        listed = read_seen_images(bundle)
    assert listed is not None
    expected = [None if part == "test" else part for part in split.parts]
    assert [listed.part_of(image) for image in hashes] == expected
    ((other,), _) = run(small_run, tmp_path, [target], list_images=False)
    assert other.fresh
    with Bundle.open(built.path) as bundle:
        assert read_seen_images(bundle) is None


def test_a_build_of_kept_things_needs_no_torch(
    small_run: Path, target: Target, tmp_path: Path
) -> None:
    run(small_run, tmp_path / "a", [target], precisions=("fp32",))
    arguments = [*BUILD, "--model", str(small_run), "--out", str(tmp_path / "b")]
    code = (
        f"import sys; from edgekd.cli import main; assert main({arguments!r}) == 0; "
        "print(sorted({'torch', 'onnx', 'timm', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert "onnx fp32: lowering" not in done.stderr


def test_every_rung_is_judged_and_the_card_tells(
    small_run: Path, target: Target, tmp_path: Path
) -> None:
    ((built,), notes) = run(small_run, tmp_path, [target], all_rungs=True)
    assert built.manifest is not None
    assert built.path is not None
    lowering = built.manifest.lowering
    ladder = [rung.precision for rung in lowering.rungs]
    assert ladder == ["int8", *["int8-mixed"] * (len(ladder) - 2), "fp32"]
    assert len(ladder) > 2
    assert [rung.chosen for rung in lowering.rungs].count(True) == 1
    assert all(rung.gate is not None and rung.host_latency_ms for rung in lowering.rungs)
    sets = [rung.float_layers for rung in lowering.rungs if rung.float_layers]
    assert sets[0] == tuple(one.layer for one in lowering.layer_sensitivity[: len(sets[0])])
    assert any("most sensitive" in line for line in notes.lines)
    card = (built.path / "card.md").read_text()
    for heading in (
        "## Intended use", "## Data", "## Decision", "## Measured on the validation part",
        "## The gate, against the float student", "## Layers most sensitive to int8", "## Caveats",
    ):  # fmt: skip
        assert heading in card
    assert lowering.layer_sensitivity[0].layer in card


def test_the_decision_is_fitted_on_the_file_and_says_on_what(
    small_run: Path, target: Target, tmp_path: Path
) -> None:
    ((built,), _) = run(small_run, tmp_path, [target])
    assert built.manifest is not None
    decision = built.manifest.decision
    assert decision.temperature != 1.0
    assert decision.refer_coverage == pytest.approx(0.9, abs=0.01)
    assert decision.conformal_quantile is not None
    assert 0 < decision.conformal_quantile <= 1
    assert decision.energy_threshold is not None
    assert decision.fitted_on["part"] == "validation"
    points = built.manifest.metrics["operating_points"]
    fitted = {name for name, point in points.items() if point["threshold"] is not None}
    assert fitted == set(decision.thresholds or {})
    assert all(point["reason"] for name, point in points.items() if name not in fitted)
    outcome = built.manifest.metrics["decision"]
    assert outcome["answered"]["value"] <= 0.9 + 1e-9
    for shares in outcome["per_class"].values():
        total = sum(shares[key]["value"] for key in ("answered_right", "missed", "referred"))
        assert total == pytest.approx(1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "ladder",
    [
        pytest.param(("int8", "fp32"), id="short"),
        pytest.param(("int8", "int8-mixed", "fp32"), id="whole"),
    ],
)
def test_int8_that_fails_is_mixed_then_fine_tuned_and_the_safe_rung_is_taken(
    loud_run: Path, target: Target, ladder: tuple[str, ...], tmp_path: Path
) -> None:
    """No flip at all is allowed: int8 cannot keep that, fp32 can."""
    target = msgspec.structs.replace(target, ladder=ladder)
    ((built,), notes) = run(loud_run, tmp_path, [target], tighten=NO_FLIPS, quantisation_aware=True)
    by_precision = [(rung.precision, rung.gate and rung.gate.passed) for rung in built.rungs]
    assert by_precision[0] == ("int8", False)
    assert by_precision[-1] == ("fp32", True)
    assert built.manifest is not None
    taken = next(rung for rung in built.rungs if rung.chosen)
    assert taken == next(rung for rung in built.rungs if rung.gate and rung.gate.passed)
    if not any(passed for precision, passed in by_precision if precision == "int8-mixed"):
        assert built.rungs[-2].notes[0] == "fine-tuned with simulated int8"
        assert any("quantisation-aware fine-tuning" in line for line in notes.lines)


def test_insisting_on_int8_fails(loud_run: Path, target: Target, tmp_path: Path) -> None:
    with pytest.raises(GateFailedError, match=r"cpu-onnx-int8 passed its gate; int8: .* flip"):
        run(loud_run, tmp_path, [target], precisions=("int8", "fp32"), tighten=NO_FLIPS)
    built = [path.name for path in tmp_path.iterdir() if path.name != "logs"]
    assert built == ["cpu-onnx-fp32"]


def test_without_evidence_nothing_is_lowered(
    small_run: Path, target: Target, tmp_path: Path
) -> None:
    notes = Notes()
    request = BuildRequest(
        small_run, [target], tmp_path, policy=lenient.POLICY, critical={"mel": 0.01}, observer=notes
    )
    with pytest.raises(GateFailedError, match=r"no certificate for mel: .* fewer than the 299"):
        build(request)
    assert notes.lowered == []
    assert not (tmp_path / "cpu-onnx").exists()


def test_a_model_without_a_critical_class_needs_a_word(
    small_run: Path, target: Target, tmp_path: Path
) -> None:
    grades = msgspec.structs.replace(load_policy(lenient.POLICY), critical={"grade 4": 0.05})
    with pytest.raises(InputError, match="names none of the classes akiec, bcc") as caught:
        run(small_run, tmp_path, [target], policy=grades)
    assert "--critical none" in caught.value.hint
    with pytest.raises(InputError, match="`none` would drop the limit of the policy lenient for"):
        run(small_run, tmp_path, [target], critical={})
    with pytest.raises(InputError, match="the model has no class 'grade 3'"):
        run(small_run, tmp_path, [target], policy=grades, critical={"grade 3": 0.05})
    ((built,), _) = run(
        small_run, tmp_path, [target], policy=grades, critical={}, precisions=("fp32",)
    )
    assert built.rungs[0].gate is not None
    assert not any(change.critical for change in built.rungs[0].gate.per_class.values())


def test_the_teacher_beside_the_student_is_compared(
    small_run: Path, target: Target, tmp_path: Path
) -> None:
    ((built,), _) = run(small_run, tmp_path, [target], precisions=("fp32",))
    assert built.manifest is not None
    assert built.manifest.policy is not None
    record, metrics = built.manifest.policy.teacher, built.manifest.metrics
    assert record is not None
    teacher, file = (
        metrics[role]["balanced_accuracy"]["value"] for role in ("teacher", "artefact")
    )
    assert record.deficit == pytest.approx(teacher - file, abs=1e-9)
    assert record.state in ("not-inferior", "inferior", "not-shown")


def test_a_required_margin_without_a_teacher_is_missing_evidence(
    small_run: Path, target: Target, tmp_path: Path
) -> None:
    alone = tmp_path / "alone" / "student"
    shutil.copytree(small_run / "student", alone)
    policy = load_policy(lenient.POLICY)
    margin = msgspec.structs.replace(policy.teacher, required=True)
    required = msgspec.structs.replace(policy, teacher=margin)
    with pytest.raises(GateFailedError, match="beside the teacher: not measured") as caught:
        run(alone, tmp_path / "out", [target], precisions=("fp32",), policy=required)
    assert "--research" in caught.value.hint
    ((built,), _) = run(alone, tmp_path / "out", [target], precisions=("fp32",))
    assert built.manifest is not None
    assert built.manifest.policy is not None
    assert built.manifest.policy.warnings == ()  # reported, and decides nothing


def test_a_file_below_a_floor_is_reported_as_refused_and_never_as_taken(
    small_run: Path, target: Target, tmp_path: Path
) -> None:
    lenient_policy = load_policy(lenient.POLICY)
    decision = msgspec.structs.replace(lenient_policy.decision, refer_coverage=0.5)
    floors = msgspec.structs.replace(lenient_policy.floors, answered=0.95)
    policy = msgspec.structs.replace(lenient_policy, decision=decision, floors=floors)
    notes = Notes()
    request = BuildRequest(
        small_run, [target], tmp_path, policy=policy, precisions=("fp32",), observer=notes
    )
    with pytest.raises(GateFailedError, match="a floor of the policy lenient is not met"):
        build(request)
    reported = [rung for _, rung in notes.rungs]
    assert not any(rung.chosen for rung in reported)
    assert reported[-1].gate is not None
    assert "a floor of the policy" in reported[-1].gate.reasons[0]


def test_a_precision_that_a_target_lacks_is_refused(
    small_run: Path, target: Target, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="there is no fp16 for cpu-onnx") as caught:
        run(small_run, tmp_path, [target], precisions=("fp16",))
    assert "int8, int8-mixed, fp32" in caught.value.hint


# ---- kills ----


@pytest.mark.slow
@pytest.mark.parametrize(
    ("warm_kills", "cold_kills"), [(1, 1), pytest.param(14, 6, marks=pytest.mark.slow)]
)
def test_a_killed_build_leaves_the_old_bundle_or_the_new_one(
    small_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    warm_kills: int,
    cold_kills: int,
) -> None:
    """Kills at random moments of builds that take turns in what they write."""
    rng = random.Random(4)
    bundle = tmp_path / "out" / "cpu-onnx-fp32"
    cache = tmp_path / "cache"  # builds of other tests come and go in that of the session
    monkeypatch.setenv("EDGEKD_CACHE", str(cache))
    commands = [
        [
            sys.executable,
            "-m",
            "edgekd",
            *BUILD,
            "--model",
            str(small_run),
            "--out",
            str(tmp_path / "out"),
            *limits,
        ]
        for limits in ([], ["--tighten", "max_flips=0.02"])
    ]
    keys, seconds = [], []
    for command in commands:  # the second one finds what the first one lowered
        seconds.append(duration(command, cache))
        keys.append(key_of(bundle))
    assert keys[0] != keys[1]
    cold, warm = seconds
    for turn in range(warm_kills + cold_kills):
        is_warm = turn < warm_kills
        # Warm builds are short, and most of that is the start of Python: aim at the end.
        moment = rng.uniform(0.5, 1.1) * warm if is_warm else rng.uniform(0.0, 1.0) * cold
        kill_after(moment, commands[turn % 2], cache if is_warm else tmp_path / f"cold-{turn}")
        assert key_of(bundle) in keys
    for command, key in zip(commands, keys, strict=True):
        subprocess.run(command, check=True, capture_output=True)
        assert key_of(bundle) == key
    left = [path.name for path in bundle.parent.iterdir() if path.name.startswith(".")]
    assert left == []
    assert not list(cache.glob(".build*"))


def key_of(bundle: Path) -> str:
    """Every hash of the bundle is checked on the way."""
    with Bundle.open(bundle) as opened:
        return opened.manifest.lowering.build_key


def duration(command: list[str], cache: Path) -> float:
    start = time.perf_counter()
    environment = os.environ | {"EDGEKD_CACHE": str(cache)}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - start


def kill_after(seconds: float, command: list[str], cache: Path) -> None:
    environment = os.environ | {"EDGEKD_CACHE": str(cache)}
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def test_json_tells_the_whole_ladder(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from edgekd.cli import main

    arguments = ["--target", "cpu-onnx", *POLICY, "--model", str(small_run)]
    arguments += ["--out", str(tmp_path)]
    assert main(["build", *arguments, "--json"]) == 0
    ((bundle),) = json.loads(capsys.readouterr().out)
    assert [rung["precision"] for rung in bundle["rungs"]] == ["int8", "fp32"]
    assert bundle["precision"] == next(r["precision"] for r in bundle["rungs"] if r["chosen"])
    assert main(["build", *arguments]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    for said in ("cpu-onnx: int8", "MB, balanced accuracy", "worst class drop", "flips"):
        assert said in line
    assert line.endswith("(was there already)")
