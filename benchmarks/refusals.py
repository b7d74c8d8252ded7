"""How often a bundle refuses photos as they are, spoilt ones, and pictures of other things.

    python benchmarks/refusals.py --bundle runs/ham/bundles/rpi --model runs/ham --others FOLDER

`--model` is the student's folder: it knows which photos are its test part. `--others` are pictures
of another organ. Nothing here was seen when the limits were fitted, which was on validation images.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

import edgekd
from edgekd.bundle import Manifest
from edgekd.cli.console import exit_code_of, publish
from edgekd.data import Split, read_split
from edgekd.lower.source import find_student
from edgekd.metrics import wilson
from edgekd.models import read_card
from edgekd.models.card import SPLIT
from edgekd.runtime import Classifier, Prediction
from edgekd.runtime.preprocess import decode_image

Image = npt.NDArray[np.uint8]
ENDINGS = (".jpg", ".jpeg", ".png")


def blurred(image: Image) -> Image:
    """Out of focus by a twenty-fifth of the picture's side."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), min(image.shape[:2]) / 25), np.uint8)


def darkened(image: Image) -> Image:
    """A sixth of the light."""
    return (image / 6).astype(np.uint8)


def overexposed(image: Image) -> Image:
    """Two and a half times the light."""
    return np.clip(image * 2.5, 0, 255).astype(np.uint8)


def with_glare(image: Image) -> Image:
    """The photo with a burnt-out disc over an eighth of it."""
    shown, side = image.copy(), min(image.shape[:2])
    cv2.circle(shown, (int(side * 0.45), int(side * 0.5)), int(side * 0.2), (255, 255, 255), -1)
    return shown


