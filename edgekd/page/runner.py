"""Bundles and model files, run by the page's own runtime in headless Chromium.

The page that `make browser` builds has a second document, `runner.html`: the same runtime and
engines without anything to look at. Here it is served on loopback with what is to be run beside it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import ArtefactError, EdgekdError, ImageError, InputError, MissingDependencyError
from edgekd.page.chromium import Chromium
from edgekd.page.folder import RUNNER, page_folder, write_engine, write_page
from edgekd.page.server import PageServer

__all__ = [
    "FirstVisit",
    "Opened",
    "PageAnswer",
    "PageRunner",
    "first_visit",
    "page_identity",
    "run_bundle",
    "run_model",
]

_PHOTOS = "photos"
_PIXELS = "pixels.bin"
_BLOCK = 32
"""Images whose outputs are computed between two reports of progress."""
_LONG_SECONDS = 300.0
"""For one call of the page; the network on a block of images on a slow machine is the longest."""

_WAIT_FOR_MARK = """
new Promise(resolve => {
  const look = () => {
    const [mark] = performance.getEntriesByName(%s, 'mark');
    const error = document.querySelector('#error')?.textContent ?? '';
    if (mark) resolve({ms: mark.startTime});
    else if (error !== '') resolve({error});
    else setTimeout(look, 2);
  };
  look();
})
"""
_LOADED = """
[performance.getEntriesByType('navigation')[0], ...performance.getEntriesByType('resource')]
  .map(each => each.name)
"""


@dataclass(frozen=True)
class Opened:
    """An opened bundle or model file.

    Attributes:
        facts: The engine with its version and threads, and the browser.
        warnings: One sentence for each option that was not obtained.
        load_ms: Milliseconds from the request of bundle and engine to a session that is ready, from
            a server on this machine; 0 for a model file alone.
        output_shape: Shape of the output, the batch of one first; empty for a bundle.
    """

    facts: dict[str, Any]
    warnings: tuple[str, ...]
    load_ms: float = 0.0
    output_shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class PageAnswer:
    """A bundle's answer to one photo: raw outputs, label, decision, and codes of the reasons."""

    outputs: tuple[float, ...]
    label: str
    decision: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class FirstVisit:
    """The page opened for the first time, with nothing cached, and one photo chosen in it.

    Attributes:
        ready_ms: Milliseconds from the request of the page until a photo can be chosen: page,
            engine and bundle are loaded, and the self-test has passed.
        decision_ms: Milliseconds from the request of the page until the first decision is shown;
            the photo is chosen as soon as it can be.
        gzip_bytes: Size over the wire of each file that was loaded, by its path below the page:
            compressed by gzip at its usual level, 6.
        requests: Every address that was requested.
    """

    ready_ms: float
    decision_ms: float
    gzip_bytes: dict[str, int]
    requests: tuple[str, ...]


