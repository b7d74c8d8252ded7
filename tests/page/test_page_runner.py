"""`edgekd.page.runner`: the page that `make browser` builds, in Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from built_page import built_page
from make_sites import spotted
from tiny_bundles import ANSWER, RETAKE, write_photo, write_tiny_bundle

from edgekd.bundle import Bundle
from edgekd.errors import ArtefactError, ImageError, InputError
from edgekd.evaluation.occlusion import Explained
from edgekd.page.runner import PageRunner, first_visit, run_bundle, run_model
from edgekd.runtime import Classifier
from edgekd.runtime.export.fhir import to_fhir
from edgekd.runtime.export.identity import DeviceIdentity
from edgekd.runtime.export.photo import Photo


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built_page()
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(scope="module")
def runner(bundle: Path) -> Iterator[PageRunner]:
    with run_bundle(bundle) as opened:
        facts = opened.open(threads=2).facts
        assert facts["engine"].startswith("onnxruntime-web")
        assert facts["threads"] == 2
        assert facts["browser"].startswith("Chrome/")
        yield opened


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    colours = {"answer": ANSWER, "retake": RETAKE}
    return [write_photo(folder / f"{name}.png", colour) for name, colour in colours.items()]


def test_answers_are_those_of_pythons_runtime(
    bundle: Path, runner: PageRunner, photos: list[Path]
) -> None:
    with Classifier.open(bundle) as classifier:
        expected = [classifier.predict(photo) for photo in photos]
    found = [runner.predict(photo) for photo in photos]
    assert [each.decision for each in found] == ["answer", "retake"]
    for ours, theirs in zip(expected, found, strict=True):
        assert (ours.label, ours.decision) == (theirs.label, theirs.decision)
        assert [reason.code for reason in ours.reasons] == list(theirs.reasons)
        np.testing.assert_allclose(theirs.outputs, ours.logits, atol=1e-4)


def test_what_speaks_for_an_answer_is_what_pythons_map_says(
    bundle: Path, runner: PageRunner, tmp_path: Path
) -> None:
    photo = tmp_path / "spot.png"
    cv2.imwrite(str(photo), spotted()[..., ::-1])
    with Explained(bundle) as explained:
        expected = explained.map_of(photo, "bkl")
    found = runner.occlusion(photo, "bkl")
    assert expected[3, 3] > 0 > expected[0, 0]
    np.testing.assert_allclose(found, expected, atol=1e-6)  # Python's scores have six decimals
    with pytest.raises(InputError, match="there is no class 'mole'"):
        runner.occlusion(photo, "mole")


def without_what_differs(report: dict[str, Any]) -> dict[str, Any]:
    """A report without its number, times and engine."""
    device, *observations = report["contained"]
    assert device["version"].pop(2)["type"]["text"] == "engine"
    assert device["version"].pop(0)["type"]["text"] == "edgekd that ran the bundle"
    for each in (report, *observations):
        assert each.pop("effectiveDateTime").replace("Z", "+00:00") == each.pop("issued").replace(
            "Z", "+00:00"
        )
    report["text"]["div"] = report["text"]["div"].partition(", edgekd ")[0]
    report.pop("identifier")
    return report


def test_the_report_is_pythons(bundle: Path, runner: PageRunner, photos: list[Path]) -> None:
    pytest.importorskip("fhir.resources", reason="pip install 'edgekd[clinical]'")
    from fhir.resources.R4B.diagnosticreport import DiagnosticReport

    with Classifier.open(bundle) as classifier:
        for photo in photos:
            device, prediction = DeviceIdentity.of(classifier), classifier.predict(photo)
            report = to_fhir(prediction, device, Photo.read(photo))
            expected = json.loads(report.model_dump_json())
            found = runner.fhir(photo)
            DiagnosticReport.model_validate(found)
            assert without_what_differs(found) == without_what_differs(expected)


def test_a_file_that_is_no_photo_has_the_runtimes_error(runner: PageRunner, tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("a mole")
    with pytest.raises(ImageError, match="is not an image of a known format"):
        runner.predict(text)


def test_times_are_the_pages_own(runner: PageRunner, photos: list[Path]) -> None:
    runner.take(photos)
    assert runner.time_model(0) > 0
    assert runner.time_photo(1) > 0
    assert runner.cpu_seconds() > 0
    assert runner.processes()


def test_a_bundle_whose_self_test_fails_is_refused(tmp_path: Path) -> None:
    built_page()
    wrong = write_tiny_bundle(tmp_path / "wrong", wrong_by=1.0)
    with run_bundle(wrong) as runner:
        with pytest.raises(ArtefactError, match="the self-test fails"):
            runner.open(threads=1)
        runner.open(threads=1, selftest=False)


def test_a_model_file_gives_outputs_without_its_bundle(bundle: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (70, 16, 16, 3)).astype(np.uint8)
    with Bundle.open(bundle) as opened, Classifier.open(bundle) as classifier:
        model = opened.model.path
        expected = np.stack([classifier.logits(image) for image in images])
    assert model is not None
    done: list[int] = []
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(model.read_bytes()[:50])
    with run_model("onnx") as runner:
        shape = runner.open_model("onnx", model, threads=1).output_shape
        outputs, times = runner.outputs(images, done.append)
        with pytest.raises(ArtefactError, match="cannot read broken"):
            runner.open_model("onnx", broken, threads=1)
    assert shape == (1, 3)
    np.testing.assert_allclose(outputs, expected, atol=1e-4)
    assert (times > 0).all()
    assert len(times) == len(images)
    assert done == [0, 32, 64]


def test_the_first_visit_ends_with_a_decision(bundle: Path, photos: list[Path]) -> None:
    visit = first_visit(bundle, photos[0])
    assert 0 < visit.ready_ms < visit.decision_ms
    assert {"index.html", "bundle.edgekd", "site.json"} <= visit.gzip_bytes.keys()
    assert any(name.startswith("onnxruntime/") for name in visit.gzip_bytes)
    assert not any("runner" in name for name in visit.gzip_bytes)
    origins = {"/".join(each.split("/")[:3]) for each in visit.requests if each[:4] == "http"}
    assert len(origins) == 1


def test_what_the_page_refuses_ends_the_visit(tmp_path: Path, photos: list[Path]) -> None:
    built_page()
    wrong = write_tiny_bundle(tmp_path / "wrong", wrong_by=1.0)
    with pytest.raises(ArtefactError, match="the self-test fails"):
        first_visit(wrong, photos[0])


def test_a_folder_that_is_no_page_is_refused(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle")
    with pytest.raises(InputError, match="is not a page"), run_bundle(bundle, page=tmp_path):
        pass
