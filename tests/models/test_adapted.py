from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgekd.errors import InputError
from edgekd.models.adapted import Adapted, adapted, outputs_in
from edgekd.models.card import Gives, InputCard, OutputCard

ABC = ("a", "b", "c")


class Give(nn.Module):
    """Gives always the same."""

    def __init__(self, outputs: Any) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, images: Tensor) -> Any:
        self.images = images
        return self.outputs


def gives(kind: Gives = "logits", **classes: str) -> OutputCard:
    mapping = {name: classes.get(name, name) for name in ABC}
    return OutputCard(names=ABC, classes=mapping, gives=kind)


def test_a_plain_network_stays_as_it_is() -> None:
    network = Give(torch.zeros(1, 3))
    assert adapted(network, InputCard(), gives(), ABC) is network
    assert adapted(network, InputCard(), gives(a="x"), ("x", "b", "c")) is network
    others = [
        (InputCard(channels="BGR"), gives()),
        (InputCard(layout="NHWC"), gives()),
        (InputCard(), gives("probabilities")),
        (InputCard(), gives(a="b")),
    ]
    for takes, card in others:
        assert isinstance(adapted(network, takes, card, ABC), Adapted)


def test_colours_and_dimensions() -> None:
    images = torch.rand(2, 3, 4, 5)
    network = Give(torch.zeros(2, 3))
    Adapted(network, InputCard(channels="BGR", layout="NHWC"), gives(), ABC)(images)
    assert network.images.equal(images.flip(1).permute(0, 2, 3, 1))


@pytest.mark.parametrize("kind", ["logits", "probabilities", "log-probabilities"])
def test_logits_have_the_probabilities_that_the_network_gave(kind: Gives) -> None:
    logits = torch.tensor([[1.0, -2.0, 0.5], [80.0, -90.0, 0.0]])
    outputs = {"logits": logits, "probabilities": logits.softmax(1),
               "log-probabilities": logits.log_softmax(1)}[kind]  # fmt: skip
    made = Adapted(Give(outputs), InputCard(layout="NHWC"), gives(kind), ABC)(
        torch.rand(2, 3, 4, 4)
    )
    assert made.isfinite().all()
    torch.testing.assert_close(made.softmax(1), logits.softmax(1))


def test_a_sigmoid_for_each_class() -> None:
    logits = torch.tensor([[1.0, -2.0, 0.5]])
    made = Adapted(Give(logits.sigmoid()), InputCard(), gives("sigmoids"), ABC)(
        torch.rand(1, 3, 4, 4)
    )
    torch.testing.assert_close(made, logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["logit", "probability"])
def test_a_single_output_is_that_of_the_second_class(kind: Gives) -> None:
    logit = torch.tensor([[-3.0], [0.0], [200.0]])
    card = OutputCard(names=("no", "yes"), classes={"no": "no", "yes": "yes"}, gives=kind)
    outputs = logit if kind == "logit" else logit.sigmoid()
    made = Adapted(Give(outputs), InputCard(), card, ("no", "yes"))(torch.rand(3, 3, 4, 4))
    assert made.isfinite().all()
    torch.testing.assert_close(made.softmax(1)[:, 1:], logit.sigmoid())
    assert card.width == 1


def test_classes_are_summed_as_probabilities_and_dropped() -> None:
    logits = torch.tensor([[1.0, -2.0, 0.5]])
    card = gives(a="x", c="x")
    made = Adapted(Give(logits), InputCard(), card, ("x", "b"))(torch.rand(1, 3, 4, 4))
    probabilities = logits.softmax(1)
    expected = torch.stack([probabilities[:, 0] + probabilities[:, 2], probabilities[:, 1]], dim=1)
    torch.testing.assert_close(made.softmax(1), expected)
    made = Adapted(Give(logits), InputCard(), gives(a=""), ("b", "c"))(torch.rand(1, 3, 4, 4))
    assert made.equal(logits[:, 1:])


def test_the_outputs_in_an_answer() -> None:
    outputs = torch.zeros(1, 3)
    assert outputs_in(outputs, "") is outputs
    assert outputs_in({"logits": outputs}, "logits") is outputs
    assert outputs_in((None, outputs), "1") is outputs
    for answer, key in [({"a": 1}, "a"), ((), "0"), (3, "logits"), ({}, ""), (None, "0")]:
        with pytest.raises(InputError, match="no outputs"):
            outputs_in(answer, key)
