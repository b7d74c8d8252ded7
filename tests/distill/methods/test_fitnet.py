"""FitNets: the hint stage, and the losses against their formulas."""

from __future__ import annotations

from tiny_methods import method


def test_fitnet_takes_the_hint_first():
    first, second = method("fitnet", hint_epochs=3).stages()
    assert (first.name, first.fit.epochs, first.criterion is not None) == ("hint", 3, True)
    assert second.fit is None
