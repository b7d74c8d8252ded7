from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from safetensors.torch import load_file, save_file  # noqa: E402

from edgekd.errors import ArtefactError, InputError  # noqa: E402
from edgekd.files import sha256_of  # noqa: E402
from edgekd.models import (  # noqa: E402
    DataCard,
    ModelCard,
    TrainingCard,
    count_macs,
    count_params,
    create_network,
    load_checkpoint,
    read_card,
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


def replace_weights(folder: Path, state: dict[str, Any]) -> None:
    save_file(state, folder / WEIGHTS)
    edit(folder, weights_sha256=sha256_of(folder / WEIGHTS))


def refusal(folder: Path) -> ArtefactError:
    with pytest.raises(ArtefactError) as caught:
        load_checkpoint(folder)
    assert caught.value.exit_code == 6
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


def test_round_trip_bit_for_bit(folder: Path, network: Any) -> None:
    found = load_checkpoint(folder)
    one, other = network.state_dict(), found.network.state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert not found.network.training
    assert found.size_bytes == (folder / WEIGHTS).stat().st_size
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(found.network(images), network(images))


def test_card_comes_back_with_the_hash_of_the_weights(folder: Path, network: Any) -> None:
    card = load_checkpoint(str(folder)).card
    assert card == read_card(folder)
    assert card.weights_sha256 == sha256_of(folder / WEIGHTS)
    assert card.classes == ("bkl", "mel", "nv")
    assert card.training.options == {"temperature": 4.0}
    assert card.params == sum(value.numel() for value in network.parameters())


def test_normalised_network_uses_the_card(folder: Path, network: Any) -> None:
    pixels = torch.rand(2, 3, 32, 32)
    mean = torch.tensor([0.4, 0.5, 0.6]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.2, 0.3, 0.25]).reshape(1, 3, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(
            load_checkpoint(folder).normalised()(pixels), network((pixels - mean) / std)
        )


def test_no_pickles_and_nothing_beside(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [CARD, WEIGHTS]
    assert (folder / WEIGHTS).read_bytes()[8:9] == b"{"  # safetensors: length, then JSON
    json.loads((folder / CARD).read_bytes())


def test_save_again_is_the_same_bytes(folder: Path, network: Any) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    save_checkpoint(folder, network, make_card(network))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_interrupted_save_leaves_the_old_checkpoint(
    folder: Path, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgekd.models.checkpoint.save", stop)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(folder, network, make_card(network))
    load_checkpoint(folder)


def test_weights_can_be_read_by_whoever_can_read_the_card(folder: Path) -> None:
    modes = [(folder / name).stat().st_mode & 0o777 for name in (WEIGHTS, CARD)]
    assert modes[0] == modes[1]


def test_nothing_there(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="there is no checkpoint at"):
            load_checkpoint(place)


def test_missing_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    assert "is missing" in refusal(folder).message


def test_flipped_bit_in_the_weights(folder: Path) -> None:
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    assert "does not have the hash" in refusal(folder).message


def test_hash_of_other_weights(folder: Path) -> None:
    edit(folder, weights_sha256="0" * 64)
    assert "does not have the hash" in refusal(folder).message


def test_weights_that_are_none_though_the_hash_is_right(folder: Path) -> None:
    for content in (b"", b"weights", bytes(100)):
        (folder / WEIGHTS).write_bytes(content)
        edit(folder, weights_sha256=sha256_of(folder / WEIGHTS))
        assert "does not fit resnet10t" in refusal(folder).message


def test_weights_of_another_network(folder: Path) -> None:
    state = load_file(folder / WEIGHTS)
    lacking = {key: value for key, value in state.items() if key != "fc.bias"}
    replace_weights(folder, lacking)
    refusal(folder)
    replace_weights(folder, state | {"extra": torch.zeros(1)})
    refusal(folder)
    replace_weights(folder, state | {"fc.bias": torch.zeros(4)})
    refusal(folder)
