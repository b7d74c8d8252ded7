from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from jpegs import encode, make_image

from edgekd.bundle import (
    Appearance,
    Bundle,
    CaptureRule,
    FloorRecord,
    Limit,
    PolicyRecord,
    zip_bundle,
)
from edgekd.errors import ArtefactError, EdgekdError, ImageError, InputError
from edgekd.runtime import AsyncClassifier, Classifier
from edgekd.runtime.selftest import Vectors
from edgekd.tasks.classification.decision import class_probabilities
from edgekd.tasks.classification.manifest import Decision

SIZE, CLASSES = 16, ("bkl", "mel", "nv")
GOLDEN = Path(__file__).parents[1] / "golden" / "bundles"


def colour(red: int, green: int, blue: int) -> Any:
    return np.full((40, 60, 3), (red, green, blue), np.uint8)


def refusal(path: Path, **options: Any) -> EdgekdError:
    with pytest.raises(EdgekdError) as caught:
        Classifier.open(path, **options)
    assert caught.value.hint
    return caught.value


@pytest.fixture
def bundle(make_bundle: Any) -> Path:
    path: Path = make_bundle()
    return path


def test_answers_for_a_colour(bundle: Path) -> None:
    with Classifier.open(bundle, threads=1) as classifier:
        assert classifier.classes == CLASSES
        answers = [classifier.predict(colour(*rgb)) for rgb in np.eye(3, dtype=int) * 255]
    assert [answer.label for answer in answers] == ["bkl", "mel", "nv"]


def test_prediction_agrees_with_itself(bundle: Path) -> None:
    with Classifier.open(bundle) as classifier:
        answer = classifier.predict(colour(90, 60, 40))
    assert tuple(answer.probabilities) == CLASSES
    assert sum(answer.probabilities.values()) == pytest.approx(1.0)
    assert answer.probability == max(answer.probabilities.values())
    assert answer.probabilities[answer.label] == answer.probability
    assert CLASSES[int(np.argmax(answer.logits))] == answer.label
    assert (answer.decision, answer.reasons) == ("answer", ())
    assert set(answer.timings_ms) == {"preprocess", "quality", "model"}
    assert all(value >= 0 for value in answer.timings_ms.values())
    assert (answer.quality, answer.conformal_set) == (None, None)
    assert json.loads(json.dumps(answer.to_dict()))["label"] == answer.label


def test_path_text_bytes_and_array_give_the_same(bundle: Path, tmp_path: Path) -> None:
    image = make_image(80, 60)
    png = encode(image, ".png")
    (tmp_path / "photo.png").write_bytes(png)
    sources = [tmp_path / "photo.png", str(tmp_path / "photo.png"), png, image]
    with Classifier.open(bundle) as classifier:
        answers = list(classifier.predict_many(sources))
    assert len({answer.logits for answer in answers}) == 1


def test_predict_is_preprocess_then_logits(bundle: Path) -> None:
    image = make_image(80, 60)
    with Classifier.open(bundle) as classifier:
        pixels = classifier.preprocess(image)
        assert pixels.shape == (SIZE, SIZE, 3)
        assert tuple(classifier.logits(pixels).tolist()) == classifier.predict(image).logits


def test_zip_answers_as_the_folder(bundle: Path, tmp_path: Path) -> None:
    zip_bundle(bundle, tmp_path / "b.edgekd")
    image = make_image(80, 60)
    with Classifier.open(bundle) as one, Classifier.open(str(tmp_path / "b.edgekd")) as other:
        assert one.predict(image).logits == other.predict(image).logits
        assert one.size_bytes == other.size_bytes == (bundle / "model.onnx").stat().st_size
        assert one.manifest == other.manifest


def test_threads_are_what_was_asked_for(bundle: Path) -> None:
    with Classifier.open(bundle, threads=1) as classifier:
        assert classifier.facts["threads"] == 1
    assert isinstance(refusal(bundle, threads=0), InputError)


def test_shared_between_threads(bundle: Path) -> None:
    images = [make_image(40, 40, seed) for seed in range(50)]
    with Classifier.open(bundle, threads=1) as classifier:
        serial = [answer.logits for answer in classifier.predict_many(images)]

        def run(_: int) -> list[tuple[float, ...]]:
            return [classifier.predict(image).logits for image in images]

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(run, range(4)))
    assert found == [serial] * 4
    assert len(set(serial)) == 50


