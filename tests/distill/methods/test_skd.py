"""Subclass distillation: the golden arrays, the identities, and whole runs on painted images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import composed
import first_principles as paper
import msgspec
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from composed import ALL_OPTIONS, Step, check, subclass_ce
from torch import Tensor

from edgekd.distill.comparison.compare import CompareRequest, compare
from edgekd.distill.comparison.comparison_table import markdown
from edgekd.distill.losses import class_weights, softened_kl
from edgekd.distill.methods import Batch, MethodContext, resolve_method
from edgekd.distill.methods.base import Subclasses
from edgekd.distill.methods.skd import SubclassDistillation
from edgekd.distill.runs import pipeline
from edgekd.errors import InputError
from edgekd.lower.graph import deploy_graph
from edgekd.lower.source import load_source
from edgekd.metrics import label_bits
from edgekd.models import NormalisedNetwork, load_checkpoint, logits_of
from edgekd.models.subclasses import SubclassSums
from edgekd.recipe import FitSection, Recipe, load_recipe

DIVIDED = {
    "source": "synthetic", "images": 70, "size": 32, "seed": 1,
    "merge": {"benign": ["bkl", "df", "nv", "vasc"], "malignant": ["akiec", "bcc", "mel"]},
    "subclasses": "label",
}  # fmt: skip


SUBCLASSES = {"benign": ("bkl", "df", "nv", "vasc"), "malignant": ("akiec", "bcc", "mel")}


SUBCLASS_OF = (0, 0, 0, 0, 1, 1, 1)


def made(subclass_of: list[int], labels: Tensor, classes: int = 2, **options: Any) -> Any:
    """The method over networks that are never run."""
    kind, config = resolve_method({"name": "skd", **options})
    divided = Subclasses(tuple(subclass_of), labels)
    counts = (1,) * classes
    context = MethodContext(
        counts, class_weights(counts, "none"), len(labels), 32, FitSection(), subclasses=divided
    )
    plain = torch.nn.Linear(1, 1)
    made = kind(config, plain, torch.nn.Linear(1, 1), context)
    assert isinstance(made, SubclassDistillation)
    return made.to(labels.device)


def batch_of(classes: Tensor) -> Batch:
    return Batch(torch.empty(0), classes, torch.arange(len(classes)))


def test_sums_of_subclasses(golden, agree):
    g = golden("spec_skd")
    sums = SubclassSums(g["subclass_to_class"].tolist())
    for side in ("s", "t"):
        logits = sums(g[f"subclass_logits_{side}"])
        agree(logits, g[f"class_logit_{side}"])
        agree(logits.softmax(1), g[f"class_prob_{side}"])
    decided = sums(g["subclass_logits_s"]).argmax(1)
    assert decided.equal(g["pred_class_s"])
    by_subclass = g["subclass_to_class"][g["subclass_logits_s"].argmax(1)]
    assert by_subclass.equal(g["pred_class_from_argmax_subclass"])
    assert not decided.equal(by_subclass)


@pytest.mark.parametrize("hard", ["subclass", "class"])
def test_terms_of_the_method(golden, agree, hard):
    g = golden("spec_skd")
    options = {"temperature": float(g["T"]), "weight": float(g["alpha"]), "hard_label": hard}
    method = made(g["subclass_to_class"].tolist(), g["subclass_label"], **options)
    terms = method.terms(g["subclass_logits_s"], g["subclass_logits_t"], batch_of(g["class_label"]))
    agree(terms["skd"], g["alpha"] * g["skd_subclass_kl"])
    agree(terms["ce"], (1 - g["alpha"]) * g[f"skd_{hard}_ce"])
    agree(terms["ce"] + terms["skd"], g[f"skd_total_{hard}_ce"])


def test_class_distillation_softens_the_sums(golden, agree):
    g = golden("spec_skd")
    agree(softened_kl(g["class_logit_s"], g["class_logit_t"], 4.0), g["class_kd_kl_T4"])


def test_chain_rule_of_the_divergence(golden, agree):
    g = golden("spec_skd")
    of, logits = g["subclass_to_class"], (g["subclass_logits_s"], g["subclass_logits_t"])
    sums = SubclassSums(of.tolist())
    whole = softened_kl(*logits, 1.0)
    of_classes = softened_kl(*map(sums, logits), 1.0)
    within = sum(
        (sums(logits[1]).softmax(1)[:, c] * _kl_within(*logits, of == c)).mean() for c in (0, 1)
    )
    agree(whole, g["kl_T1_subclass"])
    agree(of_classes, g["kl_T1_class"])
    agree(within, g["kl_T1_within_class"])
    agree(whole, of_classes + within)


def _kl_within(student: Tensor, teacher: Tensor, members: Tensor) -> Tensor:
    log_q, log_p = (logits[:, members].log_softmax(1) for logits in (student, teacher))
    return (log_p.exp() * (log_p - log_q)).sum(1)


def drawn(subclasses: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    both = 2.0 * torch.randn(2, 9, subclasses, generator=generator, dtype=torch.float64)
    return both[0], both[1]


def test_one_subclass_a_class_is_plain_distillation():
    student, teacher = drawn(4)
    labels = torch.arange(9) % 4
    skd = made([0, 1, 2, 3], labels, classes=4).terms(student, teacher, batch_of(labels))
    kind, config = resolve_method({"name": "kd"})
    soft = config.weight * softened_kl(student, teacher, config.temperature)
    assert kind.name == "kd"
    assert skd["skd"].equal(soft)
    hard = (1 - config.weight) * F.cross_entropy(student, labels)
    torch.testing.assert_close(skd["ce"], hard)


@pytest.mark.parametrize("hard", ["subclass", "class"])
def test_gradient_of_the_hard_label(hard):
    student = drawn(5)[0].float().requires_grad_()
    of, labels = torch.tensor([0, 0, 1, 1, 1]), torch.arange(9) % 5
    method = made(of.tolist(), labels, weight=0.0, hard_label=hard)
    terms = method.terms(student, drawn(5)[1].float(), batch_of(of[labels]))
    (gradient,) = torch.autograd.grad(terms["ce"], student)
    p = student.detach().softmax(1)
    own = of[None] == of[labels][:, None]
    target = F.one_hot(labels, 5) if hard == "subclass" else p * own / (p * own).sum(1, True)
    torch.testing.assert_close(gradient, (p - target) / 9, atol=1e-6, rtol=1e-5)


def test_no_gradient_to_the_teacher():
    student, teacher = (one.requires_grad_() for one in drawn(5))
    method = made([0, 0, 1, 1, 1], torch.arange(9) % 5)
    method.terms(student, teacher, batch_of(torch.zeros(9, dtype=torch.int64)))["skd"].backward()
    assert teacher.grad is None
    assert student.grad is not None


def test_a_learnt_temperature_softens_subclasses():
    options = {"temperature": {"curriculum": "instance"}}
    method = made([0, 0, 1, 1, 1], torch.arange(9) % 5, **options)
    student, teacher = (one.float() for one in drawn(5))
    terms = method.terms(student, teacher, batch_of(torch.zeros(9, dtype=torch.int64)))
    terms["skd"].backward()
    assert method.softening_trained
    assert all(p.grad is not None for p in method.softening.parameters())


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the teacher of subclasses is, once a run has trained it."""
    return tmp_path_factory.mktemp("subclasses")


