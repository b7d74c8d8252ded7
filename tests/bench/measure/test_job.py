"""Jobs and answers as JSON, and errors under a class that the other side knows."""

from __future__ import annotations

import msgspec

from edgekd.bench.measure.flags import Flag
from edgekd.bench.measure.job import Answer, ImageAnswer, Job, failure_of
from edgekd.errors import InputError


class OddError(InputError):
    """An error that no other process knows."""


def test_a_failure_has_the_nearest_public_class() -> None:
    failure = failure_of(OddError("odd", "do this"))
    assert (failure.kind, failure.message, failure.hint) == ("InputError", "odd", "do this")


def test_jobs_and_answers_travel_as_json() -> None:
    job = Job(kind="accuracy", images=["a.jpg"], bundle="b", threads=2)
    assert msgspec.json.decode(msgspec.json.encode(job), type=Job) == job
    answer = Answer(
        image_answers=[ImageAnswer(outputs=[0.5, -1.0], label="mel", decision="refer")],
        flags=[Flag("drift", "model")],
    )
    assert msgspec.json.decode(msgspec.json.encode(answer), type=Answer) == answer
