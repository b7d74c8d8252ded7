"""What was found by fuzzing, kept: each file is answered or refused by an error of ours.

`regressions/bundles/` is made by `make_regressions.py`; `regressions/images/` are files as found.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from abuse import procfs
from abuse.bundles import BACKENDS, installed, parts, zip_of
from abuse.make_regressions import MADE, compact, model_of
from abuse.photos import photo
from abuse.worker import MOST_MEMORY, judged
from edgekd.bundle import MANIFEST
from edgekd.errors import EdgekdError
from edgekd.runtime import Classifier

FOLDER = Path(__file__).resolve().parent / "regressions"
BUNDLES = sorted((FOLDER / "bundles").iterdir())
IMAGES = sorted((FOLDER / "images").iterdir())
REFUSED = "ArtefactError"

pytestmark = pytest.mark.skipif(
    not all(map(installed, BACKENDS)),
    reason="needs all engines: pip install 'edgekd[tflite,openvino,onnx]'",
)


@pytest.mark.parametrize("file", BUNDLES, ids=lambda file: file.stem)
@pytest.mark.parametrize("form", ["bytes", "file"])
def test_bundle(file: Path, form: str, capfd: pytest.CaptureFixture[str]) -> None:
    source = file.read_bytes() if form == "bytes" else file

    def work() -> object:
        with Classifier.open(source, threads=1) as classifier:
            return classifier.predict(photo(0, 80, 70))

    before = 0
    if procfs.TOLD:
        before = procfs.resident()  # other tests of this process may have brought PyTorch
        procfs.forget_peak()
    assert judged(work) == (REFUSED, "")
    assert capfd.readouterr().out == ""
    assert not procfs.TOLD or procfs.peak() - before < MOST_MEMORY


@pytest.mark.parametrize("file", IMAGES, ids=lambda file: file.name)
def test_image(file: Path, classifier: Classifier) -> None:
    _, failure = judged(lambda: classifier.predict(file))
    assert failure == ""


def test_the_files_are_those_that_are_made() -> None:
    assert {file.stem for file in BUNDLES} == set(MADE)
    assert all(file.stat().st_size < 20_000 for file in FOLDER.rglob("*"))


def test_a_bundle_that_was_cut_down_runs() -> None:
    """The files are refused for their one fault, not for what was left out of them."""
    for backend in BACKENDS:
        with Classifier.open(zip_of(compact(backend, model_of(backend)))) as classifier:
            assert classifier.predict(photo()).decision in ("answer", "refer")


def test_errors_do_not_show_what_an_app_has_decrypted() -> None:
    secret = b"a secret in the model" * 4
    archive = bytearray(zip_of({MANIFEST: parts("onnx")[MANIFEST][:10], "model.onnx": secret}))
    archive[26:28] = (200).to_bytes(2, "little")  # the first name's length, up to the secret
    with pytest.raises(EdgekdError) as caught:
        Classifier.open(bytes(archive))
    error: BaseException | None = caught.value
    while error is not None:
        assert "secret" not in str(error)
        error = None if error.__suppress_context__ else error.__context__
