"""Supervised training on subclasses: the loss against its formula."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from composed import ALL_OPTIONS, Step, check, subclass_ce
from tiny_methods import network
from torch import Tensor

from edgekd.distill.losses import class_log_prior, class_weights
from edgekd.distill.methods import MethodContext, resolve_method
from edgekd.distill.methods.base import Subclasses
from edgekd.distill.samples.batches import Batch
from edgekd.models.subclasses import SubclassSums
from edgekd.recipe import FitSection


def subclass_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    return {"ce": subclass_ce(method, step, step.see(method.student).outputs)}


REFERENCES = {"supervised": subclass_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("subclass", stage, REFERENCES[stage], options)


OF = (0, 0, 0, 0, 0, 1, 1, 2)
"""Class of each subclass: five, two and one."""
IMAGES = (30, 20, 6, 3, 1, 9, 3, 4)
"""Images of each subclass: 60, 12 and 4 of the classes."""


@pytest.mark.parametrize("balanced", ["logit_adjustment", "class_weights"])
def test_without_evidence_all_classes_are_equally_likely(balanced: str) -> None:
    """However many subclasses a class has, and each subclass as often as it is in its class.

    The best answer that does not depend on the image is computed: subclass logits [S] that minimise
    the loss over all training images.
    """
    labels = torch.repeat_interleave(torch.arange(len(OF)), torch.tensor(IMAGES))
    classes = torch.tensor(OF)[labels]
    counts = tuple(classes.bincount().tolist())
    adjusts = balanced == "logit_adjustment"
    context = MethodContext(
        counts, class_weights(counts, "none" if adjusts else "full"), len(labels), 32, FitSection(),
        training_labels=classes, subclasses=Subclasses(OF, labels),
        adjustment=class_log_prior(classes, 3, torch.ones(len(labels))) if adjusts else None,
    )  # fmt: skip
    kind, config = resolve_method({"name": "subclass"})
    made = kind(config, network(0, 4, 4, 8, 8, subclass_of=OF), None, context)
    batch = Batch(torch.zeros(len(labels), 3, 32, 32), classes, torch.arange(len(labels)))
    logits = torch.zeros(len(OF), requires_grad=True)
    optimiser = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = made.subclass_label(logits.expand(len(labels), -1), batch)  # type: ignore[attr-defined]
        value.backward()
        return value

    optimiser.step(loss)
    answer = logits.detach()
    of_classes = SubclassSums(OF)(answer[None]).softmax(dim=1)[0]
    torch.testing.assert_close(of_classes, torch.full((3,), 1 / 3), atol=2e-3, rtol=0.0)
    within = answer[:5].softmax(dim=0)
    torch.testing.assert_close(within, torch.tensor(IMAGES[:5]) / 60, atol=2e-3, rtol=0.0)
