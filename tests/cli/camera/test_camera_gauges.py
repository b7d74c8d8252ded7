"""The bars of what was measured of a photo."""

from __future__ import annotations

from camera_predictions import BLURRED, GOOD, RULE

from edgekd.cli.camera.gauges import gauges_of


def test_bars_say_in_words_what_is_wrong() -> None:
    faults = {gauge.name: gauge.fault for gauge in gauges_of(BLURRED, RULE)}
    assert faults == {"sharp": "low", "light": "", "glare": "", "lesion": "", "centre": "high"}
    assert gauges_of(GOOD, None) == []
    assert gauges_of(None, RULE) == []


def test_bars_stand_on_the_side_of_the_limit_that_the_value_is_on() -> None:
    for quality in (GOOD, BLURRED):
        for gauge, limit in zip(gauges_of(quality, RULE), RULE.limits.values(), strict=True):
            below = limit.low is not None and gauge.value < gauge.ticks[0]
            above = limit.high is not None and gauge.value > gauge.ticks[-1]
            assert gauge.fault == ("low" if below else "high" if above else "")
