"""Many threads on one classifier, and many classifiers in one process."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from abuse.bundles import BACKENDS, installed, parts, zip_of
from abuse.loops import pictures, same, told
from edgekd.runtime import Classifier

MEGABYTE = 10**6

FLAT = 2 * MEGABYTE
"""How much resident memory may grow after the first hundred predictions. Eight threads that decode
images in turn let the C library's arenas settle by a few hundred kilobytes, whatever the number of
predictions; a leak of one small image (64 x 64 x 3 bytes) in each of them would be 200 MB."""


def check(found: dict[str, Any], predictions: int) -> None:
    assert found["predictions"] == predictions
    assert found["repeatable"], "one thread alone does not get the same bits twice"
    assert found["differences"] == 0
    assert {"answer", "refer", "retake"} <= set(found["decisions"]), "the photos say too little"
    start = found["memory"][0][1]
    assert max(memory for _, memory in found["memory"]) - start < FLAT
    assert found["memory"][0][0] < predictions / 2, "memory was watched too late"


def test_eight_threads_get_the_bits_of_one(backend: str, loop: Any) -> None:
    check(loop("threads", backend, "bytes", 100, 100), 800)


@pytest.mark.abuse
def test_eight_threads_get_the_bits_of_one_16000_times(backend: str, loop: Any) -> None:
    found = loop("threads", backend, "bytes", 2000, 100)
    check(found, 16_000)
    print(f"{backend}: {found['seconds']:.0f} s, memory", found["memory"][::50])


def test_several_classifiers_at_once_and_one_that_closes() -> None:
    names = [name for name in BACKENDS if installed(name)] * 2
    opened = [Classifier.open(zip_of(parts(name)), threads=1) for name in names]
    images = pictures()
    expected = [[classifier.predict(image) for image in images] for classifier in opened]
    closing = opened.pop()
    with ThreadPoolExecutor(len(opened) + 1) as pool:
        jobs = [
            pool.submit(lambda one=one: [one.predict(image) for image in images * 4])
            for one in opened
        ]
        pool.submit(closing.close).result()
        for job, wanted in zip(jobs, expected, strict=False):
            pairs = zip(job.result(), itertools.cycle(wanted), strict=False)
            assert all(same(got, want) for got, want in pairs)
    for classifier in opened:
        classifier.close()
    with pytest.raises(RuntimeError, match="closed"):
        closing.predict(images[0])


def test_closing_waits_for_the_photos_under_way(backend: str) -> None:
    """Threads that predict while another closes get an answer or are told that it is closed."""
    image = pictures()[0]
    for _ in range(5):
        classifier, begun = Classifier.open(zip_of(parts(backend)), threads=1), Barrier(5)
        expected = told(classifier.predict(image))
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(until_closed, classifier, image, begun) for _ in range(4)]
            begun.wait()
            classifier.close()
            for job in jobs:
                *answers, last = job.result()
                assert set(answers) == {expected}
                assert "closed" in last


def until_closed(classifier: Classifier, image: Any, begun: Barrier) -> list[Any]:
    """What it answered, and what it said in the end."""
    answers: list[Any] = [told(classifier.predict(image))]
    begun.wait()
    try:
        while len(answers) < 5000:
            answers.append(told(classifier.predict(image)))
    except RuntimeError as error:
        answers.append(str(error))
    return answers
