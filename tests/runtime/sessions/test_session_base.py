"""Each engine's session keeps the protocol and gives the outputs of the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekd.runtime.sessions import open_session
from edgekd.runtime.sessions.base import Session
from sessions.small_models import CLASSES, FILES, SIZE, images, make_graph, torch


@pytest.mark.parametrize("backend", FILES)
def test_session_answers_as_the_network(backend: str, files: dict[str, Path]) -> None:
    session = open_session(backend, files[backend], threads=1)
    assert isinstance(session, Session)
    assert session.backend == backend
    assert (session.input_shape, session.output_shape) == ((1, SIZE, SIZE, 3), (1, CLASSES))
    answers = [session.run(image) for image in images(4)]  # kept: each is the caller's own
    expected = make_graph()(torch.from_numpy(np.concatenate(images(4)))).numpy()
    np.testing.assert_allclose(np.concatenate(answers), expected, atol=1e-5)
    assert all(answer.dtype == np.float32 for answer in answers)
    session.close()


@pytest.mark.parametrize("backend", FILES)
def test_strided_images_are_read_right(backend: str, files: dict[str, Path]) -> None:
    session = open_session(backend, files[backend])
    mirrored = images(1)[0][:, :, ::-1]
    np.testing.assert_array_equal(session.run(mirrored), session.run(mirrored.copy()))
