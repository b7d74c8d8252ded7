"""`edgekd build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekd.cli.console import emit_json, error_summary, report_error, say
from edgekd.cli.limit_options import critical_classes, limits_by_name
from edgekd.cli.options import Json, Tighten
from edgekd.cli.places import Reads, Writes
from edgekd.cli.trusting import TrustCode, trust_checkpoints
from edgekd.errors import EdgekdError, InputError

if TYPE_CHECKING:
    from edgekd.lower.build import BuiltBundle

__all__ = ["build"]


def build(
    target: Annotated[
        str | None, typer.Option(help="A target, several with commas, or `all`.")
    ] = None,
    model: Annotated[
        Path | None,
        Reads.CHECKPOINT,
        typer.Option(
            help="The student's checkpoint, the folder of its run, or the name of a student that "
            "edgekd ships (`edgekd students`)."
        ),
    ] = None,
    out: Annotated[Path | None, Writes.FOLDER, typer.Option(help="Folder of the bundles.")] = None,
    precision: Annotated[
        str,
        typer.Option(
            help="auto (the first that passes its gate), or of int8, int8-mixed, int8-weights, "
            "fp16, fp32: one bundle for each, or exit 4."
        ),
    ] = "auto",
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="The clinical policy: dermoscopy, fundus, none, or a .toml file; instead of the "
            "one that the model remembers.",
        ),
    ] = None,
    research: Annotated[
        bool,
        typer.Option(
            "--research",
            help="Lower although a floor of the policy is not met, or a file is not certified, and "
            "mark the bundle.",
        ),
    ] = False,
    teacher: Annotated[
        Path | None,
        Reads.CHECKPOINT,
        typer.Option(help="The teacher's checkpoint, if it is not beside the student."),
    ] = None,
    tighten: Tighten = None,
    critical: Annotated[
        str,
        typer.Option(
            metavar="CLASS[=LIMIT],…",
            help="Classes whose loss is most dangerous, beside the policy's own. `none` is for a "
            "model that has no class which the policy names (mel, bcc, …); it drops no limit of "
            "the policy's.",
        ),
    ] = "",
    quantisation_aware: Annotated[
        bool, typer.Option(help="Fine-tune with simulated int8 where int8 fails its gate.")
    ] = False,
    former_flag: Annotated[
        bool, typer.Option("--rescue", hidden=True, help="Former name of --quantisation-aware.")
    ] = False,
    all_rungs: Annotated[
        bool, typer.Option(help="Judge every rung, also those below one that passes.")
    ] = False,
    calibration_images: Annotated[
        int, typer.Option(help="Training images that int8 ranges are measured on.")
    ] = 512,
    data_root: Annotated[
        Path | None,
        Reads.IMAGES,
        typer.Option(help="Where the model's images are now, if they moved."),
    ] = None,
    data: Annotated[
        Path | None,
        Reads.OWN_IMAGES,
        typer.Option(
            metavar="FILE.csv|RECIPE",
            help="Labelled images of yours: a part calibrates, the others judge the files and fit "
            "the decision, instead of the model's own.",
        ),
    ] = None,
    image_column: Annotated[str, typer.Option(help="With --data FILE.csv: image paths.")] = "image",
    label_column: Annotated[
        str,
        typer.Option(help="Its labels; several columns with commas, of findings with 1 and 0."),
    ] = "label",
    group_column: Annotated[
        str | None, typer.Option(help="Its lesions or patients, which no split divides.")
    ] = None,
    image_root: Annotated[
        Path | None,
        Reads.IMAGES,
        typer.Option(help="Folder of its images; by default that of the table."),
    ] = None,
    zipped: Annotated[bool, typer.Option("--zip", help="Write .edgekd files.")] = False,
    image_list: Annotated[
        bool,
        typer.Option(
            help="Put short hashes of the training and validation images into the bundle, by which "
            "`edgekd eval` notices a test on them."
        ),
    ] = True,
    features: Annotated[
        bool,
        typer.Option(
            "--features",
            help="Put the student's features into the bundle, in fp32, by which `edgekd enrol` "
            "teaches it new classes.",
        ),
    ] = False,
    via: Annotated[
        str | None,
        typer.Option(
            metavar="LIBRARY",
            help="What gives TensorRT the network on a jetson: onnx-parser (its own), or "
            "torch-tensorrt, for which the bundle gets a program of PyTorch beside the ONNX. With "
            "--on-device: what builds there.",
        ),
    ] = None,
    on_device: Annotated[
        Path | None,
        Reads.BUNDLE,
        typer.Option(help="Finish this bundle on the device that this is."),
    ] = None,
    evidence: Annotated[
        Path | None,
        Reads.EVIDENCE,
        typer.Option(
            help="With --on-device: what the engine is judged by, if it is not beside the bundle."
        ),
    ] = None,
    app: Annotated[
        Path | None,
        Writes.FOLDER,
        typer.Option(
            help="Write the sources of the target's app here too, with the bundle inside; of one "
            "target (android)."
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        Reads.BUNDLE,
        typer.Option(help="With --app: this bundle, such as one that is signed; none is built."),
    ] = None,
    public_key: Annotated[
        Path | None,
        Reads.PUBLIC_KEY,
        typer.Option(
            help="With --app: Ed25519 key as PEM that the app demands of its bundle; the bundle "
            "must be signed with it."
        ),
    ] = None,
    trust_code: TrustCode = False,
    json: Json = False,
) -> None:
    """Lower a student to the bundle of each target.

    A file that loses too much, or does not reach a floor of the policy, fails (exit 4). A student
    that edgekd ships is built without images: a file that is none of those that were judged where
    it was made fails too, unless --data judges it on yours.
    """
    if on_device is not None:
        if app or bundle or public_key:
            message = "--app, --bundle and --public-key do not go with --on-device"
            raise InputError(message, "finish the bundle first, then write the app with --bundle")
        if policy or research or teacher or tighten or critical:
            message = "a bundle keeps the policy that it was built by"
            hint = "leave --policy, --research, --teacher, --tighten and --critical to the host"
            raise InputError(message, hint)
        from edgekd.lower.finish import finish_bundle

        finished = finish_bundle(on_device, say, evidence=evidence, target=target, via=via)
        say(f"finished {finished}")
        return
    from edgekd.cli.build_app import app_target, write_built_app, write_target_app

    of_app = app_target(target, app, bundle, public_key, precision)
    if of_app is not None and app is not None and bundle is not None:
        if model is not None or out is not None:
            message = "--bundle is a bundle that is there, and --model and --out build one"
            raise InputError(message, "leave out --bundle, or both others")
        write_target_app(of_app, bundle, app, public_key)
        return
    if target is None or model is None or out is None:
        message = "--target, --model and --out are needed"
        raise InputError(message, "or --on-device BUNDLE to finish one")
    if data is not None and data_root is not None:
        message = "--data and --data-root name the images twice"
        raise InputError(message, "give your own with --data, those of training with --data-root")
    trust_checkpoints([model, teacher], trusted=trust_code)
    from edgekd.cli.build_table import build_observer
    from edgekd.lower.build import BuiltBundle, build_all, worst_of
    from edgekd.lower.own_images import OwnImages
    from edgekd.lower.plan import BuildRequest
    from edgekd.targets import resolve_targets

    labels = label_column.split(",")
    own_images = (
        OwnImages(str(data), image_column, labels, group_column, image_root) if data else None
    )
    broken: dict[str, EdgekdError] = {}
    targets = resolve_targets(target, broken)
    with build_observer() as observer:
        built = build_all(
            BuildRequest(
                model=model,
                targets=targets,
                out=out,
                precisions=_precisions(precision),
                policy=policy,
                research=research,
                teacher=teacher,
                data_root=data_root,
                own_images=own_images,
                calibration_images=calibration_images,
                tighten=limits_by_name(tighten or []),
                critical=critical_classes(critical),
                all_rungs=all_rungs,
                quantisation_aware=quantisation_aware or former_flag,
                zipped=zipped,
                list_images=image_list,
                via=via,
                features=features,
                observer=observer,
            )
        )
    built += [BuiltBundle(name, name, None, None, (), why) for name, why in broken.items()]
    _report(built, json=json)
    _print_warnings(built)
    if of_app is not None and app is not None:
        write_built_app(of_app, built, app)
    worst = worst_of(built)
    if worst is not None:
        errors = {bundle.error.message: bundle.error for bundle in built if bundle.error}
        for error in errors.values():  # the same error of several bundles is printed once
            report_error(error)
        raise typer.Exit(worst.exit_code)


def _print_warnings(built: list[BuiltBundle]) -> None:
    """Print what marks a bundle, and where evidence with patients' images was written."""
    from edgekd.lower.evidence.device_gate import evidence_beside

    for bundle in built:
        manifest = bundle.manifest
        if bundle.path is None or manifest is None:
            continue
        for warning in manifest.warnings:
            say(f"warning: {bundle.name}: {warning}")
        if manifest.lowering.completion == "complete":
            continue
        if manifest.lowering.evidence_sha256 is None:
            say(
                f"{bundle.name}: its board judges the engine on labelled images, and there are "
                "none here: `edgekd certify` or --data leaves them beside a bundle that can be "
                "finished there"
            )
        else:
            say(
                f"copy {evidence_beside(bundle.path)} to the board beside the bundle; it holds "
                "images: delete it on both when the engine is built"
            )


