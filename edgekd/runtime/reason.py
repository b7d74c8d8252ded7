"""Why a decision is not an answer: a code for programs, a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Reason"]


@dataclass(frozen=True)
class Reason:
    """One reason not to answer.

    Attributes:
        code: Stable, for apps that speak another language. The photo: `blurred`, `dark`, `bright`,
            `glare`, `no-lesion`, `off-centre`, `unlike`. The answer: `not-finite`, `unsure`,
            `not-excluded`, `unfamiliar`.
        text: What was found, with its numbers, and for a photo what to do.
    """

    code: str
    text: str

    def __str__(self) -> str:
        """The text."""
        return self.text
