from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgekd.errors import InputError
from edgekd.models.card import InputCard
from edgekd.models.importing.answers import Answer, answer_of

FILE = Path("w.pth")


class Net(nn.Module):
    """Gives what `make` makes of logits [B, 3]."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.make = nn.Linear(3, 3), make

    def forward(self, images: Tensor) -> Any:
        return self.make(2 * self.fc(images.mean((2, 3))))


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (lambda z: z, Answer(3, "logits", "")),
        (lambda z: z.softmax(1), Answer(3, "probabilities", "")),
        (lambda z: z.log_softmax(1), Answer(3, "log-probabilities", "")),
        (lambda z: z.sigmoid(), Answer(3, "sigmoids", "")),
        (lambda z: z[:, :1], Answer(1, "logit", "")),
        (lambda z: z[:, 0].sigmoid(), Answer(1, "probability", "")),
        (lambda z: z[:, :, None, None], Answer(3, "logits", "")),
        (lambda z: {"features": z, "logits": z}, Answer(3, "logits", "logits")),
        (lambda z: (z, z[:, :2]), Answer(3, "logits", "0")),
    ],
)
def test_the_kind_of_outputs_is_seen_from_what_they_are(make: Any, answer: Answer) -> None:
    assert answer_of(Net(make), 16, InputCard(), FILE) == answer


def test_probabilities_that_are_nearly_certain_are_still_probabilities() -> None:
    assert answer_of(Net(lambda z: (50 * z).softmax(1)), 16, InputCard(), FILE).gives == (
        "probabilities"
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda z: z.sum(), "gives"),
        (lambda z: z / 0, "not finite"),
        (lambda z: z @ torch.ones(5, 5), "does not take images"),
        (lambda z: "text", "no outputs"),
    ],
)
def test_networks_that_classify_no_images(make: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        answer_of(Net(make), 16, InputCard(), FILE)


def test_images_come_in_the_networks_layout() -> None:
    shapes: list[Any] = []

    class Seen(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            shapes.append(tuple(images.shape))
            return images.flatten(1)[:, :2]

    answer_of(Seen(), 16, InputCard(layout="NHWC"), FILE)
    assert shapes == [(4, 16, 16, 3)]