def test_temperature_is_respected(make_bundle: Any) -> None:
    image = make_image(40, 40)
    with Classifier.open(make_bundle(decision=Decision(temperature=3.0))) as classifier:
        answer = classifier.predict(image)
    expected = class_probabilities(np.array(answer.logits, np.float32), 3.0)
    np.testing.assert_allclose(list(answer.probabilities.values()), expected)
    with Classifier.open(make_bundle()) as classifier:
        assert classifier.predict(image).probability > answer.probability


def test_refer_threshold_is_respected(make_bundle: Any) -> None:
    image = make_image(40, 40)
    with Classifier.open(make_bundle()) as classifier:
        top = classifier.predict(image).probability
    with Classifier.open(make_bundle(decision=Decision(refer_below=top + 1e-6))) as classifier:
        answer = classifier.predict(image)
    assert answer.decision == "refer"
    assert len(answer.reasons) == 1
    with Classifier.open(make_bundle(decision=Decision(refer_below=top - 1e-6))) as classifier:
        assert classifier.predict(image).decision == "answer"


def test_bad_image_is_an_image_error_and_the_classifier_lives_on(bundle: Path) -> None:
    with Classifier.open(bundle) as classifier:
        for bad in (b"", b"text", Path("absent.jpg"), np.zeros((4, 4), np.uint8)):
            with pytest.raises(ImageError):
                classifier.predict(bad)
        assert classifier.predict(colour(255, 0, 0)).label == "bkl"


@pytest.mark.parametrize("backend", [None, "tensorrt"])
def test_bundle_to_be_finished_on_its_device_is_refused(
    make_bundle: Any, backend: str | None
) -> None:
    lowering = {
        "target": "jetson",
        "backend": "tensorrt",
        "completion": "finish-on-device",
        "completion_command": "trtexec --onnx=model.onnx",
    }
    path = make_bundle(lowering=lowering)
    error = refusal(path, backend=backend)
    assert error.exit_code == 6
    assert "trtexec --onnx=model.onnx" in error.hint
    with Classifier.open(path, backend="onnx") as classifier:
        assert classifier.predict(colour(0, 255, 0)).label == "mel"


def test_other_class_count_is_refused(make_bundle: Any) -> None:
    error = refusal(make_bundle(model={"classes": ("a", "b", "c", "d")}))
    assert error.exit_code == 6
    assert "to [1, 3]" in error.message


def test_other_image_size_is_refused(make_bundle: Any) -> None:
    error = refusal(make_bundle(model={"image_size": 32}))
    assert error.exit_code == 6
    assert "[1, 16, 16, 3]" in error.message


def test_other_task_or_preprocessing_is_refused(make_bundle: Any) -> None:
    assert "segmentation" in refusal(make_bundle(task="segmentation")).message
    error = refusal(make_bundle(model={"resize": "letterbox-v9"}))
    assert error.exit_code == 6
    assert "letterbox-v9" in error.message


def test_model_file_that_the_engine_cannot_read(make_bundle: Any) -> None:
    error = refusal(make_bundle(content=b"no model"))
    assert isinstance(error, ArtefactError)


def test_unknown_backend_is_refused(bundle: Path) -> None:
    error = refusal(bundle, backend="onxn")
    assert error.exit_code == 2
    assert "onnx" in error.hint


def test_a_bundle_for_an_engine_that_is_unknown_here_is_of_the_wrong_kind(
    make_bundle: Any,
) -> None:
    bundle = make_bundle(lowering={"backend": "coreml"})
    error = refusal(bundle)
    assert isinstance(error, ArtefactError)
    assert "the engine 'coreml', which this edgekd does not have" in error.message
    with Classifier.open(bundle, backend="onnx") as classifier:  # the caller knows better
        assert classifier.classes == CLASSES
    assert refusal(bundle, backend="nonsense").exit_code == 2


def test_nothing_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "absent").exit_code == 2


