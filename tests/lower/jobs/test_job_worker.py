"""The process of a conversion: what fails leaves nothing, and damaged images are the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from cards import ARCH, CLASSES, SIZE, make_card

from edgekd.errors import InputError
from edgekd.lower.int8.recorded_ranges import RecordedRanges
from edgekd.lower.jobs import worker
from edgekd.lower.jobs.conversion import ConversionJob
from edgekd.lower.jobs.process import serve
from edgekd.lower.precision import Variant
from edgekd.models import create_network, save_checkpoint
from edgekd.models.card import FinishCard

INT8 = Variant(precision="int8")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("student")
    save_checkpoint(folder, create_network(ARCH, len(CLASSES), {}), make_card())
    return folder


def make_job(checkpoint: Path, out: Path, **changes: object) -> ConversionJob:
    job = ConversionJob(
        backend="openvino", variants=(INT8,), checkpoint=str(checkpoint), out=str(out), threads=2
    )
    return msgspec.structs.replace(job, **changes)


def test_half_a_conversion_leaves_nothing(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Breaking:
        name, model_file = "breaking", "model.bin"

        def lower(
            self, graph: object, size: int, variant: Variant, images: object, out: Path
        ) -> None:
            (out / "model.bin").write_bytes(b"half")
            raise RuntimeError("disk full")

    monkeypatch.setattr(worker, "get_backend", lambda name: Breaking())
    job = make_job(checkpoint, tmp_path / "out", variants=(INT8,))
    with pytest.raises(RuntimeError, match="disk full"):
        worker.run_job(job)
    assert not list((tmp_path / "out").iterdir())


def test_damaged_calibration(checkpoint: Path, tmp_path: Path) -> None:
    file = tmp_path / "calibration.npy"
    file.write_bytes(b"no array")
    job = tmp_path / "job.json"
    content = make_job(checkpoint, tmp_path / "out", calibration=str(file))
    job.write_bytes(msgspec.json.encode(content))
    assert serve(ConversionJob, worker.run_job, [str(job)]) == 2


class Imaged:
    """A backend that can lower by images alone."""

    name, model_file, scanned = "imaged", "model.bin", ()

    def lower(
        self, graph: object, size: int, variant: Variant, images: object, out: Path
    ) -> dict[str, str]:
        (out / "model.bin").write_bytes(b"whole")
        return {}


@pytest.mark.parametrize("changes", [{"ranges": {"int8": "ranges"}}, {"record": True}])
def test_a_backend_without_ranges_is_refused(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changes: dict[str, object]
) -> None:
    monkeypatch.setattr(worker, "get_backend", lambda name: Imaged())
    RecordedRanges({}, 1).save(tmp_path / "ranges")
    images = tmp_path / "images.npy"
    np.save(images, np.zeros((2, SIZE, SIZE, 3), np.uint8))
    if "ranges" in changes:
        changes = {"ranges": {"int8": str(tmp_path / "ranges")}}
    job = make_job(checkpoint, tmp_path / "out", calibration=str(images), **changes)
    with pytest.raises(InputError, match="imaged cannot record ranges"):
        worker.run_job(job)


FINISH = FinishCard(
    quantisation="int8", epochs=2, best_epoch=1, learning_rate=1e-4, metric="balanced_accuracy",
    before=0.5, after=0.6,
)  # fmt: skip


@pytest.mark.parametrize(
    ("finish", "fine_tuned", "trained"),
    [
        (None, False, False),
        (FINISH, False, True),
        (msgspec.structs.replace(FINISH, best_epoch=0), False, False),
        (None, True, True),
    ],
)
def test_it_is_known_whether_the_weights_were_trained_in_int8(
    finish: FinishCard | None,
    fine_tuned: bool,
    trained: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """By a finish that changed them, or by the build's own fine-tuning."""
    seen: list[bool] = []

    class Looking(Imaged):
        def lower(
            self, graph: Any, size: int, variant: Variant, images: object, out: Path
        ) -> dict[str, str]:
            seen.append(graph.trained_in_int8)
            return super().lower(graph, size, variant, images, out)

    monkeypatch.setattr(worker, "get_backend", lambda name: Looking())
    card = make_card()
    training = msgspec.structs.replace(card.training, finish=finish)
    card = msgspec.structs.replace(card, training=training)
    save_checkpoint(tmp_path / "student", create_network(ARCH, len(CLASSES), {}), card)
    job = make_job(tmp_path / "student", tmp_path / "out", trained_in_int8=fine_tuned)
    worker.run_job(job)
    assert seen == [trained]