def empty(image: Image) -> Image:
    """Skin of the photo's own colour, unevenly lit, with grain, and no lesion."""
    generator = np.random.default_rng(int(image.sum()))
    skin = np.percentile(image.reshape(-1, 3), 80, axis=0)
    light = generator.normal(0, 4, (4, 4)).astype(np.float32)
    lit = cv2.resize(light, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)[..., None]
    return np.clip(skin + lit + generator.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def cut_off(image: Image) -> Image:
    """The photo moved by half of its height, so that a centred lesion is cut in two."""
    half = image.shape[0] // 2
    return np.concatenate([image[half:], np.repeat(image[-1:], half, axis=0)])


def hairy(image: Image) -> Image:
    """The photo with fifteen dark hairs over it."""
    generator = np.random.default_rng(int(image.sum()))
    shown, (height, width) = image.copy(), image.shape[:2]
    thick = max(1, width // 150)
    for _ in range(15):
        start = (int(generator.integers(0, width)), 0)
        end = (int(start[0] + generator.integers(-width // 3, width // 3)), height)
        cv2.line(shown, start, end, (45, 32, 28), thick, cv2.LINE_AA)
    return shown


def ruled(image: Image) -> Image:
    """The photo with a ruler's ticks along one edge."""
    shown, (height, width) = image.copy(), image.shape[:2]
    for tick in range(0, width, width // 25):
        length = height // (12 if tick % 5 else 8)
        cv2.line(shown, (tick, height), (tick, height - length), (20, 20, 25), max(1, width // 200))
    return shown


def noise(seed: int, side: int) -> Image:
    """Random pixels; in every second picture coarse blots."""
    generator = np.random.default_rng(seed)
    coarse = 8 if seed % 2 else side
    pixels = generator.integers(0, 256, (coarse, coarse, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


class Trial(NamedTuple):
    """One kind of picture.

    Attributes:
        name: Name in the table.
        wanted: The decision of a good device on them.
        pictures: RGB uint8 [H, W, 3], made one by one.
    """

    name: str
    wanted: str
    pictures: Iterable[Image]


SPOILT: dict[str, tuple[Callable[[Image], Image], str]] = {
    "blurred": (blurred, "retake > 90 %"),
    "darkened": (darkened, "retake > 90 %"),
    "overexposed": (overexposed, "retake > 90 %"),
    "glare": (with_glare, "retake > 90 %"),
    "no lesion, skin alone": (empty, "retake > 90 %"),
    "lesion cut in two": (cut_off, "told where it can be"),
    "with hair": (hairy, "as without"),
    "with a ruler": (ruled, "as without"),
}


def main() -> int:
    options = read_options()
    return exit_code_of(lambda: refuse(options))


def refuse(options: argparse.Namespace) -> None:
    with Classifier.open(options.bundle, threads=1) as classifier:
        rows = [run(trial, classifier) for trial in trials(options)]
        result = {
            "command": "python benchmarks/refusals.py --bundle … --model … --others …",
            "edgekd": edgekd.__version__,
            "machine": f"{platform.system()} {platform.machine()}, {classifier.facts['engine']}",
            "bundle": described(classifier.manifest),
            "rows": rows,
        }
    publish(markdown(result), result, markdown=options.markdown, json=options.json)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="the student's folder")
    parser.add_argument("--others", type=Path, help="pictures of another organ")
    parser.add_argument("--whole", type=Path, help="a folder of all photos of the data set")
    parser.add_argument("--limit", type=int, help="at most so many pictures of a kind")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    return parser.parse_args()


def trials(options: argparse.Namespace) -> Iterator[Trial]:
    split = split_of(options.model)
    test = [split.dataset.paths()[index] for index in split.indices("test")][: options.limit]
    yield Trial("test photos as they are", "retake < 2 %, refused as unlike ≤ 5 %", photos(test))
    if options.whole:
        yield Trial("all photos of the folder", "retake < 2 %", photos(found_in(options.whole)))
    for name, (spoil, wanted) in SPOILT.items():
        yield Trial(f"test photos, {name}", wanted, map(spoil, photos(test)))
    if options.others:
        others = found_in(options.others)[: options.limit]
        yield Trial(f"{options.others.name}: another organ", "refused ≥ 95 %", photos(others))
    yield Trial("noise", "refused ≥ 95 %", (noise(seed, 300) for seed in range(400)))


def split_of(model: Path) -> Split:
    folder = find_student(model)
    card = read_card(folder)
    root = Path(card.data.root)
    return read_split(folder / SPLIT, root, name=card.data.name, classes=card.classes)


def found_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)


def photos(paths: Iterable[Path]) -> Iterator[Image]:
    return (decode_image(path.read_bytes(), 512, name=path.name) for path in paths)


def run(trial: Trial, classifier: Classifier) -> dict[str, Any]:
    predictions = [classifier.predict(picture) for picture in trial.pictures]
    found: dict[str, Any] = {"name": trial.name, "wanted": trial.wanted, "images": len(predictions)}
    for verdict in ("answer", "refer", "retake"):
        found[verdict] = share(one.decision == verdict for one in predictions)
    found["unlike"] = share(is_unlike(one) for one in predictions)
    found["reasons"] = dict(Counter(r.code for one in predictions for r in one.reasons))
    print(f"{trial.name}: {len(predictions)} pictures", flush=True)
    return found


def is_unlike(prediction: Prediction) -> bool:
    """Whether the photo was refused as unlike the training images, by appearance or energy."""
    return bool({reason.code for reason in prediction.reasons} & {"unlike", "unfamiliar"})


def share(flags: Iterable[bool]) -> dict[str, float | None]:
    listed = list(flags)
    estimate: dict[str, float | None] = wilson(sum(listed), len(listed))._asdict()
    return estimate


def described(manifest: Manifest) -> dict[str, Any]:
    lowering, capture = manifest.lowering, manifest.capture
    return {
        "model": manifest.model.name,
        "image_size": manifest.model.image_size,
        "precision": lowering.precision,
        "backend": lowering.backend,
        "energy_kept": manifest.decision.energy_kept,
        "capture_kept": capture.kept if capture else None,
        "fitted_on": manifest.decision.fitted_on,
    }


def markdown(result: dict[str, Any]) -> str:
    bundle = result["bundle"]
    lines = [
        "# What a bundle refuses",
        "",
        f"{bundle['model']} at {bundle['image_size']} px, {bundle['precision']} on "
        f"{bundle['backend']}; limits fitted on {bundle['fitted_on'].get('images')} validation "
        f"images ({bundle['capture_kept']} of them good photos, {bundle['energy_kept']} of usual "
        f"energy). {result['machine']}. Shares with 95 % intervals.",
        "",
        "| pictures | n | wanted | answer | refer | retake | refused as unlike | reasons |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        shares = [said(row[key]) for key in ("answer", "refer", "retake", "unlike")]
        reasons = sorted(row["reasons"].items(), key=lambda item: -item[1])
        told = ", ".join(f"{code} {count}" for code, count in reasons[:4])
        cells = [row["name"], str(row["images"]), row["wanted"], *shares, told]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", '"Refused as unlike": by its looks or by the energy of the output.', ""]
    return "\n".join(lines)


def said(estimate: dict[str, float | None]) -> str:
    value, low, high = (estimate[key] for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "–"
    return f"{100 * value:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


if __name__ == "__main__":
    sys.exit(main())