class PageRunner:
    """The runner's page in Chromium; made by `run_bundle` and `run_model`.

    Args:
        browser: Chromium, with the runner's page loaded.
        folder: The folder that is served.
    """

    def __init__(self, browser: Chromium, folder: Path) -> None:
        self._browser = browser
        self._folder = folder

    def processes(self) -> list[int]:
        """Numbers of the browser's processes that run pages: this one's, and spare ones."""
        return self._browser.renderers()

    def cpu_seconds(self) -> float:
        """CPU seconds of all processes of the browser since it was started."""
        return self._browser.cpu_seconds()

    def open(self, *, threads: int, selftest: bool = True) -> Opened:
        """Open the bundle that the page came with.

        Raises:
            EdgekdError: The bundle or its engine is refused, as by the page.
            ChromiumError: The browser or the engine crashed.
        """
        answer = self._call("open", threads, selftest)
        return Opened(self._facts(answer), tuple(answer["warnings"]), load_ms=answer["load"])

    def predict(self, photo: Path) -> PageAnswer:
        """The bundle's answer to a photo.

        Raises:
            ImageError: The photo cannot be read.
        """
        answer = self._call("predict", self._linked(photo))
        outputs = tuple(_number(each) for each in answer["outputs"])
        return PageAnswer(outputs, answer["label"], answer["decision"], tuple(answer["reasons"]))

    def fhir(self, photo: Path) -> dict[str, Any]:
        """The page's report on a photo, a DiagnosticReport of FHIR; see `edgekd.runtime.export`.

        Raises:
            ImageError: The photo cannot be read.
        """
        report: dict[str, Any] = self._call("fhir", self._linked(photo))
        return report

    def occlusion(self, photo: Path, name: str) -> NDArray[np.float64]:
        """The occlusion map of a photo for a class, [G, G]; as `edgekd.evaluation.occlusion`'s.

        Raises:
            ImageError: The photo cannot be read.
            InputError: There is no such class.
        """
        values = self._call("occlusion", self._linked(photo), name)
        cells = math.isqrt(len(values))
        return np.array([_number(each) for each in values]).reshape(cells, cells)

    def take(self, photos: Sequence[Path]) -> None:
        """Fetch photos that times are taken on, and prepare their pixels."""
        self._call("take", [self._linked(photo) for photo in photos])

    def time_model(self, index: int) -> float:
        """Milliseconds of the network alone on a photo that was taken, by the page's clock."""
        return float(self._evaluate("timeModel", index))

    def time_photo(self, index: int) -> float:
        """Milliseconds from an encoded photo that was taken to the decision."""
        return float(self._evaluate("timePhoto", index))

    def open_model(self, backend: str, file: Path, *, threads: int) -> Opened:
        """Open a model file without its bundle; see `open` for the errors."""
        place = self._folder / file.name
        place.unlink(missing_ok=True)
        place.symlink_to(file.resolve())
        answer = self._call("openModel", backend, file.name, threads)
        shape = tuple(int(each) for each in answer["output"])
        return Opened(self._facts(answer), tuple(answer["warnings"]), output_shape=shape)

    def outputs(
        self, images: NDArray[np.uint8], report: Callable[[int], None] = lambda done: None
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Outputs of the opened model file.

        Args:
            images: uint8 [N, S, S, 3].
            report: Takes the number of images that are done, now and then.

        Returns:
            float32 [N, …] flattened to [N, K], and the milliseconds of each image [N].
        """
        outputs, times = [], []
        for start in range(0, len(images), _BLOCK):
            report(start)
            block = np.ascontiguousarray(images[start : start + _BLOCK])
            (self._folder / _PIXELS).write_bytes(block.tobytes())
            answer = self._call("outputs", f"{_PIXELS}?{start}")
            outputs += [[_number(each) for each in output] for output in answer["outputs"]]
            times += answer["times"]
        return np.array(outputs, np.float32), np.array(times, np.float64)

    def _linked(self, photo: Path) -> str:
        """The photo's path below the page; it is linked there."""
        photo = photo.resolve()
        place = self._folder / _PHOTOS / str(photo).lstrip("/").replace("/", "-")
        if not place.is_symlink():
            place.parent.mkdir(exist_ok=True)
            place.symlink_to(photo)
        return f"{_PHOTOS}/{place.name}"

    def _facts(self, answer: dict[str, Any]) -> dict[str, Any]:
        facts = {
            key: int(each) if each.isdigit() else each for key, each in answer["facts"].items()
        }
        return facts | {"browser": self._browser.version}

    def _call(self, name: str, *arguments: Any) -> Any:
        answer = self._evaluate(name, *arguments)
        if "error" in answer:
            raise _raised_again(answer["error"])
        return answer["value"]

    def _evaluate(self, name: str, *arguments: Any) -> Any:
        words = ", ".join(json.dumps(each) for each in arguments)
        return self._browser.evaluate(f"runner.{name}({words})", patience_s=_LONG_SECONDS)


def page_identity(page: Path | None = None) -> str:
    """What the answers of a page depend on: the browser's version, and the page's content.

    Args:
        page: Folder of the built page; None takes that of this checkout.

    Raises:
        MissingDependencyError: There is no Chromium, or the page is not built.
        ChromiumError: It does not start.
    """
    # The documents name their scripts by hashes; the engines are named by theirs.
    files = sorted(page_folder(page).glob("*.html"))
    content = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    with Chromium() as browser:
        return f"{browser.version}, page {content[:16]}"


@contextmanager
def run_bundle(bundle: Path, *, page: Path | None = None) -> Iterator[PageRunner]:
    """A fresh browser with the runner's page and a bundle that is not opened yet.

    Args:
        bundle: A bundle folder or `.edgekd` file.
        page: Folder of the built page; None takes that of this checkout.

    Raises:
        MissingDependencyError: There is no Chromium, or the page is not built.
        ArtefactError: The bundle is damaged, or of an engine that the page does not have.
    """
    with _served(lambda folder: write_page(bundle, folder, page=page, runner=True)) as runner:
        yield runner


@contextmanager
def run_model(backend: str, *, page: Path | None = None) -> Iterator[PageRunner]:
    """A fresh browser with the runner's page and the engine of a backend, for model files.

    Raises:
        MissingDependencyError: There is no Chromium, or the page is not built.
        ArtefactError: The page has no engine of that backend.
    """
    with _served(lambda folder: write_engine(backend, folder, page=page)) as runner:
        yield runner


def first_visit(bundle: Path, photo: Path, *, page: Path | None = None) -> FirstVisit:
    """Open the page with a bundle in a fresh browser, and choose a photo in it.

    Raises:
        MissingDependencyError: There is no Chromium, or the page is not built.
        ArtefactError: The page refuses the bundle or the photo.
        ChromiumError: The browser crashed.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgekd-visit-")))
        write_page(bundle, folder / "page", page=page)
        server = stack.enter_context(PageServer(folder / "page"))
        browser = stack.enter_context(Chromium())
        browser.open(server.url)
        ready = _marked(browser, "ready")
        browser.choose_files("#file", [photo])
        decided = _marked(browser, "decision")
        loaded = browser.evaluate(_LOADED)
        sent = [e for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
        return FirstVisit(
            ready_ms=ready,
            decision_ms=decided,
            gzip_bytes={
                path: len(gzip.compress((folder / "page" / path).read_bytes(), 6))
                for path in dict.fromkeys(_path_below(server.url, each) for each in loaded)
            },
            requests=tuple(event["params"]["request"]["url"] for event in sent),
        )


@contextmanager
def _served(write: Callable[[Path], None]) -> Iterator[PageRunner]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgekd-runner-")))
        write(folder / "page")
        server = stack.enter_context(PageServer(folder / "page"))
        browser = stack.enter_context(Chromium())
        browser.open(server.url + RUNNER)
        yield PageRunner(browser, folder / "page")


def _marked(browser: Chromium, name: str) -> float:
    answer = browser.evaluate(_WAIT_FOR_MARK % json.dumps(name))
    if "error" in answer:
        raise ArtefactError(f"the page says: {answer['error']}", "check it with `edgekd verify`")
    return float(answer["ms"])


def _path_below(url: str, address: str) -> str:
    path = address.removeprefix(url).partition("?")[0]
    return path or "index.html"


def _number(value: float | None) -> float:
    """A number of JSON, which has null for those that are not finite."""
    return math.nan if value is None else float(value)


def _raised_again(error: dict[str, str]) -> EdgekdError:
    """The page's error as Python's of the same kind."""
    message, hint = error["message"], error["hint"]
    if error["kind"] == "missing":
        return MissingDependencyError("", "", "", message=message, hint=hint)
    kinds: dict[str, type[EdgekdError]] = {"input": InputError, "image": ImageError}
    return kinds.get(error["kind"], ArtefactError)(message, hint)
