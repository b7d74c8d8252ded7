"""Bundles without images: the certified file leaves with its evidence, and no other one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shipped_builds import build

from edgekd.bench.report.states import research_state
from edgekd.bench.result import ResultRow
from edgekd.bench.subjects.policy import policy_of_bundle
from edgekd.bundle import Bundle
from edgekd.bundle.features import read_features
from edgekd.cli import main
from edgekd.data import read_split
from edgekd.data.synthetic import CLASSES
from edgekd.errors import ArtefactError, InputError
from edgekd.evaluation.leaks import find_leaks
from edgekd.files import sha256_of
from edgekd.lower.built import BuiltBundle
from edgekd.lower.int8.recorded_ranges import RecordedRanges
from edgekd.lower.shipped.rebuild_jobs import NotCertifiedError
from edgekd.lower.shipped.student import read_student
from edgekd.runtime import Classifier


def change_a_byte(folder: Path, reseal: Callable[[Path], None]) -> None:
    """Change one byte of a range, as if the student had been shipped so."""
    (file,) = (folder / "ranges").iterdir()
    ranges = RecordedRanges.load(file)
    names = list(ranges.tensors)
    name = names[names.index("logits") - 1]  # the input of the head, which reads integers
    low, high = ranges.tensors[name]
    raw = bytearray(np.float32(high).tobytes())
    raw[2] ^= 1
    changed = {**ranges.tensors, name: (low, np.frombuffer(raw, np.float32)[0])}
    RecordedRanges(changed, ranges.images).save(file)
    reseal(folder)


@pytest.fixture(scope="module")
def certified(students: Path, tmp_path_factory: pytest.TempPathFactory) -> BuiltBundle:
    return build(students / "tiny-student", tmp_path_factory.mktemp("out"))


def test_the_certified_file_is_built_again_with_its_evidence(
    certified: BuiltBundle, students: Path
) -> None:
    assert certified.error is None
    recorded = read_student(students / "tiny-student").certificates["cpu-onnx"]
    manifest = certified.manifest
    assert manifest is not None
    assert certified.path is not None
    entry = recorded.files[recorded.model_file]
    assert sha256_of(certified.path / manifest.model_file) == entry.sha256
    assert manifest.certificate is not None
    assert manifest.certificate.certified
    assert manifest.certificate.student == "tiny-student"
    assert manifest.decision == recorded.decision
    assert manifest.metrics == recorded.metrics
    assert manifest.lowering.rungs == recorded.lowering.rungs
    assert manifest.policy == recorded.policy
    assert "SHA-256 of the one that was judged" in (certified.path / "card.md").read_text()


def test_the_run_and_the_package_give_the_same_file(certified: BuiltBundle, bundles: Path) -> None:
    assert certified.path is not None
    one = (bundles / "cpu-onnx-int8" / "model.onnx").read_bytes()
    assert (certified.path / "model.onnx").read_bytes() == one


def test_the_bundle_works_and_its_selftest_is_painted(
    certified: BuiltBundle, students: Path, small_run: Path
) -> None:
    photo = next(iter(sorted((small_run / "data" / "images").glob("*.jpg"))))
    assert certified.path is not None
    with Classifier.open(certified.path) as classifier:
        assert classifier.warnings == ()
        assert classifier.selftest().images >= 16
        assert classifier.predict(photo).label in classifier.classes
    painted = read_student(students / "tiny-student").images
    with np.load(certified.path / "selftest.npz") as vectors:
        np.testing.assert_array_equal(vectors["images"], painted)


def test_the_images_of_training_are_known_without_them(
    certified: BuiltBundle, students: Path, small_run: Path, tmp_path: Path
) -> None:
    """Whoever tests the bundle, or the student, on those learns it by their bytes."""
    folder = students / "tiny-student"
    assert certified.path is not None
    split = read_split(
        small_run / "student" / "split.csv", small_run / "data", name="", classes=CLASSES
    )
    images = split.dataset.paths()
    for leaks in find_leaks([certified.path, folder], images):
        assert leaks.reason == ""
        assert leaks.by_part() == {
            part: len(split.indices(part)) for part in ("train", "validation")
        }
    unlisted = build(folder, tmp_path, list_images=False)
    assert unlisted.path is not None
    assert not (unlisted.path / "seen-images.json").exists()


def test_a_bundle_that_is_there_is_left_as_it_is(certified: BuiltBundle, students: Path) -> None:
    assert certified.path is not None
    again = build(students / "tiny-student", certified.path.parent)
    assert (again.fresh, again.path) == (False, certified.path)
    zipped = build(students / "tiny-student", certified.path.parent, zipped=True)
    assert zipped.path is not None
    with Bundle.open(zipped.path) as bundle:
        assert bundle.manifest.certificate == again.manifest.certificate  # type: ignore[union-attr]


# ---- not certified ----


@pytest.mark.slow
def test_one_byte_of_a_range_makes_another_file_which_is_not_certified(
    copy: Path, reseal: Callable[[Path], None], tmp_path: Path
) -> None:
    change_a_byte(copy, reseal)
    built = build(copy, tmp_path / "out")
    assert isinstance(built.error, NotCertifiedError)
    assert built.error.exit_code == 4
    assert "is not the file that was judged where tiny-student was made" in built.error.message
    assert f"--model {copy}" in built.error.hint
    assert "--data FILE.csv" in built.error.hint
    assert not (tmp_path / "out" / "cpu-onnx").exists()

    marked = build(copy, tmp_path / "out", research=True)
    assert marked.error is None
    assert marked.path is not None
    assert_marked(marked.path)


def assert_marked(path: Path) -> None:
    """Manifest, card, runtime and results say that a bundle is not certified."""
    with Classifier.open(path) as classifier:
        (warning,) = classifier.warnings
        manifest = classifier.manifest
    assert warning.startswith("for research, not certified: ")
    assert manifest.policy is not None
    assert manifest.policy.research
    assert "artefact" not in manifest.metrics
    assert "decision" not in manifest.metrics
    assert [rung.gate for rung in manifest.lowering.rungs] == [None]
    card = (path / "card.md").read_text()
    assert f"**{warning}**" in card
    assert "Nothing was measured on this file" in card
    marks = policy_of_bundle(manifest)
    assert marks.research
    row = ResultRow(name="x", role="artefact", research=True, below_floors=list(marks.below_floors))
    assert research_state(row) == ("bad", "for research, not certified")


def test_a_precision_without_a_certificate_is_not_certified(students: Path, tmp_path: Path) -> None:
    built = build(students / "tiny-student", tmp_path, precisions=("fp32",))
    assert isinstance(built.error, NotCertifiedError)
    assert "no certificate of fp32 for cpu-onnx" in built.error.message
    marked = build(students / "tiny-student", tmp_path, precisions=("fp32",), research=True)
    assert marked.path is not None
    assert_marked(marked.path)
    recorded = read_student(students / "tiny-student").certificates["cpu-onnx"]
    assert marked.manifest is not None
    assert marked.manifest.decision == recorded.decision
    assert marked.manifest.lowering.precision == "fp32"
    assert marked.manifest.lowering.calibration is None


def test_a_damaged_student_is_exit_6(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file,) = (copy / "ranges").iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    words = ["--target", "cpu-onnx", "--model", str(copy), "--out", str(tmp_path / "out")]
    assert main(["build", *words]) == ArtefactError.exit_code
    assert file.name in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("policy", "none"),
        ("tighten", {"max_flips": 0.0}),
        ("critical", {"nv": 0.05}),
        ("teacher", Path("teacher")),
        ("all_rungs", True),
        ("quantisation_aware", True),
        ("via", "torch-tensorrt"),
    ],
)
def test_what_means_to_judge_files_needs_images(
    students: Path, tmp_path: Path, option: str, value: Any
) -> None:
    with pytest.raises(InputError, match=r"needs labelled images") as caught:
        build(students / "tiny-student", tmp_path, **{option: value})
    assert "--data" in caught.value.hint


def test_the_original_images_judge_it_as_any_checkpoint(
    students: Path, small_run: Path, tmp_path: Path
) -> None:
    """Whoever has the data set makes the very certificates again."""
    built = build(
        students / "tiny-student", tmp_path, data_root=small_run / "data", precisions=("int8",)
    )
    assert built.manifest is not None
    assert built.manifest.certificate is None
    recorded = read_student(students / "tiny-student").certificates["cpu-onnx"]
    assert built.manifest.files["model.onnx"] == recorded.files["model.onnx"]
    assert built.manifest.decision == recorded.decision
    shutil.rmtree(tmp_path)


@pytest.mark.slow
def test_a_student_without_images_has_features_too(students: Path, tmp_path: Path) -> None:
    built = build(students / "tiny-student", tmp_path, features=True)
    assert built.path is not None
    with Bundle.open(built.path) as bundle:
        record, files = bundle.manifest.features, read_features(bundle)
        assert bundle.manifest.certificate is not None
        assert bundle.manifest.certificate.certified
    assert record is not None
    assert files is not None
    assert record.max_difference < 1e-3
    again = build(students / "tiny-student", tmp_path, features=True)
    assert not again.fresh
