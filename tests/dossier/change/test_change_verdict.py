"""The verdict by a plan: allowed and within is within; all else has a sentence that says why."""

from __future__ import annotations

from edgekd.bench.result import Estimate
from edgekd.dossier.change.figures import PairedFigure
from edgekd.dossier.change.manifests import Change
from edgekd.dossier.change.plan import ChangePlan, PlannedMargin
from edgekd.dossier.change.verdict import verdict_of

SEED = Change("method", "lineage.seed", "3", "4")
MARGIN = PlannedMargin(figure="sensitivity", of="mel", worse=0.02, images=100)
PLAN = ChangePlan(name="seeds", may_change=["lineage.seed"], margins=[MARGIN])


def figure(value: float, low: float | None, high: float | None, images: int = 200) -> PairedFigure:
    difference = Estimate(value=value, low=low, high=high)
    return PairedFigure("sensitivity", "mel", 0.9, 0.9 + value, difference, images)


def test_an_allowed_change_within_its_margin() -> None:
    verdict = verdict_of(PLAN, [SEED], [figure(0.0, -0.015, 0.02)])
    assert verdict.within
    sentence = "sensitivity of mel changed by +0.0 points (-1.5 to +2.0, 200 images)"
    assert verdict.margins[0].sentence == f"{sentence}, and may be worse by 2"


def test_a_forbidden_change() -> None:
    other = Change("data", "lineage.data_sha256", "a", "b")
    verdict = verdict_of(PLAN, [SEED, other], [figure(0.0, -0.015, 0.02)])
    assert verdict.reasons == [
        "lineage.data_sha256 changed from a to b, and the plan allows no change of data"
    ]


def test_the_whole_interval_must_keep_the_margin() -> None:
    verdict = verdict_of(PLAN, [SEED], [figure(0.01, -0.021, 0.04)])
    assert not verdict.within
    assert "so it may be worse by 2.1, and may be worse by 2" in verdict.reasons[0]


def test_of_misses_more_is_worse() -> None:
    margin = PlannedMargin(figure="answered_wrong", of="mel", worse=0.02)
    plan = ChangePlan(name="misses", may_change=["method"], margins=[margin])
    for low, high, within in ((-0.05, 0.019, True), (-0.01, 0.021, False)):
        estimate = Estimate(value=0.0, low=low, high=high)
        wrong = PairedFigure("answered_wrong", "mel", 0.1, 0.1, estimate, 50)
        assert verdict_of(plan, [SEED], [wrong]).within is within


def test_a_margin_without_evidence_fails() -> None:
    for figures, why in (
        ([], "was not compared on the same images: give --csv"),
        ([figure(0.0, None, None)], "has no interval"),
        ([figure(0.0, -0.01, 0.01, images=99)], "is of 99 images, and the plan demands 100"),
        (
            [PairedFigure("sensitivity", "nv", 1, 1, Estimate(value=0.0), 9)],
            "measured were: sensitivity of nv",
        ),
    ):
        verdict = verdict_of(PLAN, [], figures)
        assert not verdict.within
        assert why in verdict.reasons[0]