def _report(built: list[BuiltBundle], *, json: bool) -> None:
    from edgekd.cli.build_table import summary_of

    if json:
        emit_json([_summary(bundle) for bundle in built])
        return
    for bundle in built:
        if bundle.passed:  # errors of the other bundles follow, each with a hint
            print(summary_of(bundle))


def _precisions(text: str) -> tuple[str, ...] | None:
    from edgekd.lower.precision import LADDER

    if text == "auto":
        return None
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for precision in chosen:
        if precision not in LADDER:
            message = f"there is no precision {precision!r}"
            raise InputError(message, f"--precision is auto, or of {', '.join(LADDER)}")
    return chosen


def _summary(bundle: BuiltBundle) -> dict[str, object]:
    manifest, error = bundle.manifest, bundle.error
    return {
        "target": bundle.target,
        "name": bundle.name,
        "passed": bundle.passed,
        "path": None if bundle.path is None else str(bundle.path),
        "error": error_summary(error),
        "precision": manifest.lowering.precision if manifest else None,
        "check": manifest.lowering.check if manifest else None,
        "certificate": manifest.certificate if manifest else None,
        "fresh": bundle.fresh,
        "rungs": bundle.rungs,
        "policy": manifest.policy if manifest else None,
        "metrics": manifest.metrics if manifest else None,
    }