def run(recipe: Recipe, out: Path) -> list[str]:
    lines: list[str] = []
    pipeline.distill(pipeline.RunRequest(recipe, out, lines.append))
    return lines


@pytest.mark.parametrize("method", ["skd", "subclass", "kd", "none", "d_kd"])
def test_a_run_on_divided_classes(recipe, taught, tmp_path, method):
    if not (taught / "model.json").is_file():
        pipeline.train(pipeline.RunRequest(recipe(data=DIVIDED), taught))
    sections = {"data": DIVIDED, "teacher": {"checkpoint": str(taught)}}
    lines = run(recipe(**sections, method={"name": method}), tmp_path)
    teacher, student = load_checkpoint(taught), load_checkpoint(tmp_path / "student")
    assert teacher.card.training.method == "subclass"
    assert teacher.card.subclasses == SUBCLASSES
    assert teacher.card.subclass_of == SUBCLASS_OF
    assert student.card.classes == ("benign", "malignant")
    divided = method in ("skd", "subclass")
    assert student.card.subclasses == (SUBCLASSES if divided else {})
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    assert logits_of(student.normalised(), images).shape == (3, 2)
    assert logits_of(teacher.normalised(), images).shape == (3, 2)
    metrics = json.loads((tmp_path / "student" / "metrics.json").read_text())
    assert ("label_bits" in metrics) == (method == "skd")
    assert any("label bits" in line for line in lines) == (method == "skd")
    if method == "skd":
        assert metrics["label_bits"]["temperature"] == 4.0
        assert 0 < metrics["label_bits"]["bits"] <= 2  # log₂ of the most subclasses of a class
        _check_bits(metrics["label_bits"], teacher.normalised(), tmp_path / "student")
    _check_source(tmp_path, student.normalised())


def _check_bits(found: dict[str, Any], teacher: NormalisedNetwork, student: Path) -> None:
    source = load_source(student)
    images = np.asarray(source.pixels[source.split.indices("train")])
    outputs = logits_of(teacher, images, raw=True)
    assert found["images"] == len(images)
    assert found["bits"] == pytest.approx(label_bits(outputs, SUBCLASS_OF, 4.0))
    assert found["plain"] == pytest.approx(label_bits(outputs, SUBCLASS_OF))


