"""The table of a comparison, of predictions that are written here."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from written_predictions import CLASSES, better, predictions

from edgekd.distill.comparison.comparison import Comparison, MethodRow, comparison_of
from edgekd.distill.comparison.comparison_table import markdown
from edgekd.distill.comparison.label_bits import LabelBits
from edgekd.metrics import Estimate
from edgekd.metrics.classification import balanced_accuracy_of, class_recall_of
from edgekd.metrics.seeds import seeds_auroc_difference, seeds_difference


def row_of(found: Comparison) -> MethodRow:
    return found.rows[1]


def gains(row: MethodRow) -> dict[str, Estimate]:
    single = {"balanced accuracy": row.versus_undistilled, "kappa": row.kappa_versus_undistilled}
    return {
        **{name: found for name, found in single.items() if found is not None},
        **{f"sensitivity {k}": found for k, found in row.sensitivity_versus_undistilled.items()},
        **{f"F1 {k}": found for k, found in row.f1_versus_undistilled.items()},
        **{f"AUROC {k}": found for k, found in row.auroc_versus_undistilled.items()},
    }


ALL = {
    "balanced accuracy",
    "kappa",
    "sensitivity benign",
    "sensitivity malignant",
    "F1 macro",
    "F1 malignant",
    "AUROC macro",
}


@pytest.mark.parametrize("sign", [1, -1])
def test_a_method_that_is_better_gains(sign: int) -> None:
    decided, labels = better()
    row = row_of(comparison_of(predictions(decided[::sign], labels, ordered=True)))
    found = gains(row)
    assert set(found) == ALL
    for name, gain in found.items():
        assert gain.value is not None
        assert gain.low is not None
        assert sign * gain.value > 0, name
        assert gain.low < gain.value < gain.high
        assert (gain.low > 0) == (sign > 0), name
    assert found["balanced accuracy"].value == pytest.approx(sign * 0.25)
    assert found["sensitivity benign"].value == pytest.approx(sign * 0.3)
    assert found["sensitivity malignant"].value == pytest.approx(sign * 0.2)


def test_a_kappa_may_differ_by_two() -> None:
    labels = np.arange(40) % 2
    decided = np.tile(labels, (2, 2, 1))
    for method, wrong in enumerate(((2, 18), (20, 34))):
        for seed, count in enumerate(wrong):
            decided[method, seed, :count] ^= 1
    found = gains(row_of(comparison_of(predictions(decided, labels, ordered=True))))
    assert found["kappa"].low == -2.0
    assert found["balanced accuracy"].low == -1.0


def test_gains_are_differences_of_the_rows() -> None:
    decided, labels = better()
    none, row = comparison_of(predictions(decided, labels, ordered=True)).rows
    pairs = {
        "balanced accuracy": (none.metrics["balanced_accuracy"], row.metrics["balanced_accuracy"]),
        "kappa": (none.metrics["quadratic_kappa"], row.metrics["quadratic_kappa"]),
        "F1 macro": (none.metrics["macro_f1"], row.metrics["macro_f1"]),
        "F1 malignant": (none.f1["malignant"], row.f1["malignant"]),
        "AUROC macro": (none.metrics["macro_auroc"], row.metrics["macro_auroc"]),
        **{
            f"sensitivity {name}": (none.sensitivity[name], row.sensitivity[name])
            for name in CLASSES
        },
    }
    assert set(pairs) == ALL
    for name, gain in gains(row).items():
        before, after = pairs[name]
        assert gain.value == pytest.approx(after.mean - before.mean), name


def test_the_intervals_are_those_of_the_seeds() -> None:
    decided, labels = better()
    row = row_of(comparison_of(predictions(decided, labels)))
    alone = seeds_difference(balanced_accuracy_of, *decided, labels, 2)
    assert row.versus_undistilled == Estimate(**alone._asdict())
    for k, name in enumerate(CLASSES):
        together = seeds_difference(
            lambda confusions, k=k: class_recall_of(confusions)[..., k],
            *decided, labels, 2, family=2,
        )  # fmt: skip
        assert row.sensitivity_versus_undistilled[name] == Estimate(**together._asdict())


def test_groups_are_taken_whole() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(40) % 2, 5)
    wrong = np.repeat(generator.random((2, 1, 40)) < 0.3, 5, axis=2)
    decided = np.where(wrong ^ (generator.random((2, 6, 200)) < 0.02), 1 - labels, labels)
    groups = np.repeat(np.arange(40), 5)
    alone = comparison_of(predictions(decided, labels))
    whole = comparison_of(predictions(decided, labels, groups=groups))

    def width(found: Comparison) -> float:
        gain = row_of(found).versus_undistilled
        return gain.high - gain.low

    assert width(whole) > 1.5 * width(alone)
    assert "other images would" in alone.notes[0]
    assert "other 40 groups of images (lesions or patients) would" in whole.notes[0]


def test_folds_are_no_seeds() -> None:
    """Every seed decided on every image once, whichever fold that was in."""
    decided, labels = better()
    whole = row_of(comparison_of(predictions(decided, labels, ordered=True)))
    folded = row_of(comparison_of(predictions(decided, labels, ordered=True, folds=5)))
    assert set(gains(folded)) == set(gains(whole)) == ALL
    for name in ALL - {"AUROC macro"}:
        gain = gains(whole)[name]
        values = msgspec.structs.astuple(gains(folded)[name])
        assert values == pytest.approx(msgspec.structs.astuple(gain)), name
    assert folded.metrics["accuracy"].sd != whole.metrics["accuracy"].sd


def test_images_of_two_folds_are_not_ranked_together() -> None:
    """Higher logits of malignant throughout one fold change no rank within it."""
    decided, labels = better()
    kept = predictions(decided, labels, folds=2)
    shifted = kept.parts[1].outputs + np.float32([0.0, 5.0])
    moved = replace(kept, parts=(kept.parts[0], replace(kept.parts[1], outputs=shifted)))
    found, before = (row_of(comparison_of(each)) for each in (moved, kept))
    assert found.auroc_versus_undistilled == before.auroc_versus_undistilled
    assert found.versus_undistilled != before.versus_undistilled


def test_of_more_than_two_classes_each_has_its_area() -> None:
    decided, labels = better()
    labels = np.append(labels, [2] * 20)
    decided = np.concatenate([decided, np.full((2, 3, 20), 2)], axis=2)
    classes = ("a", "b", "c")
    row = row_of(comparison_of(predictions(decided, labels, classes=classes)))
    gains = row.auroc_versus_undistilled
    assert list(gains) == ["macro", *classes]
    assert gains["macro"].value == pytest.approx(np.mean([gains[name].value for name in classes]))
    assert gains["c"].value == 0.0
    scores = [predictions(decided, labels, classes=classes).probabilities(k) for k in (0, 1)]
    family = seeds_auroc_difference(*scores, labels, of=1, family=3)
    assert gains["b"] == Estimate(**family._asdict())


@pytest.mark.parametrize("folds", [0, 5])
def test_one_seed_has_no_intervals_and_says_why(folds: int) -> None:
    decided, labels = better(seeds=1)
    found = comparison_of(predictions(decided, labels, ordered=True, folds=folds, teacher=True))
    for gain in gains(row_of(found)).values():
        assert gain.value > 0
        assert (gain.low, gain.high) == (None, None)
    assert found.notes == (
        "No intervals: one seed each, and what another seed would have given is unknown. "
        "Give three or more (--seeds 0,1,2).",
    )
    text = markdown(found)
    assert text.endswith(f"\n{found.notes[0]}\n")
    assert "| +25.0 |" in text
    assert "beyond chance" not in text


def test_a_shared_teacher_is_told() -> None:
    decided, labels = better()
    assert len(comparison_of(predictions(decided, labels)).notes) == 1
    shared = comparison_of(predictions(decided, labels, teacher=True)).notes
    assert shared[1].startswith("One teacher served all of them")
    folded = comparison_of(predictions(decided, labels, teacher=True, folds=2)).notes
    assert folded[1].startswith("One teacher served each fold")


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_teacher_that_is_no_better_than_the_undistilled_student_is_told(seeds: int) -> None:
    decided, labels = better(seeds=seeds)
    kept = predictions(decided, labels, teacher=True)
    (part,) = kept.parts
    undistilled = part.outputs[0, 0]

    def notes(of_teacher: np.ndarray) -> tuple[str, ...]:
        return comparison_of(replace(kept, parts=(replace(part, teacher=of_teacher),))).notes

    told = (
        "The teacher's balanced accuracy, 65.0, is not above that of the student without one, "
        "65.0: look for a better teacher before another method."
    )
    assert notes(undistilled)[-1] == told
    improved = undistilled.copy()
    improved[0] = improved[0, ::-1]  # one image more is right
    assert improved[0].argmax() == labels[0] != undistilled[0].argmax()
    assert told[:30] not in " ".join(notes(improved))


def test_a_class_with_a_single_image_has_no_interval() -> None:
    decided, labels = better()
    labels = np.append(labels, 2)
    decided = np.concatenate([decided, np.zeros((2, 3, 1), int)], axis=2)
    decided[1, 0, -1] = 2
    classes = ("a", "b", "c")
    found = comparison_of(predictions(decided, labels, classes=classes))
    gain = row_of(found).sensitivity_versus_undistilled
    assert gain["a"].low is not None
    assert gain["c"].value == pytest.approx(1 / 3)
    assert gain["c"].low is None
    assert found.notes[-1].startswith("Without an interval (method-1): a class with a single")


def test_a_class_without_test_images_has_no_sensitivity() -> None:
    decided, labels = better()
    found = comparison_of(predictions(decided, labels, classes=("a", "b", "c")))
    row = row_of(found)
    assert row.sensitivity["c"].mean is None
    assert set(row.sensitivity_versus_undistilled) == {"a", "b"}
    assert {line.count("|") for line in markdown(found).splitlines() if line[:1] == "|"} == {11}
    assert [line for line in markdown(found).splitlines() if line[:1] == "|"][-1].endswith("| — |")


def test_sensitivities_that_chance_does_not_explain_are_told() -> None:
    decided, labels = better()
    found = comparison_of(predictions(decided, labels))
    told = {
        "benign": Estimate(value=-0.089, low=-0.129, high=-0.05),
        "malignant": Estimate(value=0.01, low=-0.01, high=0.03),
    }
    row = msgspec.structs.replace(row_of(found), sensitivity_versus_undistilled=told)
    text = markdown(msgspec.structs.replace(found, rows=(found.rows[0], row)))
    last = "method-1, sensitivity − none beyond chance: benign: -8.9 [-12.9, -5.0]"
    assert text.splitlines()[-1] == last
    assert found.notes[0] in text


def test_what_the_teacher_told_beyond_the_classes_is_told() -> None:
    decided, labels = better()
    kept = predictions(decided, labels)
    bits = LabelBits(bits=1.5, temperature=4.0, plain=0.25, images=10)
    methods = (
        kept.facts.methods[0],
        msgspec.structs.replace(kept.facts.methods[1], label_bits=bits),
    )
    kept = replace(kept, facts=msgspec.structs.replace(kept.facts, methods=methods))
    found = comparison_of(kept)
    assert row_of(found).label_bits == bits
    assert markdown(found).splitlines()[-1] == f"method-1: {bits.text()}"
