"""The head of an enrolled bundle, behind the session of its model file: features to outputs."""

from __future__ import annotations

import numpy as np

from edgekd.bundle import HeadRecord
from edgekd.errors import ArtefactError
from edgekd.runtime.sessions.base import Facts, Image, Output, Session

__all__ = ["HeadSession", "with_head"]


def with_head(session: Session, head: HeadRecord | None) -> Session:
    """The session that gives a bundle's outputs: itself where there is no head.

    Raises:
        ArtefactError: The file does not give the features that the head takes; it is closed then.
    """
    if head is None:
        return session
    if session.output_shape != (1, head.size):
        session.close()
        given = list(session.output_shape)
        message = f"the model file gives {given}, the head takes features [1, {head.size}]"
        raise ArtefactError(message, "enrol the bundle again")
    return HeadSession(session, head)


class HeadSession:
    """A session whose outputs are W·f/‖f‖ + b of the features f of another one.

    Computed in double precision and rounded to float32; features of length 0 stay as they are. The
    source is that of `edgekd.metrics.few_shot`.

    Args:
        session: Gives float32 [1, F]; it belongs to this session, which closes it.
        head: W [K, F] and b [K].
    """

    def __init__(self, session: Session, head: HeadRecord) -> None:
        self._session = session
        self._weights = np.array(head.weights, np.float64)
        self._bias = np.array(head.bias, np.float64)

    @property
    def backend(self) -> str:
        """Name of the engine that gives the features."""
        return self._session.backend

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input, [1, S, S, 3]."""
        return self._session.input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """[1, K]."""
        return (1, len(self._bias))

    @property
    def facts(self) -> Facts:
        """Those of the engine."""
        return self._session.facts

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of the engine."""
        return self._session.warnings

    def run(self, image: Image) -> Output:
        """Output [1, K] for one image [1, S, S, 3]; see `Session.run` for errors."""
        features = self._session.run(image).astype(np.float64)
        length = np.linalg.norm(features)
        unit = features / (length if length > 0 else 1.0)
        return np.asarray(unit @ self._weights.T + self._bias, np.float32)

    def close(self) -> None:
        """Release the engine."""
        self._session.close()
