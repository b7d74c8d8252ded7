"""The table of a search by a supernet: how it went, its front, its winner."""

from __future__ import annotations

from edgekd.tune.outcome import cost_text
from edgekd.tune.supernet.outcome import Candidate, SupernetResult, genes_of

__all__ = ["supernet_table"]


def supernet_table(result: SupernetResult) -> str:
    """The evolution by generations, then the front by ascending cost, the winner marked."""
    front = [result.candidates[number] for number in result.front]
    winner = result.candidates[result.winner]
    shown = front if winner in front else [*front, winner]
    metric = result.metric.replace("_", " ")
    head = [
        "",
        "network",
        metric,
        "loss",
        result.cost.replace("macs", "MACs"),
        *genes_of(winner.options),
        "recipe",
    ]
    rows = [head, *(_row(result, each) for each in shown)]
    return "\n".join([*_lines(_generations(result)), "", *_lines(rows), "", *_notes(result)])


def _generations(result: SupernetResult) -> list[list[str]]:
    rows = [["generation", "judged", "best", "median"]]
    for generation in range(max(each.generation for each in result.candidates) + 1):
        scores = sorted(each.quality for each in result.candidates if each.generation == generation)
        if scores:
            middle = scores[len(scores) // 2]
            rows.append([str(generation), str(len(scores)), f"{scores[-1]:.3f}", f"{middle:.3f}"])
    return rows


def _row(result: SupernetResult, candidate: Candidate) -> list[str]:
    mark = "*" if candidate.number == result.winner else ""
    cost = cost_text(result.cost, result.cost_of(candidate))
    genes = genes_of(candidate.options).values()
    scores = [f"{candidate.quality:.3f}", f"{candidate.loss:.4f}"]
    return [mark, str(candidate.number), *scores, cost, *genes, candidate.recipe]


def _lines(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _notes(result: SupernetResult) -> list[str]:
    limit = "no limit" if result.limit is None else cost_text(result.cost, result.limit)
    notes = [
        f"* the winner, winner.yaml: best score, then lowest loss against the teacher ({limit})",
        f"{len(result.candidates)} of {result.architectures:,} networks were judged by weights of "
        "the supernet",
    ]
    if result.images == "none":
        return [
            *notes,
            "scores are agreement with the teacher on images that were made: no image of the "
            "recipe was seen",
        ]
    return [
        *notes,
        "scores are of the validation part, which chose them; the test part was not read: distil "
        "the winner and measure it there",
    ]
