"""The weights of AMAL against the released code, their limits and their direction."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from loss_checks import close, drawn
from torch import Tensor

from edgekd.distill.losses import mixed_weights, softened_kl, virtual_logits

LABELS = torch.tensor([2, 0, 3, 2, 1])


def plain(logits: Tensor) -> Tensor:
    return F.cross_entropy(logits, LABELS)


def rows(seed: int = 0) -> dict[str, Tensor]:
    return {
        "weights": drawn(6, 2, seed=seed).sigmoid(),
        "gradients": drawn(6, 2, 4, seed=seed + 1),
        "pooled": drawn(6, 7, seed=seed + 2),
        "held_out_pooled": drawn(5, 7, seed=seed + 3),
        "held_out_logits": drawn(5, 4, seed=seed + 4),
    }


def moved(**changes: object) -> Tensor:
    options = {"rate": 1e-3, "step": 1.0, "most": torch.full((2,), 2.0).double(), "repeats": 1}
    return mixed_weights(**rows(), held_out_slope=torch.func.grad(plain), **(options | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("key", "rate"), [("lambda_after", 0.1), ("lambda_after_eta1e-4", 1e-4)])
def test_the_released_code(
    key: str, rate: float, golden: Callable[[str], dict[str, Tensor]],
    agree: Callable[[Tensor, Tensor], None],
) -> None:  # fmt: skip
    g = golden("amal")
    logits = (g["x_train"] @ g["student_w"].T + g["student_b"]).requires_grad_()
    teacher = g["x_train"] @ g["teacher_w"].T + g["teacher_b"]
    slopes = []
    for first in (0, 3):  # the group is of two batches, each a mean
        part = slice(first, first + 3)
        losses = (
            F.cross_entropy(logits[part], g["y_train"][part]),
            softened_kl(logits[part], teacher[part], 4.0),
        )
        slopes.append([torch.autograd.grad(loss, logits)[0][part] for loss in losses])
    gradients = torch.cat([torch.stack(pair, dim=1) for pair in slopes])
    found = mixed_weights(
        g["lambda_init"], gradients, g["x_train"], g["x_val"],
        g["x_val"] @ g["student_w"].T + g["student_b"],
        torch.func.grad(lambda z: F.cross_entropy(z, g["y_val"])), rate=rate, step=1500.0,
        most=torch.full((2,), 2.0, dtype=logits.dtype),
    )  # fmt: skip
    agree(found, g[key])


def test_the_virtual_step_is_one_of_gradient_descent_on_the_last_layer() -> None:
    given = rows()
    matrix, bias = drawn(4, 7, seed=9).requires_grad_(), drawn(4, seed=10).requires_grad_()
    logits = given["pooled"] @ matrix.T + bias
    mixed = torch.einsum("im,imk->ik", given["weights"], given["gradients"])
    slopes = torch.autograd.grad((logits * mixed).sum(), (matrix, bias))
    stepped = (matrix - 0.3 * slopes[0], bias - 0.3 * slopes[1])
    before = given["held_out_pooled"] @ matrix.T + bias
    after = given["held_out_pooled"] @ stepped[0].T + stepped[1]
    found = virtual_logits(**(given | {"held_out_logits": before}), rate=0.3)
    close(found, after.detach())


def test_the_weights_follow_the_gradient_by_finite_differences() -> None:
    given, step = rows(), 1e-5
    found = (given["weights"] - moved()) / 1.0

    def loss(weights: Tensor) -> Tensor:
        return plain(virtual_logits(**(given | {"weights": weights}), rate=1e-3))

    for image, term in ((0, 0), (3, 1), (5, 0)):
        change = torch.zeros_like(given["weights"])
        change[image, term] = step
        ahead, behind = loss(given["weights"] + change), loss(given["weights"] - change)
        close(found[image, term], (ahead - behind) / (2 * step), atol=1e-9)


def test_no_virtual_step_teaches_nothing() -> None:
    assert moved(rate=0.0, repeats=5).equal(rows()["weights"])


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_image_whose_gradient_opposes_the_held_out_one_loses_weight(sign: float) -> None:
    given = rows() | {"weights": torch.ones(1, 1).double(), "pooled": torch.zeros(1, 7).double()}
    slope = torch.func.grad(plain)(given["held_out_logits"]).sum(dim=0)
    found = mixed_weights(
        **(given | {"gradients": sign * slope[None, None]}), held_out_slope=torch.func.grad(plain),
        rate=1e-3, step=1.0, most=torch.tensor([2.0]), repeats=1,
    )  # fmt: skip
    assert (found - 1.0).sign().item() == sign


def test_the_weights_stay_within_their_limits() -> None:
    most = torch.tensor([2.0, 16.0]).double()
    found = moved(step=1e9, most=most)
    assert found.min() == pytest.approx(1e-7)
    close(found.amax(dim=0), most - 1e-7)
