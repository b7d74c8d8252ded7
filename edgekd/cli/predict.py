"""`edgekd predict`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekd.cli.console import emit_json, report_error, say
from edgekd.cli.options import Json
from edgekd.cli.places import Reads, Writes
from edgekd.cli.prediction_exports import Exporter, Exports
from edgekd.cli.prediction_text import line_of
from edgekd.errors import EdgekdError, ImageError, InputError, MissingDependencyError

if TYPE_CHECKING:
    from edgekd.runtime import Classifier, Prediction

__all__ = ["predict"]


def predict(
    bundle: Annotated[Path, Reads.BUNDLE, typer.Argument(help="A bundle folder or .edgekd file.")],
    images: Annotated[list[Path] | None, Reads.PHOTO, typer.Argument(help="Photos.")] = None,
    camera: Annotated[
        str | None,
        Reads.VIDEO,
        typer.Option(metavar="N|FILE", help="Watch a camera, by number, or a video file."),
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="Camera: no window, a line for each frame.")
    ] = False,
    screen: Annotated[
        str | None,
        typer.Option(metavar="WIDTHxHEIGHT", help="Camera: fill a screen of that size."),
    ] = None,
    save: Annotated[
        Path | None,
        Writes.FOLDER,
        typer.Option(help="Camera: folder for captures (space), or for all overlays if headless."),
    ] = None,
    interval: Annotated[
        float, typer.Option(min=0.0, max=3600.0, help="Camera: seconds between frames at least.")
    ] = 0.0,
    threads: Annotated[int | None, typer.Option(help="Threads of the engine.")] = None,
    backend: Annotated[
        str | None, typer.Option(help="Engine to use instead of the bundle's own.")
    ] = None,
    accelerator: Annotated[
        str | None, typer.Option(help="cpu, gpu, npu or the engine's own word for one.")
    ] = None,
    require: Annotated[
        bool, typer.Option("--require", help="Fail where the accelerator is not obtained whole.")
    ] = False,
    public_key: Annotated[
        Path | None,
        Reads.PUBLIC_KEY,
        typer.Option(help="Ed25519 key as PEM that the bundle must be signed with."),
    ] = None,
    no_quality: Annotated[
        bool, typer.Option("--no-quality", help="Do not ask for a better photo.")
    ] = False,
    no_selftest: Annotated[
        bool, typer.Option("--no-selftest", help="Open without running self-test vectors.")
    ] = False,
    fhir: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option(help="Of one photo: the decision as a FHIR R4B DiagnosticReport, JSON."),
    ] = None,
    dicom_sr: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option(help="Of one photo: the decision as a DICOM structured report."),
    ] = None,
    dicom_sc: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option(help="Of one photo: the --picture as a DICOM secondary capture."),
    ] = None,
    picture: Annotated[
        Path | None,
        Reads.PHOTO,
        typer.Option(help="A picture for --dicom-sc, such as a map of what mattered."),
    ] = None,
    codes: Annotated[
        Path | None,
        Reads.CODES,
        typer.Option(help="JSON with codes of a terminology for the classes, for the exports."),
    ] = None,
    patient: Annotated[
        str, typer.Option(help="The patient's number, for exports of a photo that is not DICOM.")
    ] = "",
    udi: Annotated[
        str | None, typer.Option(help="The unique device identifier, for the exports.")
    ] = None,
    json: Json = False,
) -> None:
    """Decide for photos, or for what a camera sees (q quits, space captures)."""

    def opened() -> Classifier:
        return _opened(
            bundle,
            threads=threads,
            backend=backend,
            accelerator=accelerator,
            require=require,
            public_key=public_key,
            quality=not no_quality,
            selftest=not no_selftest,
        )

    _check_usage(images, camera, camera_only=bool(headless or screen or save or interval))
    exports = Exports(fhir, dicom_sr, dicom_sc, picture, codes, patient, udi)
    exports.check(images or [])
    if camera is not None:
        from edgekd.cli.camera.run import CameraOptions, run_camera, screen_size

        size = None if screen is None else screen_size(screen)
        run_camera(CameraOptions(camera, headless, json, save, size, interval), opened)
        return
    with opened() as classifier:
        exporter = exports.prepared(classifier)
        show = say if exports.to_stdout else print
        code = _decide(classifier, images or [], json, show, exporter)
    if code:
        raise typer.Exit(code)


def _check_usage(images: list[Path] | None, camera: str | None, *, camera_only: bool) -> None:
    if bool(images) == (camera is not None):
        raise InputError(
            "give either photos or a camera", "edgekd predict BUNDLE PHOTO… or --camera 0"
        )
    if camera is None and camera_only:
        message = "--headless, --screen, --save and --interval are for --camera"
        raise InputError(message, "leave them out, or give --camera N")


def _opened(bundle: Path, **options: Any) -> Classifier:
    from edgekd.runtime import Classifier

    classifier = Classifier.open(bundle, **options)
    for warning in classifier.warnings:
        say(f"warning: {warning}")
    return classifier


def _decide(
    classifier: Classifier,
    images: list[Path],
    json: bool,
    show: Callable[[str], None],
    exporter: Exporter | None,
) -> int:
    """Print the decisions and return the exit code; an unreadable image does not stop the rest."""
    code, records = 0, []
    for image, outcome in _outcomes(classifier, images):
        if isinstance(outcome, EdgekdError):
            report_error(outcome)
            code = max(code, outcome.exit_code)
            error = {"message": outcome.message, "hint": outcome.hint}
            records.append({"image": str(image), "error": error})
        elif json:
            records.append({"image": str(image), **outcome.to_dict()})
        else:
            show(line_of(str(image), outcome))
        if exporter is not None and not isinstance(outcome, EdgekdError):
            code = max(code, _export(exporter, outcome, image))
    if json:
        emit_json(records)
    return code


def _export(exporter: Exporter, prediction: Prediction, image: Path) -> int:
    """Write the exports and return the exit code: the decision stands even where they fail."""
    try:
        exporter.write(prediction, image)
    except EdgekdError as error:
        report_error(error)
        return error.exit_code
    return 0


def _outcomes(
    classifier: Classifier, images: list[Path]
) -> Iterator[tuple[Path, Prediction | ImageError | MissingDependencyError]]:
    for image in images:
        try:
            yield image, classifier.predict(image)
        except (ImageError, MissingDependencyError) as error:
            yield image, error
