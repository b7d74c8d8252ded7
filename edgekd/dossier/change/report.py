"""The comparison of two bundles as Markdown, as a page, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from edgekd.bundle import Bundle, Manifest
from edgekd.dossier.change.figures import PairedFigure
from edgekd.dossier.change.manifests import Change, changes_between, figures_of_manifest
from edgekd.dossier.change.plan import ChangePlan
from edgekd.dossier.change.verdict import Verdict, verdict_of
from edgekd.evaluation.validation import ExternalValidation
from edgekd.lower.evidence.card import estimate_text
from edgekd.lower.evidence.data_table import markdown_cell

__all__ = ["ComparedBundle", "Comparison"]


@dataclass(frozen=True)
class ComparedBundle:
    """One of the two bundles: where it is, its hash, its manifest."""

    label: str
    sha256: str
    manifest: Manifest

    @classmethod
    def of(cls, bundle: Bundle) -> ComparedBundle:
        """Those of an opened bundle."""
        return cls(bundle.label, bundle.sha256, bundle.manifest)


@dataclass(frozen=True)
class Comparison:
    """Two bundles compared.

    Attributes:
        old: The one in use.
        new: The one that is to take its place.
        changes: What differs.
        figures: Paired figures on the same images; empty without images.
        images: What they are; empty without images.
        verdict: By the plan; None without one.
    """

    old: ComparedBundle
    new: ComparedBundle
    changes: tuple[Change, ...]
    figures: tuple[PairedFigure, ...]
    images: str
    verdict: Verdict | None

    @classmethod
    def of(
        cls,
        old: ComparedBundle,
        new: ComparedBundle,
        plan: ChangePlan | None,
        validation: ExternalValidation | None,
        figures: Sequence[PairedFigure] = (),
    ) -> Comparison:
        """The comparison, with its verdict.

        Args:
            old: The old bundle.
            new: The new one.
            plan: The plan.
            validation: Both on the same images, in this order; None without images.
            figures: The paired figures of that validation.
        """
        changes = tuple(changes_between(old.manifest, new.manifest))
        data = None if validation is None else validation.result.data
        images = "" if data is None else f"{data.n:,} images of {data.name} ({data.sha256[:12]})"
        verdict = None if plan is None else verdict_of(plan, changes, figures)
        return cls(old, new, changes, tuple(figures), images, verdict)

    def values(self) -> dict[str, Any]:
        """Plain values for JSON."""
        verdict = self.verdict
        return {
            "version": "1.0",
            "old": {"bundle": self.old.label, "sha256": self.old.sha256},
            "new": {"bundle": self.new.label, "sha256": self.new.sha256},
            "changes": [asdict(each) for each in self.changes],
            "images": self.images,
            "figures": [
                asdict(each) | {"difference": msgspec.to_builtins(each.difference)}
                for each in self.figures
            ],
            "verdict": None
            if verdict is None
            else {
                "plan": verdict.plan.name,
                "within": verdict.within,
                "reasons": verdict.reasons,
                "margins": [
                    {"figure": each.margin.title, "holds": each.holds, "sentence": each.sentence}
                    for each in verdict.margins
                ],
            },
        }

    def markdown(self) -> str:
        """The report."""
        lines = ["# Change of a bundle", "", *self._verdict_lines(), "## What differs", ""]
        lines += [*self._change_lines(), "", "## Figures", "", *self._figure_lines()]
        return "\n".join(lines) + "\n"

    def _verdict_lines(self) -> Iterator[str]:
        yield f"Old: {markdown_cell(self.old.label)}, SHA-256 {self.old.sha256}"
        yield ""
        yield f"New: {markdown_cell(self.new.label)}, SHA-256 {self.new.sha256}"
        yield ""
        verdict = self.verdict
        if verdict is None:
            yield "No plan was given, so there is no verdict."
            yield ""
            return
        word = "within" if verdict.within else "**outside of**"
        yield f"## Verdict: {word} the plan {markdown_cell(verdict.plan.name)}"
        yield ""
        yield from (f"- outside: {markdown_cell(reason)}" for reason in verdict.reasons)
        yield from (f"- holds: {markdown_cell(m.sentence)}" for m in verdict.margins if m.holds)
        yield ""

    def _change_lines(self) -> Iterator[str]:
        if not self.changes:
            yield "Nothing."
            return
        forbidden = self.verdict.forbidden if self.verdict else ()
        yield "| area | field | old | new |" + (" by the plan |" if self.verdict else "")
        yield "|---|---|---|---|" + ("---|" if self.verdict else "")
        for each in self.changes:
            cells = (each.area, each.field, each.old, each.new)
            state = " **not allowed** |" if each in forbidden else " allowed |"
            line = f"| {' | '.join(map(markdown_cell, cells))} |"
            yield line + (state if self.verdict else "")

    def _figure_lines(self) -> Iterator[str]:
        if self.figures:
            yield f"Both on {markdown_cell(self.images)}. Differences are new minus old, in points,"
            yield "each with a paired 95 % interval of its own."
            yield ""
            yield "| figure | images | old, % | new, % | difference |"
            yield "|---|---|---|---|---|"
            yield from map(_figure_line, self.figures)
            return
        yield "Not compared on the same images (`--csv` does that). Each bundle's own figures, of"
        yield "its own validation images, are not paired and decide nothing:"
        yield ""
        yield "| figure | old | new |"
        yield "|---|---|---|"
        old, new = (figures_of_manifest(each.manifest) for each in (self.old, self.new))
        for name in dict.fromkeys([*old, *new]):
            cells = (estimate_text(each.get(name)) or "not known" for each in (old, new))
            yield f"| {markdown_cell(name.replace('_', ' '))} | {' | '.join(cells)} |"


def _figure_line(figure: PairedFigure) -> str:
    difference = figure.difference
    text = "not known" if difference.value is None else f"{100 * difference.value:+.1f}"
    if difference.low is not None and difference.high is not None:
        text += f" ({100 * difference.low:+.1f} to {100 * difference.high:+.1f})"
    values = ("" if each is None else f"{100 * each:.1f}" for each in (figure.old, figure.new))
    return f"| {markdown_cell(figure.title)} | {figure.images:,} | {' | '.join(values)} | {text} |"
