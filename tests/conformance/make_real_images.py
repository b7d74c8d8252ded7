"""Writes vectors of real photos: the student that ships, by both engines, on 300 of HAM10000.

    python tests/conformance/make_real_images.py --data shared/data/ham10000 --out build/real-images

`make android` compares the runtime in Kotlin with them. The folder has `vectors.json` with the
group `predictions` alone, the bundles, and the photos, and is kept until the runtime changes.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import edgekd
from edgekd.bundle.manifest import FORMAT_VERSION
from edgekd.conformance.files import Folder
from edgekd.conformance.format import PredictionCase, Vectors
from edgekd.conformance.predictions import case_of
from edgekd.conformance.write import VECTORS
from edgekd.files import pretty_json, whole_folder
from edgekd.runtime import Classifier
from edgekd.runtime.preprocess import RULE

STUDENT = "ham10000-student"
MADE_BY = "made-by.sha256"
BUNDLES = {
    "android": ("--target", "android"),
    "android-fp32": ("--target", "android", "--precision", "fp32"),
    "cpu-onnx": ("--target", "cpu-onnx"),
    "cpu-onnx-fp32": ("--target", "cpu-onnx", "--precision", "fp32"),
}
"""Options of `edgekd build` by bundle."""
TOLERANCE = 1e-3
"""Largest difference of a logit, which range over some tens; the largest found is printed."""


def main() -> int:
    arguments = _arguments()
    made_by = arguments.out / MADE_BY
    if made_by.is_file() and made_by.read_text() == _code():
        print(f"{arguments.out / VECTORS} is there already")
        return 0
    photos = _photos(arguments.data, arguments.number)
    if not photos:
        print(f"{arguments.data} has no images/*.jpg")
        return 1
    with whole_folder(arguments.out) as root:
        folder = Folder(root)
        cases = tuple(_cases(folder, photos))
        vectors = Vectors(
            edgekd=edgekd.__version__, rule=RULE, manifest_version=FORMAT_VERSION, engines={},
            predictions=cases,
        )  # fmt: skip
        folder.add(VECTORS, pretty_json(vectors))
        folder.add(MADE_BY, _code().encode())
    print(f"wrote {len(cases)} predictions on {len(photos)} photos to {arguments.out}")
    return 0


def _code() -> str:
    """Hash of the code and of the students that the answers depend on."""
    package, digest = Path(edgekd.__file__).parent, hashlib.sha256()
    for room in ("runtime", "bundle", "tasks", "students"):
        for file in sorted((package / room).rglob("*")):
            if file.suffix in (".py", ".json"):
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _photos(data: Path, number: int) -> list[Path]:
    """Photos from all of the data set, evenly."""
    files = sorted((data / "images").glob("*.jpg"))
    return files[:: max(1, len(files) // number)][:number]


def _cases(folder: Folder, photos: list[Path]) -> Iterator[PredictionCase]:
    places = [folder.add(f"photos/{photo.name}", photo.read_bytes()) for photo in photos]
    for name, options in BUNDLES.items():
        content = _bundle(folder.root, name, options)
        bundle = folder.add(f"{name}.edgekd", content)
        with Classifier.open(content, threads=1) as classifier:
            backend = classifier.manifest.lowering.backend
            for place in places:
                prediction = classifier.predict((folder.root / place).read_bytes())
                yield case_of(
                    f"{name}-{Path(place).stem}", bundle, backend, place,
                    TOLERANCE, prediction,
                )  # fmt: skip


def _bundle(root: Path, name: str, options: tuple[str, ...]) -> bytes:
    """The bundle as one file, built in a folder that does not stay."""
    place = root / "built" / name
    command = [sys.executable, "-m", "edgekd", "build", "--model", STUDENT, *options]
    command += ["--out", str(place), "--zip"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    content = next(place.rglob("*.edgekd")).read_bytes()
    shutil.rmtree(root / "built")
    return content


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of HAM10000")
    parser.add_argument("--out", type=Path, required=True, help="folder of the vectors")
    parser.add_argument("--number", type=int, default=300, help="of photos")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
