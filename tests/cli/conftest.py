"""A good example of each kind of input, shared by the tests of the verbs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mistakes.examples import make_examples


@pytest.fixture(scope="session")
def examples(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The folder above `examples/`; see `mistakes.examples`."""
    return made_once("mistakes", make_examples)
