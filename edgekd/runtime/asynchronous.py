"""The classifier for programs with an event loop: the work runs in threads."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from edgekd.bundle import Manifest
from edgekd.runtime.classifier import Classifier
from edgekd.runtime.prediction import Prediction
from edgekd.runtime.preprocess import ImageSource
from edgekd.runtime.selftest import SelfTestReport

__all__ = ["AsyncClassifier"]

_T = TypeVar("_T")


class AsyncClassifier:
    """The asynchronous version of `Classifier`. Open one with `await AsyncClassifier.open(…)`.

    Photos are decoded in parallel; the engine runs one image at a time.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    @classmethod
    async def open(cls, source: str | Path | bytes, **options: Any) -> AsyncClassifier:
        """Open a bundle; options and errors are those of `Classifier.open`."""
        return cls(await _in_thread(lambda: Classifier.open(source, **options)))

    @property
    def manifest(self) -> Manifest:
        """The manifest of the bundle."""
        return self._classifier.manifest

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of classes, findings or values in the order of the outputs."""
        return self._classifier.classes

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences for people; see `Classifier.warnings`."""
        return self._classifier.warnings

    async def predict(self, image: ImageSource) -> Prediction:
        """The decision for one photo; see `Classifier.predict`."""
        return await _in_thread(lambda: self._classifier.predict(image))

    async def predict_many(
        self, images: Iterable[ImageSource] | AsyncIterable[ImageSource]
    ) -> AsyncIterator[Prediction]:
        """The decisions for several photos, one after the other."""
        if isinstance(images, AsyncIterable):
            async for image in images:
                yield await self.predict(image)
        else:
            for image in images:
                yield await self.predict(image)

    async def selftest(self, *, limit: int | None = None) -> SelfTestReport:
        """Run the bundle's self-test vectors; see `Classifier.selftest`."""
        return await _in_thread(lambda: self._classifier.selftest(limit=limit))

    async def close(self) -> None:
        """Release the engine, after the image that is being processed."""
        await _in_thread(self._classifier.close)

    async def __aenter__(self) -> AsyncClassifier:
        """The classifier itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        await self.close()


async def _in_thread(work: Callable[[], _T]) -> _T:
    import asyncio  # here, since most apps that import the runtime have no event loop

    return await asyncio.to_thread(work)
