from __future__ import annotations

import math

import pytest

from edgekd.runtime.reason import Reason, share_text, unfamiliar


def test_a_reason_reads_as_its_text() -> None:
    assert str(Reason("unsure", "the top probability is low")) == "the top probability is low"


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "1.00"), (0.954, "0.95"), (0.1, "0.10"), (0.0512, "0.051"), (0.00012, "0.00012")],
)
def test_low_shares_keep_two_digits(share: float, text: str) -> None:
    assert share_text(share) == text


@pytest.mark.parametrize(
    ("energy", "threshold", "codes"),
    [
        (-2.0, None, []),
        (-2.0, -2.0, []),
        (-1.99, -2.0, ["unfamiliar"]),
        (math.inf, 1e30, ["unfamiliar"]),
        (math.inf, None, []),
    ],
)
def test_energy_above_its_threshold(
    energy: float, threshold: float | None, codes: list[str]
) -> None:
    assert [reason.code for reason in unfamiliar(energy, threshold)] == codes


def test_energy_and_threshold_are_in_the_sentence() -> None:
    (reason,) = unfamiliar(-1.5, -2.25)
    assert "its energy -1.50 is above -2.25" in reason.text