def test_hashes_are_checked_unless_waived(bundle: Path) -> None:
    selftest = bundle / "selftest.npz"
    content = bytearray(selftest.read_bytes())
    content[len(content) // 2] ^= 1
    selftest.write_bytes(content)
    assert refusal(bundle).exit_code == 6
    Classifier.open(bundle, verify=False, selftest=False).close()


def test_refused_zip_leaves_no_temporary_files(
    make_bundle: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zip_bundle(make_bundle(task="segmentation"), tmp_path / "b.edgekd")
    home = tmp_path / "temporary"
    home.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    refusal(tmp_path / "b.edgekd")
    assert not list(home.iterdir())


def test_close_is_idempotent_and_final(bundle: Path) -> None:
    classifier = Classifier.open(bundle)
    classifier.close()
    classifier.close()
    with pytest.raises(RuntimeError, match="is closed"):
        classifier.predict(colour(1, 2, 3))


class SlowSession:
    """An engine that is still at work when it is closed."""

    backend, input_shape, classes = "slow", (1, SIZE, SIZE, 3), 3
    facts: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        self.started, self.may_end = threading.Event(), threading.Event()
        self.running = self.closed_while_running = False

    def run(self, image: Any) -> Any:
        self.running = True
        self.started.set()
        assert self.may_end.wait(10)
        self.running = False
        return np.zeros((1, 3), np.float32)

    def close(self) -> None:
        self.closed_while_running |= self.running


def test_close_waits_for_the_image_that_is_under_way(bundle: Path) -> None:
    session = SlowSession()
    classifier = Classifier(Bundle.open(bundle), session)
    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(classifier.predict, colour(1, 2, 3))
        assert session.started.wait(10)
        closing = pool.submit(classifier.close)
        finished, _ = wait([closing], timeout=0.2)
        session.may_end.set()
        assert not finished
        assert answer.result().label == "bkl"
        closing.result()
    assert not session.closed_while_running


def test_self_test_at_open_finds_an_engine_that_computes_rubbish(
    make_bundle: Any, vectors: Vectors
) -> None:
    wrong = Vectors(vectors.images, vectors.logits + 1.0, vectors.tolerance)
    path = make_bundle(vectors=wrong)
    error = refusal(path)
    assert error.exit_code == 6
    assert "the self-test fails on this machine: an output is off by 1" in error.message
    with Classifier.open(path, selftest=False) as classifier:
        assert not classifier.selftest().passed
    Classifier.open(make_bundle(vectors=None)).close()  # a bundle without vectors has no say


def test_bytes_of_a_bundle_answer_as_the_folder(bundle: Path, tmp_path: Path) -> None:
    zip_bundle(bundle, tmp_path / "b.edgekd")
    content = (tmp_path / "b.edgekd").read_bytes()
    image = make_image(80, 60)
    with Classifier.open(bundle) as one, Classifier.open(content) as other:
        assert one.predict(image).logits == other.predict(image).logits
        assert other.selftest().passed


def test_photo_that_is_no_use_is_to_be_taken_again(make_bundle: Any) -> None:
    rule = CaptureRule(limits={"brightness": Limit(low=0.3)})
    path = make_bundle(capture=rule, decision=Decision(refer_below=0.999))
    with Classifier.open(path) as classifier:
        dark, light = classifier.predict(colour(20, 8, 4)), classifier.predict(colour(150, 90, 60))
    assert dark.decision == "retake"
    assert [reason.code for reason in dark.reasons] == ["dark", "unsure"]
    assert dark.quality is not None
    assert dark.quality.measures.brightness < 0.3
    assert (light.decision, [reason.code for reason in light.reasons]) == ("refer", ["unsure"])
    assert json.loads(json.dumps(dark.to_dict()))["quality"]["measures"]["glare"] == 0.0
    with Classifier.open(path, quality=False) as classifier:
        unmeasured = classifier.predict(colour(20, 8, 4))
    assert (unmeasured.decision, unmeasured.quality) == ("refer", None)
    assert unmeasured.logits == dark.logits


def test_looks_with_another_number_of_features_are_refused(make_bundle: Any) -> None:
    known = Appearance(mean=(0.0, 0.0), whitening=((1.0, 0.0), (0.0, 1.0)), limit=1.0)
    error = refusal(make_bundle(capture=CaptureRule(appearance=known)))
    assert error.exit_code == 6
    assert "2 features" in error.message


def test_accelerator_that_is_not_there_is_told_or_refused(bundle: Path) -> None:
    with Classifier.open(bundle, accelerator="CUDAExecutionProvider") as classifier:
        if classifier.facts["accelerator"] == "CUDAExecutionProvider":
            pytest.skip("this machine has the accelerator whose lack is tested")
        assert len(classifier.warnings) == 1
    error = refusal(bundle, accelerator="CUDAExecutionProvider", require=True)
    assert error.exit_code == 5


FORKED = """
import os, sys, threading
import numpy as np
from edgekd.errors import ForkedError
from edgekd.runtime import Classifier

classifier = Classifier.open(sys.argv[1], threads=2)
photo = np.full((40, 60, 3), (255, 0, 0), np.uint8)
held = classifier._lock if sys.argv[2] == "busy" else threading.Lock()
with held:  # by a thread that the child does not have
    child = os.fork()
    if child == 0:
        with classifier:
            for use in (lambda: classifier.predict(photo), classifier.selftest):
                try:
                    use()
                except ForkedError as error:
                    print(error.hint, flush=True)
        sys.exit(7)
    ended, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 7
print(classifier.predict(photo).label)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_a_forked_child_is_told_to_open_its_own(bundle: Path, state: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(bundle), state]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("after the fork") == 2
    assert done.stdout.splitlines()[-1] == "bkl"


@pytest.mark.parametrize(
    "source",
    [None, 3, True, 1.5, [], {}, object(), io.BytesIO(b"PK"), io.StringIO("x")],
    ids=lambda source: type(source).__name__,
)
def test_what_no_bundle_can_be_opened_by(source: Any) -> None:
    assert "cannot be opened by a" in refusal(source).message
    with pytest.raises(InputError, match="cannot be opened by a"):
        asyncio.run(AsyncClassifier.open(source))


@pytest.mark.parametrize(
    "option",
    [
        {"threads": 0}, {"threads": -1}, {"threads": 10_000}, {"threads": 10**30},
        {"threads": "4"}, {"threads": 2.0}, {"threads": True},
        {"backend": 3}, {"backend": ["onnx"]},
        {"accelerator": 3}, {"accelerator": " "}, {"public_key": 3},
        {"public_key": io.BytesIO(b"")},
    ],
    ids=lambda option: str(option).partition(" object at")[0],
)  # fmt: skip
def test_options_that_cannot_be(bundle: Path, option: dict[str, Any]) -> None:
    assert isinstance(refusal(bundle, **option), InputError)
    with pytest.raises(InputError):
        asyncio.run(AsyncClassifier.open(bundle, **option))


def test_bytes_of_any_kind_are_a_bundle(bundle: Path, tmp_path: Path) -> None:
    zip_bundle(bundle, tmp_path / "b.edgekd")
    content = (tmp_path / "b.edgekd").read_bytes()
    for source in (content, bytearray(content), memoryview(content)):
        with Classifier.open(source) as classifier:
            assert classifier.classes == CLASSES


def test_thresholds_of_a_bundle_are_applied(make_bundle: Any) -> None:
    image = np.full((16, 16, 3), (255, 0, 0), np.uint8)
    with Classifier.open(make_bundle()) as classifier:
        before = classifier.predict(image)
    assert (before.label, before.decision) == ("bkl", "answer")
    thresholds = {"bkl": 0.0, "nv": before.probabilities["nv"]}
    with Classifier.open(make_bundle(decision=Decision(thresholds=thresholds))) as classifier:
        after = classifier.predict(image)
    assert (after.label, after.decision, len(after.reasons)) == ("bkl", "refer", 1)
    assert after.reasons[0].text.startswith("nv cannot be excluded: ")


def test_bundle_with_a_threshold_for_no_class_is_refused(make_bundle: Any) -> None:
    path = make_bundle(decision=Decision(thresholds={"mole": 0.2}))
    with pytest.raises(ArtefactError, match="mole"):
        Classifier.open(path)


def test_bundle_of_format_1_5_is_opened() -> None:
    with Classifier.open(GOLDEN / "format-1.5.edgekd") as classifier:
        manifest = classifier.manifest
        assert manifest.format_version == "1.5"
        assert manifest.policy is None
        assert manifest.decision == Decision(
            temperature=1.5, thresholds={"mel": 0.3}, threshold_sensitivity=0.9, refer_below=0.4,
            refer_coverage=0.95, energy_threshold=3.0, energy_kept=0.99, conformal_quantile=0.8,
            conformal_coverage=0.9, fitted_on={"part": "validation", "images": 100},
        )  # fmt: skip
        assert [one.layer for one in manifest.lowering.layer_sensitivity] == ["stem"]
        assert manifest.lowering.quantisation_aware
        (rung,) = manifest.lowering.rungs
        assert (rung.chosen, rung.notes) == (True, ("finished with simulated int8",))
        assert manifest.capture is not None
        assert manifest.capture.coverage == 0.99
        assert classifier.selftest().passed
        assert classifier.predict(colour(0, 255, 0)).label == "mel"


def test_floor_that_is_not_met_is_a_warning(make_bundle: Any) -> None:
    floor = FloorRecord(
        code="noticed", quantity="noticed of mel", value=0.46, least=0.9, by="value", met=False
    )
    policy = PolicyRecord(name="skin", sha256="0" * 64, research=True, floors=(floor,))
    with Classifier.open(make_bundle(policy=policy)) as classifier:
        assert classifier.warnings == policy.warnings
        assert classifier.warnings[0].startswith("for research, floor not met: noticed of mel")
    with Classifier.open(make_bundle()) as classifier:
        assert classifier.warnings == ()
