"""The tables of `training.py`, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from training_contest import ROWS
from training_summary import Aim, Ratio

__all__ = ["markdown"]

_NONE = "–"


def markdown(result: Mapping[str, Any]) -> str:
    """The result as headings and tables, with the remarks that they need."""
    summary = result["summary"]
    parts = [
        _subject(result),
        "### A training step, batches in memory",
        _rows(result, summary["step"], loads=False),
        "### A whole epoch: loader, augmentation, steps, validation, checkpoint",
        _rows(result, summary["epoch"], loads=True),
        "### Aims",
        _aims(result["aims"]),
        "\n".join(_remarks(result)),
    ]
    return "\n\n".join(parts) + "\n"


def _subject(result: Mapping[str, Any]) -> str:
    subject, machine, load = result["subject"], result["machine"], result["load"]
    place = result["gpu"] or machine.get("cpu")
    return (
        f"{subject['teacher']} teaches {subject['student']}, {subject['size']} px, batch "
        f"{subject['batch']}, {subject['parts']['train']} training images. {place}, "
        f"{machine.get('cores_usable')} cores, {result['where']['threads']} thread(s); torch "
        f"{machine['packages'].get('torch')}; edgekd {machine['edgekd']}, revision "
        f"{result['revision']}. {result['effort']['rounds']} round(s) of "
        f"{result['effort']['turns']} epoch(s). Load before: {load['before'][0]:.2f}; other "
        f"processes took {_share(load['other_share'])} of the processors meanwhile. "
        f"`{result['command']}`"
    )


def _rows(result: Mapping[str, Any], summary: Mapping[str, Any], *, loads: bool) -> str:
    """Images a second and ratios; `loads` where contestants load the images."""
    on_gpu = result["where"]["device"] == "cuda"
    head = ["", "images/s", "× loop fp32", "× torchdistill fp32"]
    head += ["GPU idle" if on_gpu else "by processor time"]
    head += ["waiting"] if loads else []
    lines = []
    for row in ROWS:
        cell = summary.get(row.name)
        if cell is None:
            lines.append([row.name, "not measured", *[_NONE] * (len(head) - 2)])
            continue
        texts = [f"{cell['images_per_s']:.1f}", _text(cell["of_loop"])]
        other = _share(cell["gpu_idle"]) if on_gpu else _text(cell["of_torchdistill_processor"])
        texts += [_text(cell["of_torchdistill"]), other]
        texts += [_share(cell["waiting"])] if loads else []
        lines.append([row.name, *texts])
    return _table(head, lines)


def _aims(aims: Sequence[Aim]) -> str:
    rows = [
        [
            aim.what,
            f"{'≥' if aim.at_least else '≤'} {aim.limit:.2f}",
            _text(aim.measured),
            {True: "yes", False: "**no**", None: "not measured"}[aim.met],
        ]
        for aim in aims
    ]
    return _table(["aim", "limit", "measured", "met"], rows)


def _remarks(result: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "Images a second are medians over all epochs; ratios are taken within a turn, then their "
        "median within a round, then their geometric mean over the rounds with its 95 % interval. "
        "The first epoch of a process is not timed. By processor time: the ratio to torchdistill "
        "fp32 of the processor seconds that the contestant's own process took, without the peers' "
        "loading processes; it says more where other processes keep the machine busy. Waiting: the "
        "share of the epoch between a finished step and the next batch. The peers load the decoded "
        f"images by PyTorch's DataLoader with {result['where']['workers']} worker(s) beside the "
        "thread and augment them by torchvision's v2; edgekd's own conversion, normalisation and "
        "augmentation are within its step."
    )
    yield ""
    yield from (f"- {tool}: {what}." for tool, what in {r.tool: r.what for r in ROWS}.items())
    for name, checked in result["losses"].items():
        yield f"- {name}: losses within {checked.difference:.1e} of edgekd's in fp32."
    for name, seconds in result["preparation_s"].items():
        yield f"- {name}: {seconds:.1f} s from the start of the run to its first epoch, at most."
    for name, reason in result["missing"].items():
        yield f"- **{name} is not in the tables**: {reason}."


def _text(value: Ratio | float | None) -> str:
    if value is None:
        return _NONE
    return str(value) if isinstance(value, Ratio) else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "an unknown share" if value is None else f"{value:.1%}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)
