"""Why a decision is not an answer: a code for programs, a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Reason", "share_text", "unfamiliar"]


@dataclass(frozen=True)
class Reason:
    """One reason not to answer.

    Attributes:
        code: Stable code, for apps in other languages. The photo: `blurred`, `dark`, `bright`,
            `glare`, `no-lesion`, `off-centre`, `unlike`. The answer: `not-finite`, `unsure`,
            `not-excluded`, `unfamiliar`.
        text: The reason with its numbers, and for a photo what to do.
    """

    code: str
    text: str

    def __str__(self) -> str:
        """The text."""
        return self.text


def unfamiliar(energy: float, threshold: float | None) -> tuple[Reason, ...]:
    """The reason to refer an image whose energy is above the threshold; empty where it is not."""
    if threshold is None or energy <= threshold:
        return ()
    text = f"the image is unlike what was learnt: its energy {energy:.2f} is above {threshold:.2f}"
    return (Reason("unfamiliar", text),)


def share_text(share: float) -> str:
    """A probability with two decimals, or with two digits where those would be 0.00."""
    return f"{share:.2f}" if share >= 0.1 else f"{share:.2g}"
