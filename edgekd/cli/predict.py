"""`edgekd predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekd.cli.console import emit_json
from edgekd.cli.options import Json

if TYPE_CHECKING:
    from edgekd.runtime import Prediction

__all__ = ["predict"]


def predict(
    bundle: Annotated[Path, typer.Argument(help="A bundle folder or .edgekd file.")],
    images: Annotated[list[Path], typer.Argument(help="Photos.")],
    threads: Annotated[int | None, typer.Option(help="Threads of the engine.")] = None,
    backend: Annotated[
        str | None, typer.Option(help="Engine to use instead of the bundle's own.")
    ] = None,
    json: Json = False,
) -> None:
    """Decide for photos."""
    from edgekd.runtime import Classifier

    with Classifier.open(bundle, threads=threads, backend=backend) as classifier:
        found = [(str(image), classifier.predict(image)) for image in images]
    if json:
        emit_json([{"image": image, **prediction.to_dict()} for image, prediction in found])
        return
    for image, prediction in found:
        print(_line(image, prediction))


def _line(image: str, prediction: Prediction) -> str:
    first = f"{image}: {prediction.decision}  {prediction.label} {prediction.probability:.2f}"
    rest = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[1:3]
    others = ", ".join(f"{name} {value:.2f}" for name, value in rest)
    why = f"  ({'; '.join(prediction.reasons)})" if prediction.reasons else ""
    return f"{first}  (then {others}){why}"
