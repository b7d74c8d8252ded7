"""The table of a search, and the line of a finished trial."""

from __future__ import annotations

from typing import Any

from edgekd.tune.outcome import TrialResult, TuneResult, cost_text

__all__ = ["table", "trial_line"]

_HEADS = {"macs": "MACs", "params": "parameters", "latency": "p50"}


def table(result: TuneResult) -> str:
    """All trials by ascending cost, the front marked, with the hypervolume below."""
    columns = list(dict.fromkeys(key for trial in result.trials for key in trial.values))
    cost = [] if result.cost == "none" else [_HEADS[result.cost]]
    short = _short_names(columns)
    head = ["", "trial", result.metric.replace("_", " "), *cost, *short.values(), ""]
    ordered = sorted(result.trials, key=lambda trial: _order(result, trial))
    rows = [head, *(_row(result, trial, columns) for trial in ordered)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
             for row in rows]  # fmt: skip
    return "\n".join([*lines, "", *_notes(result)])


def trial_line(result: TrialResult, metric: str, cost: str) -> str:
    """A finished trial in one line."""
    if result.quality is None:
        reason = f": {result.reason}" if result.reason else ""
        return f"trial {result.number}: {result.state}{reason}"
    parts = [f"{metric.replace('_', ' ')} {result.quality:.3f}"]
    parts += [] if cost == "none" else [f"{_HEADS[cost]} {cost_text(cost, result.cost)}"]
    parts += ["the recipe itself"] if result.default else []
    parts += [f"refused: {result.reason}"] if result.state == "refused" else []
    seconds = "" if result.seconds is None else f" ({result.seconds:.0f} s)"
    return f"trial {result.number}: {', '.join(parts)}{seconds}"


def _order(result: TuneResult, trial: TrialResult) -> tuple[float, float, int]:
    cost = trial.cost if trial.cost is not None else float("inf")
    quality = trial.quality if trial.quality is not None else -1.0
    return (0.0 if result.cost == "none" else cost), -quality, trial.number


def _row(result: TuneResult, trial: TrialResult, columns: list[str]) -> list[str]:
    quality = "—" if trial.quality is None else f"{trial.quality:.3f}"
    cost = [] if result.cost == "none" else [cost_text(result.cost, trial.cost)]
    values = [_value(trial.values.get(key)) for key in columns]
    mark = "*" if trial.number in result.front else ""
    return [mark, str(trial.number), quality, *cost, *values, _note(trial)]


def _note(trial: TrialResult) -> str:
    notes = ["the recipe itself"] if trial.default else []
    notes += [trial.state] if trial.state != "complete" else []
    notes += ["times flagged"] if trial.times_flagged else []
    return ", ".join(notes)


def _value(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, float):
        return f"{value:.3g}"
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)


def _short_names(columns: list[str]) -> dict[str, str]:
    """The last part of each key where that says which one it is, else the whole key."""
    lasts = [key.rpartition(".")[2] for key in columns]
    return {
        key: last if lasts.count(last) == 1 else key
        for key, last in zip(columns, lasts, strict=True)
    }


def _notes(result: TuneResult) -> list[str]:
    notes = ["* on the front: no other trial is better in both"]
    if result.cost == "none":
        notes = ["* the best trial"]
    if result.hypervolume is not None and result.default_hypervolume:
        ratio = result.hypervolume / result.default_hypervolume
        notes.append(
            f"hypervolume {result.hypervolume:.4f}, of the recipe itself "
            f"{result.default_hypervolume:.4f} ({ratio:.2f} times)"
        )
    notes.append(
        "scores are of the validation part, which chose them; the test part was not read: distil a "
        "recipe of the front and measure it there"
    )
    return notes
