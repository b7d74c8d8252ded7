"""The table of a search, and the lines of its trials."""

from __future__ import annotations

import searches

from edgekd.tune.table import table, trial_line


def test_trials_stand_by_ascending_cost_with_the_front_marked() -> None:
    result = searches.result_with(
        searches.trial(0, 0.5, 2e6),
        searches.trial(1, 0.4, 1e6, values={searches.RATE: 2e-3, searches.WIDTHS: [4, 8]}),
        searches.trial(2, 0.3, 3e6, state="refused"),
        searches.trial(3, None, None, state="failed"),
        front=[1, 0], hypervolume=0.3, default_hypervolume=0.2,
    )  # fmt: skip
    lines = table(result).splitlines()
    assert lines[0].split() == [
        "trial", "balanced", "accuracy", "MACs", "learning_rate", "channels",
    ]  # fmt: skip
    assert lines[1].split() == ["*", "1", "0.400", "1", "M", "0.002", "4/8"]
    assert lines[2].split()[:3] == ["*", "0", "0.500"]
    assert lines[2].endswith("the recipe itself")
    assert lines[3].endswith("refused")
    assert lines[4].split()[:2] == ["3", "—"]
    text = "\n".join(lines[5:])
    assert "hypervolume 0.3000, of the recipe itself 0.2000 (1.50 times)" in text
    assert "the test part was not read" in text


def test_one_objective_has_no_column_of_costs() -> None:
    result = searches.result_with(
        searches.trial(0, 0.5, None), searches.trial(1, 0.7, None), front=[1], cost="none"
    )
    lines = table(result).splitlines()
    assert "MACs" not in lines[0]
    assert lines[1].split()[:3] == ["*", "1", "0.700"]  # the best first
    assert "* the best trial" in lines


def test_keys_of_one_last_part_are_written_out() -> None:
    values = {"augment.zoom": 0.1, "method.zoom": 0.2}
    result = searches.result_with(searches.trial(0, 0.5, 1e6, values=values), front=[0])
    assert "augment.zoom  method.zoom" in table(result).splitlines()[0]


def test_the_line_of_a_trial() -> None:
    line = trial_line(searches.trial(0, 0.5, 2e6, seconds=3.2), "balanced_accuracy", "macs")
    assert line == "trial 0: balanced accuracy 0.500, MACs 2 M, the recipe itself (3 s)"
    failed = searches.trial(4, None, None, state="failed", reason="it diverged")
    assert trial_line(failed, "kappa", "none") == "trial 4: failed: it diverged"
    refused = searches.trial(5, 0.5, 2e6, state="refused", reason="mel is lost")
    assert "refused: mel is lost" in trial_line(refused, "kappa", "macs")
