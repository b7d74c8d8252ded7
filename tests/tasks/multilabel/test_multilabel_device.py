from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_bundles import plate, write_photo, write_tiny_bundle

from edgekd.cli import main
from edgekd.runtime import Classifier
from edgekd.runtime.task import device_task
from edgekd.tasks.multilabel.device import Device
from edgekd.tasks.multilabel.manifest import Decision

RED, GREEN = (240, 20, 20), (20, 240, 20)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    decision = Decision(present_from={"nv": 0.98}, absent_below={"nv": 0.2})
    return write_tiny_bundle(
        tmp_path / "findings", task="multilabel", decision=decision, capture=None
    )


def test_layer_is_found_by_the_name_of_the_task() -> None:
    assert isinstance(device_task("multilabel"), Device)
    assert device_task("multilabel").output_shape(("a", "b")) == (1, 2)


def test_bundle_is_opened_and_answers_with_findings(bundle: Path) -> None:
    with Classifier.open(bundle) as classifier:
        red, green = (classifier.predict(plate(colour)) for colour in (RED, GREEN))
        report = classifier.selftest()
    assert (report.passed, report.flips) == (True, 0)
    assert (red.label, red.decision, red.probability) == ("bkl", "refer", None)
    assert red.findings == {"bkl": "present", "mel": "absent", "nv": "unsure"}
    assert [reason.code for reason in red.reasons] == ["unsure"]
    assert (green.label, green.decision) == ("mel;nv", "answer")
    assert green.conformal_set is None
    assert green.probabilities["mel"] > 0.99


def test_predict_prints_the_findings(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = [
        write_photo(tmp_path / "red.png", RED),
        write_photo(tmp_path / "green.png", GREEN),
    ]
    assert main(["predict", str(bundle), *map(str, photos)]) == 0
    red, green = capsys.readouterr().out.splitlines()
    assert red.startswith(f"{photos[0]}: refer | unsure: the probability")
    assert green == f"{photos[1]}: answer | mel 1.00, nv 0.99"
    assert main(["predict", str(bundle), str(photos[1]), "--json"]) == 0
    (prediction,) = json.loads(capsys.readouterr().out)
    assert prediction["findings"] == {"bkl": "absent", "mel": "present", "nv": "present"}
    assert prediction["probability"] is None


def test_outputs_agree_where_all_findings_do() -> None:
    one = np.array([[1.0, -1.0], [1.0, -1.0], [0.0, 0.1], [np.nan, 1.0]], np.float32)
    other = np.array([[9.0, -0.1], [1.0, 0.0], [2.0, 0.1], [np.nan, 1.0]], np.float32)
    assert Device().agree(one, other).tolist() == [True, False, True, False]


def test_calibrated_logits_are_divided_by_the_temperature() -> None:
    calibrated = Device().calibrated(np.array([[2.0, -4.0]], np.float32), Decision(temperature=2.0))
    assert calibrated.tolist() == [[1.0, -2.0]]
