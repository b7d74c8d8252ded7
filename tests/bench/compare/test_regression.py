"""Two results beside one another: no alarm where nothing changed, and none missed."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from painted_results import (
    CLASSES,
    artefact,
    compare,
    images,
    logits_of,
    result,
    teacher_row,
    times,
)

from edgekd.bench.compare.regression import METRICS, RegressionLimits, Regressions, compare_results
from edgekd.bench.measure.flags import Flag
from edgekd.bench.result import (
    Energy,
    Latency,
    Memory,
    Result,
    ResultRow,
)
from edgekd.bench.result.statistics import summarise
from edgekd.errors import InputError
from edgekd.metrics import metrics_of

PAIRS = 200


def change(row: ResultRow, **changes) -> ResultRow:
    return msgspec.structs.replace(row, **changes)


def verdicts(found: Regressions) -> dict[str, str]:
    return {change.metric: change.verdict for change in found.changes}


BASE = artefact(1)


def judged(
    new: ResultRow, limits: RegressionLimits | None = None, old: ResultRow = BASE
) -> dict[str, str]:
    return verdicts(compare_results(result(old), result(new), limits))


def test_the_same_result_is_the_same():
    found = compare_results(result(BASE), result(BASE))
    assert verdicts(found) == dict.fromkeys(
        [
            "p50 model, ms",
            "p90 model, ms",
            "p50 end to end, ms",
            "p90 end to end, ms",
            "balanced accuracy",
            "sensitivity mel",
            "sensitivity bcc",
            "size, bytes",
            "memory, bytes",
            "energy, J",
        ],
        "same",
    )
    assert found.exit_code() == found.exit_code(strict=True) == 0


def alarms(metrics: list[str], verdict: str, pairs: int, **changes) -> dict[str, float]:
    """Share of pairs with that verdict, by number: two runs of the harness each."""
    counts: dict[str, int] = {}
    for seed in range(pairs):
        old = make(metrics, 2 * seed, data=seed)
        new = make(metrics, 2 * seed + 1, data=seed, **changes)
        for name, said in judged(new, RegressionLimits(metrics=metrics), old).items():
            counts[name] = counts.get(name, 0) + (said == verdict)
    return {name: count / pairs for name, count in counts.items()}


def make(metrics: list[str], seed: int, **changes) -> ResultRow:
    """A row whose decisions are worked out only where they are looked at: that takes long."""
    if metrics == ["latency"]:
        changes |= {"metrics": None, "vs_teacher": None}
    return artefact(seed, **changes)


def test_no_false_alarm_of_time_where_nothing_changed():
    """Two processes of one speed, 200 times: none at all, since 5 % have to be exceeded too."""
    rates = alarms(["latency"], "regression", PAIRS)
    assert rates == dict.fromkeys(rates, 0.0)
    assert len(rates) == 4


def test_a_tenth_slower_is_found():
    rates = alarms(["latency"], "regression", PAIRS, p50=11.0)
    assert rates["p50 model, ms"] >= 0.95
    assert rates["p90 model, ms"] >= 0.95


@pytest.mark.parametrize(
    ("pairs", "most"), [(20, 0.05), pytest.param(PAIRS, 0.025, marks=pytest.mark.slow)]
)
def test_few_false_alarms_of_decisions_where_nothing_changed(pairs, most):
    """Two trainings of the same worth, many times.

    At the 95 % level 2.5 % would be on the worse side. They are fewer: the images are the same, and
    the intervals do not know it.
    """
    rates = alarms(["accuracy", "sensitivity"], "regression", pairs)
    assert set(rates) == {"balanced accuracy", "sensitivity mel", "sensitivity bcc"}
    assert max(rates.values()) <= most


@pytest.mark.parametrize("pairs", [10, pytest.param(40, marks=pytest.mark.slow)])
def test_a_clear_loss_and_gain_of_accuracy_is_found(pairs):
    assert alarms(["accuracy"], "regression", pairs, skill=1.0)["balanced accuracy"] >= 0.95
    assert alarms(["accuracy"], "improvement", pairs, skill=3.5)["balanced accuracy"] >= 0.95


def test_slower_faster_and_a_little_slower():
    speed = RegressionLimits(metrics=["latency"])
    assert judged(artefact(2, p50=12.0), speed)["p50 model, ms"] == "regression"
    assert judged(artefact(2, p50=8.0), speed)["p50 model, ms"] == "improvement"
    # Many runs tell even 3 % apart, which is within the tolerance.
    steady = [
        change(BASE, latency_ms=times(seed, p50, 20_000)) for seed, p50 in ((1, 10), (1, 10.3))
    ]
    before, after = (row.latency_ms.model for row in steady)
    assert after.p50_interval[0] > before.p50_interval[1]
    assert judged(steady[1], speed, steady[0])["p50 model, ms"] == "same"
    strict = RegressionLimits(metrics=["latency"], tolerance=0.0)
    assert judged(steady[1], strict, steady[0])["p50 model, ms"] == "regression"


def test_intervals_that_overlap_are_no_regression():
    """A third slower by the medians of a handful of runs says nothing."""
    few = [change(BASE, latency_ms=Latency(model=summarise(s), end_to_end=summarise(s)))
           for s in ([8.0, 9.0, 10.0, 14.0, 15.0], [8.5, 9.5, 13.5, 14.5, 16.0])]  # fmt: skip
    assert judged(few[1], RegressionLimits(metrics=["latency"]), few[0])["p50 model, ms"] == "same"


def test_less_melanoma_found_is_a_regression_though_the_accuracy_stays():
    logits, targets = logits_of(1, 2.0).copy(), images(0)[1]
    logits[targets == 0, 0] -= 1.0
    for harmless in (2, 3):
        logits[targets == harmless, harmless] += 2.0
    worse = change(BASE, metrics=metrics_of(logits, targets, CLASSES), vs_teacher=None)
    found = judged(worse, RegressionLimits(metrics=["accuracy", "sensitivity"]))
    assert found == {
        "balanced accuracy": "same",
        "sensitivity mel": "regression",
        "sensitivity bcc": "same",
    }


def test_grades_that_err_further_are_a_regression_though_the_accuracy_stays():
    targets = images(0)[1]
    near, far = (np.eye(len(CLASSES))[targets] * 4 for _ in range(2))
    near[::8], far[::8] = np.eye(4)[1], np.eye(4)[3]  # of the lowest grade: every eighth is one

    def row(scores: np.ndarray, *, ordered: bool = True) -> ResultRow:
        return artefact(1, metrics=metrics_of(scores, targets, CLASSES, ordered=ordered))

    found = judged(row(far), old=row(near))
    assert found["balanced accuracy"] == "same"
    assert found["quadratic kappa"] == "regression"
    assert judged(row(near), old=row(far))["quadratic kappa"] == "improvement"
    assert "quadratic kappa" not in judged(row(far, ordered=False), old=row(near, ordered=False))


def test_classes_are_those_of_the_target_or_as_asked():
    limits = RegressionLimits(metrics=["sensitivity"], critical=["df", "unheard of"])
    assert list(judged(BASE, limits)) == ["sensitivity df"]
    unknown = change(BASE, target="someone's own")
    assert "sensitivity mel" in judged(unknown, RegressionLimits(metrics=["sensitivity"]), unknown)


def test_the_same_teacher_narrows_the_interval():
    logits, targets = logits_of(1, 2.0), images(0)[1]
    teacher = logits + 0.2 * np.random.default_rng(9).normal(size=logits.shape)
    worse = logits.copy()
    worse[::14] = np.roll(worse[::14], 1, axis=1)

    def row(scores):
        comparison = compare(teacher, scores, targets)
        return artefact(1, metrics=metrics_of(scores, targets, CLASSES), vs_teacher=comparison)

    def of(old_teacher, new_teacher):
        old, new = result(old_teacher, row(logits)), result(new_teacher, row(worse))
        return verdicts(compare_results(old, new))["balanced accuracy"]

    assert of(teacher_row(), teacher_row()) == "regression"
    assert of(teacher_row(), teacher_row("u" * 64)) == "same"


@pytest.mark.parametrize(
    ("changes", "metric", "verdict"),
    [
        ({"size_bytes": 2_700_000}, "size, bytes", "regression"),
        ({"size_bytes": 2_600_000}, "size, bytes", "same"),
        ({"size_bytes": 2_000_000}, "size, bytes", "improvement"),
        ({"size_bytes": None}, "size, bytes", "unknown"),
        ({"memory": Memory(rss_peak_delta_bytes=80_000_000, definition="VmHWM")},
         "memory, bytes", "regression"),
        ({"memory": Memory(rss_peak_delta_bytes=75_000_000, definition="VmHWM")},
         "memory, bytes", "same"),
        ({"memory": Memory(rss_peak_delta_bytes=90_000_000, definition="ru_maxrss")},
         "memory, bytes", "unknown"),
        ({"memory": None}, "memory, bytes", "unknown"),
        ({"energy": Energy(joules_per_inference=0.06, active_watts=8, idle_watts=4,
                           sensor="INA3221 VDD_IN")}, "energy, J", "regression"),
        ({"energy": Energy(joules_per_inference=0.06, active_watts=8, idle_watts=4,
                           sensor="RAPL package-0")}, "energy, J", "unknown"),
        ({"energy": None}, "energy, J", "unknown"),
        ({"metrics": None}, "balanced accuracy", "unknown"),
        ({"metrics": None}, "sensitivity mel", "unknown"),
    ],
)  # fmt: skip
def test_what_it_takes(changes, metric, verdict):
    found = judged(change(BASE, **changes))
    assert found.pop(metric) == verdict
    rest = {name for name, said in found.items() if said != "same"}
    assert rest <= ({"balanced accuracy", "sensitivity mel", "sensitivity bcc"} - {metric}
                    if changes.get("metrics", 0) is None else set())  # fmt: skip


def test_times_that_are_not_valid_are_not_compared_but_told():
    flagged = artefact(
        2, p50=20.0, valid=False, flags=[Flag("drift", "model, last fifth 9% slower")]
    )
    found = compare_results(result(BASE), result(flagged))
    unknown = found.of("unknown")
    assert {change.metric for change in unknown} == {
        f"{name} {series}, ms" for name in ("p50", "p90") for series in ("model", "end to end")
    }
    assert all("drift: model" in change.words for change in unknown)
    assert (unknown[0].new, found.exit_code(), found.exit_code(strict=True)) == (
        flagged.latency_ms.model.p50, 0, 4)  # fmt: skip
    before = compare_results(result(flagged), result(BASE)).of("unknown")
    assert "not valid before" in before[0].words


def test_other_threads_are_no_comparison():
    other = artefact(2, p50=20.0, runtime={"threads": 1})
    (first, *_) = compare_results(result(BASE), result(other)).of("unknown")
    assert first.words == "4 threads before, 1 now"


def test_accuracy_from_the_host_is_not_that_of_the_device():
    flags = [Flag("accuracy-from-host", "ai-edge-litert 2.3.0 on x86_64")]
    found = judged(change(BASE, flags=flags))
    assert found["balanced accuracy"] == found["sensitivity mel"] == "unknown"


def test_a_number_that_is_gone_says_why():
    flags = [Flag("latency-not-measured", "no rpi device is configured")]
    found = compare_results(result(BASE), result(change(BASE, latency_ms=None, flags=flags)))
    assert {change.words for change in found.of("unknown")} == set(map(str, flags))


def test_rows_that_are_missing_and_new_ones():
    other = artefact(1, name="rpi fp16", precision="fp16")
    found = compare_results(result(BASE, other), result(BASE, teacher_row()))
    (missing,) = found.of("unknown")
    assert (missing.row, missing.metric) == ("rpi fp16", "row")
    assert found.added == ["teacher"]
    assert (found.exit_code(), found.exit_code(strict=True)) == (0, 4)


def test_what_was_never_measured_is_not_missed():
    empty = ResultRow(name="teacher", role="teacher")
    assert compare_results(result(empty), result(empty)).changes == []


def refused(old: Result, new: Result, *metrics: str) -> str:
    with pytest.raises(InputError) as caught:
        compare_results(old, new, RegressionLimits(metrics=metrics or METRICS))
    return caught.value.message


def test_other_images_another_device_another_span():
    base = result(BASE)
    assert refused(base, result(BASE, data="e" * 64)).startswith("the images differ: 400 of tiny")
    assert "differ in name: rpi before, cpu now" in refused(base, result(BASE, device="cpu"))
    assert "differ in model" in refused(base, result(BASE, model="Raspberry Pi 4"))
    emulated = msgspec.structs.replace(
        base, device=msgspec.structs.replace(base.device, emulated=True)
    )
    assert "emulated" in refused(base, emulated)
    span = msgspec.structs.replace(BASE.latency_ms, model_span="pixels on the GPU to logits there")
    assert "another span" in refused(base, result(change(BASE, latency_ms=span)))


def test_only_what_is_asked_for_has_to_be_comparable():
    speed, accuracy = (
        RegressionLimits(metrics=["latency", "size"]),
        RegressionLimits(metrics=["accuracy", "size"]),
    )
    assert compare_results(result(BASE), result(BASE, data="e" * 64), speed).exit_code() == 0
    assert compare_results(result(BASE), result(BASE, device="cpu"), accuracy).exit_code() == 0


@pytest.mark.parametrize(
    "limits",
    [
        RegressionLimits(metrics=["beauty"]),
        RegressionLimits(tolerance=-0.1),
        RegressionLimits(loose_tolerance=-1),
    ],
)
def test_limits_that_make_no_sense(limits):
    with pytest.raises(InputError):
        compare_results(result(BASE), result(BASE), limits)
