from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")


from edgekd.errors import ArtefactError, InputError  # noqa: E402
from edgekd.models import (  # noqa: E402
    DataCard,
    ModelCard,
    TrainingCard,
    count_macs,
    count_params,
    create_network,
    load_checkpoint,
    save_checkpoint,
)

OPTIONS = {"channels": [8, 16, 16, 24], "stem_width": 8}
WEIGHTS, CARD = "model.safetensors", "model.json"


def make_card(network: Any) -> ModelCard:
    return ModelCard(
        role="student",
        arch="resnet10t",
        arch_options=OPTIONS,
        classes=("bkl", "mel", "nv"),
        image_size=32,
        mean=(0.4, 0.5, 0.6),
        std=(0.2, 0.3, 0.25),
        resize="centre-square-area-v2",
        params=count_params(network),
        macs=count_macs(network, 32),
        pretrained="none",
        data=DataCard(name="x", root="/data", sha256="0" * 64, images={"train": 3}),
        training=TrainingCard(
            method="kd", seed=1, recipe_sha256="1" * 64, stage_sha256="2" * 64, epochs=3,
            best_epoch=2, options={"temperature": 4.0},
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(0)
    made = create_network("resnet10t", 3, OPTIONS)
    made.train()(torch.rand(4, 3, 32, 32))  # so that batch norm has something to remember
    return made.eval()


@pytest.fixture
def folder(tmp_path: Path, network: Any) -> Path:
    save_checkpoint(tmp_path / "student", network, make_card(network))
    return tmp_path / "student"


def edit(folder: Path, **changes: Any) -> None:
    card = json.loads((folder / CARD).read_bytes())
    (folder / CARD).write_text(json.dumps(card | changes), encoding="utf-8")


def refusal(folder: Path) -> ArtefactError:
    with pytest.raises(ArtefactError) as caught:
        load_checkpoint(folder)
    assert caught.value.exit_code == 6
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ["mel", "nv"]},
        {"arch": "resnet18"},
        {"arch": "resnet10tt"},
        {"arch_options": {"nope": 1}},
        {"arch_options": {"act_layer": "nope"}},
        {"role": "pupil"},
        {"mean": [0.5]},
        {"image_size": "large"},
        {"format_version": "2.0"},
    ],
    ids=str,
)
def test_card_that_was_changed(folder: Path, changes: dict[str, Any]) -> None:
    edit(folder, **changes)
    refusal(folder)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"data": ' + b"[" * 100_000]
)
def test_card_that_is_no_card(folder: Path, content: bytes) -> None:
    (folder / CARD).write_bytes(content)
    assert "is damaged" in refusal(folder).message


def test_a_file_of_another_tool_is_referred_to_the_import(tmp_path: Path) -> None:
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text("{}")
    (tmp_path / "w.pth").write_bytes(b"x")
    for place in (tmp_path / "hf", tmp_path / "w.pth"):
        with pytest.raises(InputError, match=r"model\.json is missing") as caught:
            load_checkpoint(place)
        assert f"edgekd import {place} --classes" in caught.value.hint
    with pytest.raises(InputError) as caught:
        load_checkpoint(tmp_path)
    assert "edgekd import" not in caught.value.hint


@pytest.mark.parametrize(
    "gives",
    [
        {"names": ["a", "b"], "classes": {"a": "bkl"}},
        {"names": ["a", "b"], "classes": {"a": "bkl", "b": "x"}},
        {"names": ["a", "a"], "classes": {"a": "bkl"}},
        {"names": ["a", "b"], "classes": {"a": "bkl", "b": "mel"}},
    ],
)
def test_outputs_that_do_not_come_to_the_classes(folder: Path, gives: Any) -> None:
    edit(folder, gives=gives)
    assert "its outputs do not come to its classes" in refusal(folder).message


def test_a_checkpoint_is_no_architecture(folder: Path) -> None:
    edit(folder, arch=f"checkpoint:{folder}")
    assert "names another checkpoint" in refusal(folder).message
