"""Networks that cannot be trained: told with what is wrong, and with a change that helps."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from edgekd.errors import InputError  # noqa: E402
from edgekd.models import check_model  # noqa: E402
from edgekd.recipe import ModelSection  # noqa: E402

TINY = {"channels": [4, 4, 8, 8], "stem_width": 4}
FLAT = {"depths": [1] * 4, "dims": [4] * 4}
VIT = {"embed_dim": 16, "depth": 1, "num_heads": 2}


@pytest.mark.parametrize(
    ("arch", "options", "size", "wrong", "hint"),
    [
        ("resnet10t", TINY | {"in_chans": 1}, 32, "to have 1 channels", "remove `in_chans`"),
        ("resnet10t", TINY | {"in_chans": 4}, 32, "to have 4 channels", "remove `in_chans`"),
        ("resnet10t", TINY | {"features_only": True}, 32, "a list", "remove `features_only`"),
        ("resnet10t", TINY | {"global_pool": ""}, 32, "cannot be mul", "remove `global_pool`"),
        ("resnet10t", TINY | {"nope": 1}, 32, "unexpected keyword", "remove `nope`"),
        ("resnet10t", TINY | {"num_classes": 2}, 32, "the data set says", "remove `num_classes`"),
        ("resnet10t", TINY | {"pretrained": True}, 32, "beside `options`", "remove `pretrained`"),
        ("vit_tiny_patch16_224", VIT, 96, "doesn't match model", "add `img_size: 96`"),
        ("vit_tiny_patch16_224", VIT | {"global_pool": ""}, 224, "[2, 197", "remove `global_pool`"),
        ("vit_tiny_patch16_224", VIT | {"img_size": 64}, 96, "Input height", "add `img_size: 96`"),
        ("convnext_atto", FLAT, 16, "can't be greater", "set `image_size: 224`"),
        ("mobilenetv2_10", {}, 32, "no architecture", "did you mean mobilenetv2_1"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained(
    arch: str, options: dict[str, Any], size: int, wrong: str, hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        check_model(ModelSection(arch=arch, options=options), 3, size)
    assert caught.value.exit_code == 2
    assert wrong in caught.value.message
    assert hint in caught.value.hint


def test_the_hint_helps() -> None:
    check_model(ModelSection(arch="vit_tiny_patch16_224", options=VIT | {"img_size": 96}), 3, 96)


class Auxiliary(torch.nn.Module):
    """As Inception: a second head while it is trained."""

    def forward(self, images: Any) -> Any:
        logits = images.mean((2, 3))
        return (logits, logits) if self.training else logits


def test_more_outputs_in_training_than_in_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that only training sees would end the first step."""
    monkeypatch.setattr("edgekd.models.trial.create_network", lambda *_: Auxiliary())
    with pytest.raises(InputError, match="a tuple where one tensor"):
        check_model(ModelSection(arch="resnet18"), 3, 32)


def test_one_that_can_be_trained_leaves_no_trace() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    check_model(ModelSection(arch="resnet10t", options=TINY | {"drop_rate": 0.5}), 3, 48)
    assert torch.equal(torch.get_rng_state(), before)
