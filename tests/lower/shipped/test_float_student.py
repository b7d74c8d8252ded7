"""The float student beside a file that is not certified: the network itself, in fp32."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from shipped_builds import build

from edgekd.bundle import Bundle
from edgekd.bundle.reference import read_reference
from edgekd.cli import main
from edgekd.errors import GateFailedError
from edgekd.lower.attempt import Measured
from edgekd.lower.context import BuildContext
from edgekd.lower.shipped.float_student import require_parity
from edgekd.lower.shipped.student import read_student
from edgekd.runtime.sessions import open_session
from edgekd.targets import load_target


@pytest.mark.slow
def test_an_uncertified_file_has_it_beside_it_and_a_certified_one_has_none(
    students: Path, tmp_path: Path
) -> None:
    student = read_student(students / "tiny-student")
    other = load_target("cpu")  # by OpenVINO, of which there is no certificate
    marked = build(student.folder, tmp_path, research=True, targets=[other], precisions=("fp16",))
    assert marked.error is None
    assert marked.path is not None
    with Bundle.open(marked.path) as bundle:
        record, files = bundle.manifest.reference, read_reference(bundle)
        certificate = bundle.manifest.certificate
    assert certificate is not None
    assert certificate.remedy == "edgekd certify BUNDLE --csv LABELS.csv --out CERTIFIED"
    assert record is not None
    assert files is not None
    assert set(record.files) == {"model.xml", "model.bin"}
    assert record.images == 16
    session = open_session(record.backend, files, threads=1)
    outputs = np.concatenate([session.run(image[None]) for image in student.images])
    session.close()
    difference = np.abs(outputs - student.source().outputs).max()
    assert difference == pytest.approx(record.max_difference, abs=1e-6)
    certified = build(student.folder, tmp_path / "certified")
    assert certified.manifest is not None
    assert certified.manifest.reference is None


def test_a_file_that_is_not_the_float_student_is_refused(students: Path) -> None:
    source = read_student(students / "tiny-student").source()
    context = cast(BuildContext, SimpleNamespace(source=source))

    def measured(by: float) -> Measured:
        attempt = SimpleNamespace(backend=SimpleNamespace(name="onnx"))
        answers = SimpleNamespace(outputs=source.outputs + np.float32(by))
        return cast(Measured, SimpleNamespace(attempt=attempt, answers=answers))

    assert require_parity(context, measured(0.0)) == 0.0
    for by in (0.5, np.nan):
        with pytest.raises(GateFailedError, match="is not the float student"):
            require_parity(context, measured(by))


def test_a_checkpoint_without_images_is_built_for_research_and_certified_elsewhere(
    small_run: Path, tmp_path: Path
) -> None:
    """As a student that was imported, or distilled without data, leaves for a hospital."""
    import shutil

    import lenient

    from edgekd.data import read_split
    from edgekd.data.synthetic import CLASSES
    from edgekd.models.card import has_images
    from edgekd.seals import seal_files, unseal_files

    folder = tmp_path / "student"
    shutil.copytree(small_run / "student", folder)
    unseal_files(folder)
    split = read_split(folder / "split.csv", small_run / "data", name="", classes=CLASSES)
    (folder / "split.csv").unlink()
    seal_files(folder, [file.name for file in folder.iterdir() if file.is_file()])
    assert has_images(small_run / "student")
    assert not has_images(folder)
    words = ["--target", "cpu-onnx", "--model", str(folder), "--out", str(tmp_path / "b")]
    assert main(["build", *words]) == 2
    assert main(["build", *words, "--precision", "fp16", "--research"]) == 2  # ONNX has none
    built = build(folder, tmp_path / "b", research=True)
    assert built.manifest is not None
    assert built.manifest.decision == type(built.manifest.decision)()
    assert built.manifest.warnings[0].startswith("for research, not certified: resnet10t has no")

    chosen = split.indices("test") + split.indices("validation")
    samples = [split.dataset.samples[index] for index in chosen]
    table = tmp_path / "labels.csv"
    rows = "".join(f"{one.image},{one.label},{one.group}\n" for one in samples)
    table.write_text(f"image,label,patient\n{rows}")
    out = tmp_path / "certified"
    words = ["certify", str(built.path), "--csv", str(table), "--image-root",
             str(split.dataset.root), "--group-column", "patient", "--out", str(out)]  # fmt: skip
    assert main([*words, "--policy", str(lenient.POLICY)]) == 0
    with Bundle.open(out) as bundle:
        manifest = bundle.manifest
    assert manifest.warnings == ()
    assert manifest.decision.temperature != 1.0
    assert manifest.metrics["artefact"]["balanced_accuracy"]["value"] > 1 / 7
