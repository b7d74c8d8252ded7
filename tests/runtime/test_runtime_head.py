"""The head behind a session: the arithmetic, what it passes on, and a file of other features."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from edgekd.bundle import HeadRecord
from edgekd.errors import ArtefactError
from edgekd.runtime.head import with_head
from edgekd.runtime.sessions.base import Session

HEAD = HeadRecord(weights=((1.0, 2.0, 0.0), (0.0, -1.0, 4.0)), bias=(0.5, -0.25))
IMAGE = np.zeros((1, 8, 8, 3), np.uint8)


class Given(SimpleNamespace):
    """A session that gives what it is told to."""

    backend, input_shape, warnings = "onnx", (1, 8, 8, 3), ("slow",)
    facts: ClassVar[dict[str, Any]] = {"engine": "x 1"}
    closed = False

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (1, len(self.features))

    def run(self, image: Any) -> Any:
        return np.array([self.features], np.float32)

    def close(self) -> None:
        self.closed = True


def test_outputs_are_those_of_features_of_unit_length() -> None:
    session = with_head(Given(features=[3.0, 0.0, 4.0]), HEAD)
    found = session.run(IMAGE)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.6 + 0.5, 3.2 - 0.25]], rtol=1e-6)
    longer = with_head(Given(features=[30.0, 0.0, 40.0]), HEAD)
    np.testing.assert_allclose(longer.run(IMAGE), found, rtol=1e-6)


def test_features_of_no_length_give_the_bias_and_what_is_not_finite_shows() -> None:
    np.testing.assert_array_equal(with_head(Given(features=[0.0] * 3), HEAD).run(IMAGE),
                                  [[0.5, -0.25]])  # fmt: skip
    broken = with_head(Given(features=[float("nan"), 1.0, 1.0]), HEAD).run(IMAGE)
    assert np.isnan(broken).all()


def test_the_rest_is_the_engines() -> None:
    inner = Given(features=[1.0, 0.0, 0.0])
    session = with_head(inner, HEAD)
    assert isinstance(session, Session)
    assert (session.backend, session.input_shape, session.output_shape) == (
        "onnx", (1, 8, 8, 3), (1, 2),
    )  # fmt: skip
    assert (session.facts, session.warnings) == ({"engine": "x 1"}, ("slow",))
    session.close()
    assert inner.closed
    assert with_head(inner, None) is inner


def test_a_file_of_other_features_is_refused_and_closed() -> None:
    inner = Given(features=[1.0, 2.0])
    with pytest.raises(ArtefactError, match=r"gives \[1, 2\], the head takes features \[1, 3\]"):
        with_head(inner, HEAD)
    assert inner.closed
