"""What is flagged of the samples and of what disturbed the machine, and what is only noted."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd.bench.measure.clock import CoreClock
from edgekd.bench.measure.disturbances import Disturbances
from edgekd.bench.measure.flags import Flag
from edgekd.bench.measure.timing import PRESETS, Preset
from edgekd.bench.result.validity import session_flags, validity_flags, validity_notes

RAPID = PRESETS["rapid"]
STEADY = np.random.default_rng(0).normal(10, 0.2, 100)


def codes(flags: list[Flag]) -> list[str]:
    return [flag.code for flag in flags]


def flags_of(**seen) -> list[Flag]:
    watch = Disturbances(**({"seconds": 6.0} | seen))
    return validity_flags(STEADY, RAPID, series="model", disturbances=watch)


@pytest.mark.parametrize(
    ("samples", "flag"),
    [
        ([1.0, 1.5] * 50, "high-variation"),
        ([1.0] * 80 + [1.08] * 20, "drift"),
        ([1.0] * 80 + [0.92] * 20, "drift"),
        ([1.0] * 40 + [1.12] * 20 + [1.0] * 40, "unsteady"),
        ([1.0] * 63, "too-few-samples"),
    ],
)
def test_flags_of_the_samples(samples, flag):
    assert codes(validity_flags(samples, RAPID, series="model")) == [flag]


def test_a_quiet_series_has_no_flags():
    assert validity_flags(STEADY, RAPID, series="model") == []


def test_the_clock_of_a_virtual_machine_is_its_hosts():
    def drifting(share: float, *, virtual: bool) -> list[str]:
        samples = np.concatenate([STEADY, (1 + share) * STEADY[:25]])
        watch = Disturbances(seconds=6.0, virtual=virtual)
        return codes(validity_flags(samples, RAPID, series="model", disturbances=watch))

    assert drifting(0.07, virtual=False) == ["drift"]
    assert drifting(0.07, virtual=True) == []
    assert drifting(0.13, virtual=True) == ["drift"]
    (note,) = validity_notes([Disturbances(seconds=6.0, virtual=True)])
    assert note.code == "virtual-machine"


def test_a_hiccup_of_the_system_does_not_make_a_short_model_invalid():
    samples = np.random.default_rng(4).normal(0.1, 0.02, 50_000)
    samples[::5000] = 4.0
    assert validity_flags(samples, RAPID, series="model") == []
    (flag,) = validity_flags([1.0, 1.5] * 50, RAPID, series="model")
    assert flag.detail.endswith("of the mean without the slowest hundredth")


def test_a_series_that_ended_at_its_maximum_has_too_few_samples():
    preset = Preset("t", runs=1000, seconds=0.0, max_seconds=0.03)
    (flag,) = validity_flags([10.0] * 4, preset, series="model")
    assert flag == Flag("too-few-samples", "model, 4 of 1000 runs")


def test_photos_of_several_sizes_are_not_flagged():
    noise = np.random.default_rng(0).normal(0, 0.1, 128)
    samples = np.tile([4.0, 8.0, 16.0, 32.0], 32) + noise
    assert "high-variation" in codes(validity_flags(samples, RAPID, series="end-to-end"))
    assert validity_flags(samples, RAPID, series="end-to-end", images=4) == []


@pytest.mark.parametrize(
    ("seen", "flag"),
    [
        ({"other_load": 0.11}, "other-load: model, other processes took 11% of the CPU"),
        (
            {"other_load": 0.04, "other_cores": 0.64},
            "other-load: model, other processes took 0.6 cores",
        ),
        ({"stolen": 0.05}, "stolen-time: model, the hypervisor gave 5% of the CPU to others"),
        (
            {"own_swap_bytes": 4_000_000},
            "swap: model, 4.0 MB of the measuring process were in swap",
        ),
        (
            {"swapped_pages": 1000},
            "swap: model, the system moved 1000 pages between memory and swap",
        ),
        ({"page_reads": 40}, "swap: model, 40 pages were read from disk again"),
        ({"clock_jump_s": -3600.0}, "clock-jump: model, the wall clock jumped by -3600.0 s"),
        (
            {"throttled": ["it is throttled"]},
            "throttled: model, the processor was held back: it is throttled",
        ),
        (
            {"clock_before": CoreClock(now=1800), "clock_after": CoreClock(now=1000)},
            "throttled: model, the processor was held back: its clock fell from 1800 to 1000 MHz",
        ),
    ],
)
def test_flags_of_the_machine(seen, flag):
    assert list(map(str, flags_of(**seen))) == [flag]


@pytest.mark.parametrize(
    "seen",
    [
        {"other_load": 0.10, "other_cores": 0.2, "stolen": 0.02},
        {"other_load": None, "other_cores": None, "stolen": None},
        {"swapped_pages": 200, "own_swap_bytes": 0, "page_reads": 3},
        {"clock_jump_s": 0.4},
        # A time service that slews by 0.5 ms a second for half an hour.
        {"seconds": 1800.0, "clock_jump_s": 0.9},
        {"clock_before": CoreClock(now=1800), "clock_after": CoreClock(now=1790)},
        {"switches_per_second": 3.0},
    ],
)
def test_what_is_usual_on_a_quiet_machine_is_not_flagged(seen):
    assert flags_of(**seen) == []


def test_an_accelerator_that_was_not_obtained():
    def facts(**more):
        return {"engine": "x 1.0"} | more

    assert session_flags(facts()) == []
    assert session_flags(facts(accelerator_asked=None, accelerator="XNNPACK")) == []
    assert session_flags(facts(accelerator_asked="cpu", accelerator="CPU")) == []
    assert session_flags(facts(accelerator_asked="gpu", accelerator="GPU")) == []
    (flag,) = session_flags(facts(accelerator_asked="gpu", accelerator="XNNPACK"))
    assert flag == Flag("accelerator", "gpu was requested, and XNNPACK computes")
    (flag,) = session_flags(facts(accelerator_asked="gpu", accelerator="CPUExecutionProvider"))
    assert flag.detail.endswith("CPUExecutionProvider computes")
    partly = facts(accelerator_asked="npu", accelerator="npu", warnings=["npu took half of it"])
    assert session_flags(partly) == [Flag("accelerator", "npu took half of it")]


def test_facts_of_a_real_session_on_the_cpu_raise_nothing(make_bundle):
    from edgekd.runtime import Classifier

    with Classifier.open(make_bundle("plain"), threads=1) as classifier:
        assert session_flags(classifier.facts) == []
        assert validity_notes([], classifier.facts) == []


def test_notes_say_of_what_the_times_are_true():
    capped = CoreClock(now=1500, limit=1500, rated=2400, governor="ondemand")
    seen = Disturbances(seconds=6.0, clock_before=capped, clock_after=capped)
    assert validity_flags(STEADY, RAPID, series="model", disturbances=seen) == []
    notes = validity_notes([seen, seen, None], {"xnnpack_partitions": 3})
    assert list(map(str, notes)) == [
        "governor: the clock is set by ondemand, not by performance",
        "clock-limit: 1500 MHz are allowed of 2400",
        "partitions: XNNPACK took the graph in 3 pieces",
    ]


def test_a_slow_clock_is_noted_without_a_limit():
    slow = CoreClock(now=800, limit=2400, rated=2400, governor="performance")
    seen = Disturbances(seconds=6.0, clock_before=slow, clock_after=slow)
    assert validity_notes([seen]) == [Flag("slow-clock", "the clock ran at 30% of its 2400 MHz")]
    full = CoreClock(now=2400, limit=2400, rated=2400, governor="performance")
    assert validity_notes([Disturbances(seconds=6.0, clock_after=full)]) == []
    assert validity_notes([None], {"xnnpack_partitions": 1}) == []
    assert validity_notes([None], {"xnnpack_partitions": None}) == []
