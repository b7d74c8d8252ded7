from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jpegs import encode, make_image

from edgekd.errors import ImageError, InputError
from edgekd.runtime import AsyncClassifier, Classifier

IMAGES = [make_image(40, 40, seed) for seed in range(12)]


@pytest.fixture
def bundle(make_bundle: Any) -> Path:
    path: Path = make_bundle()
    return path


@pytest.fixture
def expected(bundle: Path) -> list[tuple[float, ...]]:
    with Classifier.open(bundle, threads=1) as classifier:
        return [answer.logits for answer in classifier.predict_many(IMAGES)]


def test_answers_as_its_twin(bundle: Path, expected: list[tuple[float, ...]]) -> None:
    async def ask() -> list[tuple[float, ...]]:
        async with await AsyncClassifier.open(bundle, threads=1) as classifier:
            assert classifier.classes == classifier.manifest.model.classes
            assert classifier.warnings == ()
            assert (await classifier.selftest()).passed
            return [answer.logits async for answer in classifier.predict_many(IMAGES)]

    assert asyncio.run(ask()) == expected


def test_many_at_once_and_from_a_stream(bundle: Path, expected: list[tuple[float, ...]]) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for image in IMAGES:
            yield encode(image, ".png")

    async def ask() -> tuple[list[tuple[float, ...]], list[tuple[float, ...]]]:
        async with await AsyncClassifier.open(str(bundle), threads=1) as classifier:
            together = await asyncio.gather(*(classifier.predict(image) for image in IMAGES))
            streamed = [answer.logits async for answer in classifier.predict_many(stream())]
            return [answer.logits for answer in together], streamed

    assert asyncio.run(ask()) == (expected, expected)


def test_loop_runs_on_while_an_image_is_judged(bundle: Path) -> None:
    large = encode(make_image(3000, 2000), ".png")

    async def ask() -> int:
        ticks = 0
        async with await AsyncClassifier.open(bundle) as classifier:
            task = asyncio.create_task(classifier.predict(large))
            while not task.done():
                await asyncio.sleep(0.001)
                ticks += 1
            await task
        return ticks

    assert asyncio.run(ask()) > 1


def test_errors_are_those_of_its_twin(bundle: Path, tmp_path: Path) -> None:
    async def ask() -> None:
        with pytest.raises(InputError):
            await AsyncClassifier.open(tmp_path / "absent")
        classifier = await AsyncClassifier.open(bundle)
        with pytest.raises(ImageError):
            await classifier.predict(np.zeros((4, 4), np.uint8))
        await classifier.close()
        with pytest.raises(RuntimeError, match="is closed"):
            await classifier.predict(IMAGES[0])

    asyncio.run(ask())
