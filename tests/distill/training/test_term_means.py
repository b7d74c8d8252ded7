"""Means of loss terms, without reading any number in a step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from edgekd.distill.training.term_means import TermMeans


def test_means_are_over_all_steps_in_float64():
    means = TermMeans()
    for step in range(3):
        loss = torch.tensor(1.0 if step else 1e8)
        terms = {"loss": loss, "ce": torch.tensor(0.1, dtype=torch.bfloat16)}
        means.add(terms | ({"late": torch.tensor(3.0)} if step == 2 else {}))
    found = means.means()
    assert found["loss"] == (1e8 + 2) / 3  # float32 has no 1e8 + 1
    assert found["ce"] == pytest.approx(0.1, rel=1e-2)
    assert found["late"] == 1.0  # nought in the steps without it
    means.clear()
    assert means.means() == {}


def test_a_term_is_read_as_it_was_when_it_was_added():
    means, term = TermMeans(), torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    means.add({"loss": term})
    with torch.no_grad():
        term.fill_(5.0)
    assert means.means() == {"loss": 1.0}


def test_no_step_reads_a_number(monkeypatch):
    means = TermMeans()
    for name in ("item", "__float__", "tolist", "cpu", "numpy"):
        monkeypatch.setattr(Tensor, name, lambda *_: pytest.fail("a number was read"))
    for _ in range(3):
        means.add({"loss": torch.tensor(2.0)})
    monkeypatch.undo()
    assert means.means() == {"loss": 2.0}


def test_an_epoch_continues_from_its_state():
    first, second = TermMeans(), TermMeans()
    first.add({"loss": torch.tensor(1.0)})
    state = first.state_dict()
    first.add({"loss": torch.tensor(4.0)})
    second.load_state_dict(state, torch.device("cpu"))
    second.add({"loss": torch.tensor(2.0)})
    assert second.means() == {"loss": 1.5}
    assert first.means() == {"loss": 2.5}