def _check_source(run: Path, student: NormalisedNetwork) -> None:
    """What the lowering starts from gives the same class logits, and keeps the split's hash."""
    source = load_source(run)
    card = source.checkpoint.card
    graph = deploy_graph(source.checkpoint.network, card.mean, card.std, card.subclass_of)
    with torch.no_grad():
        lowered = graph(torch.from_numpy(source.images)).numpy()
    assert lowered.shape == (len(source.images), 2)
    np.testing.assert_allclose(lowered, source.outputs, atol=1e-5)
    np.testing.assert_allclose(logits_of(student, source.images), source.outputs, atol=1e-6)


@pytest.mark.parametrize(
    ("images", "said"), [(70, "another split"), (71, "does not predict the subclasses")]
)
def test_a_teacher_of_other_subclasses_is_refused(recipe, tmp_path, images, said):
    plain = {key: value for key, value in DIVIDED.items() if key != "subclasses"}
    own = recipe(data=plain | {"images": images})
    pipeline.train(pipeline.RunRequest(own, tmp_path / "teacher"))
    shared = {"checkpoint": str(tmp_path / "teacher")}
    taught = recipe(data=DIVIDED, teacher=shared, method={"name": "skd"})
    with pytest.raises(InputError, match=said):
        run(taught, tmp_path / "run")


@pytest.mark.parametrize("method", ["skd", "subclass"])
def test_data_without_subclasses_are_refused(recipe, tmp_path, method):
    with pytest.raises(InputError, match="needs subclass labels") as caught:
        run(recipe(method={"name": method}), tmp_path)
    assert "data" in (caught.value.hint or "")


@pytest.mark.parametrize("method", ["none", "kd", "subclass", "skd"])
def test_the_shipped_recipes_share_all_but_the_method(method):
    ours, skd = load_recipe(f"ham10000-malignant-{method}"), load_recipe("ham10000-malignant-skd")
    assert ours.method["name"] == method
    for section in ("data", "split", "image_size", "student", "teacher"):
        assert getattr(ours, section) == getattr(skd, section)


@pytest.mark.slow
def test_compare_shares_the_teacher_of_subclasses(recipe, tmp_path):
    student = recipe().student
    eager = msgspec.structs.replace(student.fit, epochs=6, learning_rate=0.05)
    student = msgspec.to_builtins(msgspec.structs.replace(student, fit=eager))
    recipes = [
        recipe(name=name, data=DIVIDED, method={"name": name}, student=student)
        for name in ("kd", "skd", "subclass")
    ]
    found = compare(CompareRequest(recipes, (0, 1), tmp_path))
    assert [row.name for row in found.rows] == ["none", "kd", "skd", "subclass"]
    assert load_checkpoint(tmp_path / "teacher").card.subclasses == SUBCLASSES
    told = {row.name: row.label_bits for row in found.rows}
    assert [name for name, bits in told.items() if bits] == ["skd"]
    plain = found.rows[0]
    assert plain.f1_versus_undistilled == {}
    assert len({row.f1["malignant"].mean for row in found.rows}) > 1  # else 0 is held against 0
    assert len({row.sensitivity["malignant"].mean for row in found.rows}) > 1
    for row in found.rows[1:]:
        gains = row.f1_versus_undistilled
        assert set(gains) == {"macro", "malignant"}
        macro = row.metrics["macro_f1"].mean - plain.metrics["macro_f1"].mean
        positive = row.f1["malignant"].mean - plain.f1["malignant"].mean
        assert gains["macro"].value == pytest.approx(macro)
        assert gains["malignant"].value == pytest.approx(positive)
        assert gains["malignant"].low <= positive <= gains["malignant"].high
        recall = row.sensitivity_versus_undistilled
        assert set(recall) == {"benign", "malignant"}
        lost = row.sensitivity["malignant"].mean - plain.sensitivity["malignant"].mean
        assert recall["malignant"].value == pytest.approx(lost)
        mean = (recall["benign"].value + recall["malignant"].value) / 2
        assert row.versus_undistilled.value == pytest.approx(mean)
    text = markdown(found)
    head, *rows = [line for line in text.splitlines() if line.startswith("|")]
    assert "F1 malignant − none [95 %]" in head
    assert all(row.count("|") == head.count("|") for row in rows)
    assert f"skd: {told['skd'].text()}" in text.splitlines()


def skd_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    own, guide = step.see(method.student).outputs, step.see(method.teacher).outputs
    hard = subclass_ce(method, step, own)
    if c.hard_label == "class":
        members = [torch.tensor(composed.SUBCLASS_OF) == label for label in range(5)]
        hard = step.hard(torch.stack([own[:, m].exp().sum(1).log() for m in members], dim=1))
    soft = paper.kl(own, guide, c.temperature)
    return {"ce": (1 - c.weight) * hard, "skd": c.weight * soft}


REFERENCES = {"student": skd_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("skd", stage, REFERENCES[stage], options)
