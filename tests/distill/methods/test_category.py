"""CRCKD's two terms with their embeddings and banks, against the released code's arrays."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from edgekd.distill.methods import MethodContext
from edgekd.distill.methods.category import CategoryConfig, CategoryTerms
from edgekd.recipe import FitSection

CLASSES = 5


CASES = ("crckd_p1", "crckd_p4")


def category(g: dict[str, Tensor]) -> CategoryTerms:
    """The golden's embeddings and banks, both terms at weight 1."""
    config = CategoryConfig(contrast=1.0, positives=int(g["P"]), negatives=int(g["K"]), embedding=8)
    context = MethodContext(
        (1,) * CLASSES, torch.ones(CLASSES), 60, 32, FitSection(), training_labels=g["labels"]
    )
    made = CategoryTerms(config, (16, 16), context).to(g["embed_s_w"].dtype)
    for side, layer in (("s", made.embeddings["student"]), ("t", made.embeddings["teacher"])):
        layer.load_state_dict({"weight": g[f"embed_{side}_w"], "bias": g[f"embed_{side}_b"]})
    made.banks.student.copy_(g["memory_s_init"])
    made.banks.teacher.copy_(g["memory_t_init"])
    return made


@pytest.mark.parametrize("case", CASES)
def test_two_steps(golden, agree, case):
    g = golden(case)
    made = category(g)
    for step in ("step0", "step1"):
        student = g[f"{step}_feat_s"].requires_grad_()
        rows, drawn = g[f"{step}_index"], g[f"{step}_sample_idx_used"]
        terms = made.terms_of(student, g[f"{step}_feat_t"], rows, drawn)
        agree(terms["contrast"], g[f"{step}_ccd_loss"])
        agree(terms["relation"], g[f"{step}_crp_loss"])
        for name, loss in (("contrast", "ccd"), ("relation", "crp")):
            (gradient,) = torch.autograd.grad(terms[name], student, retain_graph=True)
            agree(gradient, g[f"{step}_grad_{loss}_feat_s"])
        made.remember()
        agree(made.banks.student, g[f"{step}_memory_s_after"])
        agree(made.banks.teacher, g[f"{step}_memory_t_after"])
        scale = torch.stack((g[f"{step}_Z_s"], g[f"{step}_Z_t"]))
        agree(made.banks.scale / scale, torch.ones_like(scale))


def test_with_one_positive_the_contrast_is_that_of_crd(golden, agree):
    g = golden("crckd_p1")
    first = (g["step0_feat_s"], g["step0_feat_t"], g["step0_index"], g["step0_sample_idx_used"])
    agree(category(g).terms_of(*first)["contrast"], g["crd_repdistiller_step0"])


@pytest.mark.parametrize("size", [1, 2])
def test_small_and_uniform_batches_are_finite(golden, precision, size):
    g = golden("crckd_p4")
    made = category(g)
    features = torch.ones(size, 16, dtype=precision, requires_grad=True)
    rows, drawn = g["step0_index"][:size], g["step0_sample_idx_used"][:size]
    terms = made.terms_of(features, features.detach(), rows, drawn)
    torch.stack(list(terms.values())).sum().backward()
    assert all(term.isfinite() for term in terms.values())
    assert features.grad.isfinite().all()


def test_who_gets_a_gradient_of_what(golden):
    g = golden("crckd_p4")
    made = category(g)
    student, teacher = (g[f"step0_feat_{side}"].requires_grad_() for side in "st")
    generator = torch.Generator().manual_seed(0)
    terms = made.terms(student, teacher, g["step0_index"], generator)
    own, guide = (made.embeddings[name].weight for name in ("student", "teacher"))
    for name, reached in (
        ("contrast", {"student", "own", "guide"}),
        ("relation", {"student", "own"}),
    ):
        inputs = {"student": student, "teacher": teacher, "own": own, "guide": guide}
        found = torch.autograd.grad(
            terms[name], list(inputs.values()), allow_unused=True, retain_graph=True
        )
        moved = {key for key, gradient in zip(inputs, found, strict=True) if gradient is not None}
        assert moved == reached
