from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from safetensors.torch import save_file  # noqa: E402

from edgekd.errors import InputError  # noqa: E402
from edgekd.models import (  # noqa: E402
    build_network,
    count_macs,
    count_params,
    create_network,
)
from edgekd.recipe import ModelSection  # noqa: E402

TINY = {"channels": [8, 16, 16, 24], "stem_width": 8, "act_layer": "relu6"}


def states_equal(one: Any, other: Any) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("arch", "near"),
    [("mobilenetv2_10", "mobilenetv2_100"), ("resnet-50", "resnet50"),
     ("tf_efficientnet_light0", "tf_efficientnet_lite0")],
)  # fmt: skip
def test_unknown_architecture_suggests(arch: str, near: str) -> None:
    with pytest.raises(InputError, match=f"no architecture '{arch}'") as caught:
        create_network(arch, 3)
    assert near in caught.value.hint


def test_unknown_architecture_that_is_near_nothing() -> None:
    with pytest.raises(InputError) as caught:
        create_network("", 3)
    assert caught.value.hint == "see timm.list_models()"


@pytest.mark.parametrize(
    "options",
    [
        {"nope": 1},
        {"channels": "8"},
        {"channels": []},
        {"act_layer": "relu7"},
        {"norm_layer": "x"},
        {"block": "x"},
        {"stem_width": -3},
        {"output_stride": 5},
        {"global_pool": "median"},
    ],
    ids=str,
)
def test_options_that_timm_refuses(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="resnet10t cannot be made with the options") as caught:
        create_network("resnet10t", 3, options)
    assert "\n" not in caught.value.message


def test_unknown_pretrained_tag() -> None:
    with pytest.raises(InputError, match=r"resnet50\.nope"):
        create_network("resnet50.nope", 3)


def test_options_reach_the_network() -> None:
    network = create_network("resnet10t", 5, TINY)
    assert network.get_classifier().out_features == 5  # type: ignore[operator]
    assert any(isinstance(module, torch.nn.ReLU6) for module in network.modules())


@pytest.mark.parametrize(
    ("arch", "params", "gigamacs"),
    [("mobilenetv2_100", 2_234_120, 0.2995), ("resnet50", 23_524_424, 4.087)],
)
def test_counts_are_those_of_the_literature(arch: str, params: int, gigamacs: float) -> None:
    network = create_network(arch, 8)
    assert count_params(network) == params
    assert count_macs(network, 224) / 1e9 == pytest.approx(gigamacs, rel=0.01)


def test_counting_leaves_the_network_as_it_was() -> None:
    network = create_network("resnet10t", 3, TINY)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    for training in (True, False):
        network.train(training)
        assert count_macs(network, 64) == pytest.approx(4 * count_macs(network, 32), rel=0.01)
        assert network.training == training
    assert states_equal(network.state_dict(), before)


def test_network_from_scratch_starts_calm() -> None:
    built = build_network(ModelSection(arch="tf_efficientnet_lite0"), 7)
    head = built.network.get_classifier()  # type: ignore[operator]
    assert float(head.weight.detach().std()) == pytest.approx(0.01, rel=0.1)
    assert not head.bias.detach().any()
    assert (built.mean, built.std) == ((0.5,) * 3, (0.5,) * 3)


def test_own_normalisation_goes_before_the_default() -> None:
    section = ModelSection(
        arch="resnet10t", options=TINY, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)
    )
    built = build_network(section, 3)
    assert (built.mean, built.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def test_start_from_a_file_takes_all_but_the_head(tmp_path: Path) -> None:
    donor = create_network("resnet10t", 10, TINY)
    save_file(donor.state_dict(), tmp_path / "w.safetensors")
    section = ModelSection(
        arch="resnet10t", options=TINY, pretrained=str(tmp_path / "w.safetensors")
    )
    found = build_network(section, 3).network.state_dict()
    for key, value in donor.state_dict().items():
        if not key.startswith("fc."):
            assert torch.equal(found[key], value), key
    assert found["fc.weight"].shape == (3, 24)


def test_start_from_a_file_that_does_not_fit(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    section = ModelSection(arch="resnet10t", options=TINY, pretrained=str(file))
    with pytest.raises(InputError, match="there are no pretrained weights at"):
        build_network(section, 3)
    file.write_bytes(b"no weights")
    with pytest.raises(InputError, match="cannot be read"):
        build_network(section, 3)
    file.unlink()
    file.mkdir()
    with pytest.raises(InputError, match="there is no checkpoint"):
        build_network(section, 3)
    file.rmdir()
    save_file(create_network("resnet10t", 3, TINY | {"stem_width": 16}).state_dict(), file)
    with pytest.raises(InputError, match=r"does not fit: \d+ tensors"):
        build_network(section, 3)


def test_a_head_that_fits_is_taken_and_another_one_is_reported(tmp_path: Path) -> None:
    donor = create_network("resnet10t", 3, TINY)
    file = tmp_path / "w.safetensors"
    save_file(donor.state_dict(), file)
    section = ModelSection(arch="resnet10t", options=TINY, pretrained=str(file))
    built = build_network(section, 3)
    assert states_equal(built.network.state_dict(), donor.state_dict())
    assert built.notes == ()
    assert build_network(section, 4).notes == (
        f"the head of {file} has 3 outputs, not 4: it starts from random weights",
    )
    backbone = {k: v for k, v in donor.state_dict().items() if not k.startswith("fc.")}
    save_file(backbone, file)
    assert "has no head" in build_network(section, 3).notes[0]


def test_start_from_the_folder_of_a_checkpoint(tmp_path: Path) -> None:
    from test_checkpoint import OPTIONS, make_card

    from edgekd.models import save_checkpoint

    donor = create_network("resnet10t", 3, OPTIONS)
    save_checkpoint(tmp_path / "run", donor, make_card(donor))
    section = ModelSection(arch="resnet10t", options=OPTIONS, pretrained=str(tmp_path / "run"))
    built = build_network(section, 3)
    assert states_equal(built.network.state_dict(), donor.state_dict())
    assert (built.mean, built.std) == ((0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
    other = ModelSection(arch="resnet18", pretrained=str(tmp_path / "run"))
    with pytest.raises(InputError, match="those of resnet10t, and no start for resnet18"):
        build_network(other, 3)


def test_a_trained_network_in_the_place_of_an_architecture(tmp_path: Path) -> None:
    from test_checkpoint import OPTIONS, make_card

    from edgekd.models import save_checkpoint, section_of

    donor = create_network("resnet10t", 3, OPTIONS).eval()
    card = save_checkpoint(tmp_path / "run", donor, make_card(donor))
    plain = section_of(str(tmp_path / "run"), card, 32)
    assert plain == ModelSection(arch="resnet10t", options=OPTIONS)
    built = build_network(section_of(str(tmp_path / "run"), card, 64), 3)
    assert (built.mean, built.std) == ((0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        halved = torch.nn.functional.avg_pool2d(images, 2)
        torch.testing.assert_close(built.network.eval()(images), donor(halved))
