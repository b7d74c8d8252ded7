"""What lowering costs: every file of every backend compared with the float student.

python benchmarks/lowering.py RUN [RUN …] --json lowering.json --markdown lowering.md
python benchmarks/lowering.py --train OUT --data-root HAM10000 --json lowering.json

A RUN is what `edgekd distill --out` wrote. Each is built with all rungs, whose gates judge on
validation images. Then every file answers the run's test images, which no fit, gate or calibration
has seen, by its own runtime (TensorRT's by ONNX Runtime). Losses are differences to the float
student in PyTorch on the same images; the calibration error of each file uses its own temperature,
fitted on validation images. To be timed, the files of one backend take turns, image by image and in
random order, with one thread; the ratio to fp32 is taken within each turn, and its median over the
turns is reported.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd import cli
from edgekd.bench.measure.machine import local_facts
from edgekd.bundle import Rung
from edgekd.cli.console import exit_code_of, publish, say
from edgekd.data import PARTS
from edgekd.errors import EdgekdError, InputError
from edgekd.lower.attempt import Failed, Measured
from edgekd.lower.build import BuildRequest, BuiltBundle, build_all
from edgekd.lower.context import BuildContext
from edgekd.lower.int8.calibration import draw_calibration
from edgekd.lower.jobs.trial import Answers, TrialJob, try_files
from edgekd.lower.pipeline import lower_variants
from edgekd.lower.precision import Variant
from edgekd.lower.progress import LineReporter, verdict_of
from edgekd.lower.source import Source, load_source
from edgekd.lower.store import Store, array_sha256
from edgekd.metrics import (
    Estimate,
    expected_calibration_error,
    fit_temperature,
    metrics_of,
    paired_drops,
)
from edgekd.models import logits_of
from edgekd.models.card import CARD
from edgekd.policy import Policy, load_policy, policy_of_values
from edgekd.runtime.sessions import open_session
from edgekd.targets import Target, resolve_targets

TARGETS = "rpi,cpu,cpu-onnx,jetson"  # one for each backend
THREADS, WARM_UP, TURNS = 1, 20, 100
FAMILIES: dict[str, dict[str, Any]] = {
    "mobilenetv2": {"arch": "mobilenetv2_100"},
    "efficientnet_lite0": {"arch": "tf_efficientnet_lite0", "pretrained": "package"},
    "mobilenetv3_small": {"arch": "mobilenetv3_small_100"},
    "resnet18": {"arch": "resnet18"},
    "silu": {"arch": "mobilenetv2_050", "options": {"act_layer": "silu"}},
}

Logits = NDArray[np.float32]
Row = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Train where requested, lower, measure; print tables, write the files."""
    options = _options(arguments)

    def work() -> None:
        targets = resolve_targets(options.targets)
        runs = [_measured(run, targets, options) for run in (*_trained(options), *options.runs)]
        text = "\n\n".join(_markdown(run) for run in runs)
        result = _result(arguments, options, runs)
        publish(text, result, markdown=options.markdown, json=options.json)

    return exit_code_of(work)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="of `edgekd distill`")
    parser.add_argument("--targets", default=TARGETS, help=f"by default {TARGETS}")
    parser.add_argument("--policy", help="name or file, instead of the model's own")
    parser.add_argument("--data-root", type=Path, help="where the images are now")
    parser.add_argument("--part", choices=PARTS[1:], default="test", help="the images judged on")
    parser.add_argument("--json", type=Path, help="file for the result")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    train = parser.add_argument_group("training first")
    train.add_argument("--train", type=Path, metavar="OUT", help="train the families into OUT")
    train.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    train.add_argument("--recipe", default="ham10000-kd", help="the rest of the students' recipe")
    train.add_argument("--epochs", type=int)
    train.add_argument("--image-size", type=int)
    train.add_argument("--mobilenetv2-weights", type=Path, metavar="FILE", help="ImageNet start")
    train.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    options = parser.parse_args(arguments)
    if not options.runs and not options.train:
        parser.error("give a RUN, or --train OUT")
    return options


# ---- training ----


def _trained(options: argparse.Namespace) -> Iterator[Path]:
    """The families' runs; one that is there is not trained again."""
    for family in options.families if options.train else ():
        run = options.train / family
        if (run / "student" / CARD).is_file():
            say(f"{run} is there already")
        else:
            _train(family, run, options)
        yield run


def _train(family: str, run: Path, options: argparse.Namespace) -> None:
    flags = [part for text in settings_of(family, options) for part in ("--set", text)]
    code = cli.main(["distill", options.recipe, "--out", str(run), *flags])
    if code:
        raise EdgekdError(f"{family} was not trained (exit code {code})", "see above")


def settings_of(family: str, options: argparse.Namespace) -> list[str]:
    """Settings that replace those of the recipe: this student, and no teacher."""
    model = FAMILIES[family]
    if family == "mobilenetv2" and options.mobilenetv2_weights:
        # Its public weights come from TensorFlow, which pads on one side.
        weights = str(options.mobilenetv2_weights)
        model = {**model, "pretrained": weights, "options": {"pad_type": "same"}}
    settings = [
        "teacher=null", "method={name: none}", "trainer.threads=1",
        f"student.model={json.dumps(model)}",
    ]  # fmt: skip
    if model.get("pretrained"):
        settings.append("student.fit.learning_rate=1.0e-3")  # more spoils the initial weights
    given = {
        "data.root": options.data_root,
        "student.fit.epochs": options.epochs,
        "image_size": options.image_size,
    }
    settings += [f"{key}={value}" for key, value in given.items() if value is not None]
    return [*settings, *options.overrides]


# ---- lowering ----


@dataclass(frozen=True)
class Outcome:
    """The result of a build for one target.

    Attributes:
        target: The target.
        bundle: What was built or refused, with its rungs.
        lacking: Why no file can meet the policy's limits on these images; the gate was then
            applied without critical classes.
    """

    target: Target
    bundle: BuiltBundle
    lacking: tuple[str, ...]

    @property
    def taken(self) -> str | None:
        """The rung that `--precision auto` takes."""
        return next((_variant(rung).label for rung in self.bundle.rungs if rung.chosen), None)


def _outcomes(request: BuildRequest, policy: Policy, classes: Sequence[str]) -> list[Outcome]:
    """Build for every target; again without critical classes where these leave no rung.

    Built with `research`, so that floors that the student does not reach stop no build.
    """
    usual = request.targets if policy.critical_of(classes) else []
    first = replace(request, targets=usual, policy=policy, research=True)
    built = {bundle.target: bundle for bundle in (build_all(first) if usual else [])}
    lacking = {
        target.name: built[target.name].refused if target.name in built else ("no critical class",)
        for target in request.targets
        if target.name not in built or not built[target.name].rungs
    }
    again = replace(
        first,
        targets=[target for target in request.targets if target.name in lacking],
        policy=msgspec.structs.replace(policy, critical={}),
        out=request.out / "bare",
    )
    built |= {bundle.target: bundle for bundle in (build_all(again) if again.targets else [])}
    return [
        Outcome(target, built[target.name], lacking.get(target.name, ()))
        for target in request.targets
    ]


def _variant(rung: Rung) -> Variant:
    return Variant(precision=rung.precision, float_layers=rung.float_layers)


# ---- measuring ----


@dataclass(frozen=True)
class Exam:
    """The images that all files answer, and the float student's answers."""

    source: Source
    part: str

    @cached_property
    def images(self) -> NDArray[np.uint8]:
        """The part's images, uint8 [N, S, S, 3]."""
        chosen = self.source.split.indices(self.part)
        if not chosen:
            message = f"{self.source.folder} has no {self.part} images"
            raise InputError(message, "take another --part")
        return np.asarray(self.source.pixels[chosen])

    @cached_property
    def targets(self) -> NDArray[np.int64]:
        """Their class indices [N]."""
        labels = self.source.split.dataset.targets()
        return labels[self.source.split.indices(self.part)]

    @property
    def groups(self) -> list[str]:
        """Their lesions or patients."""
        samples = self.source.split.dataset.samples
        return [samples[index].group for index in self.source.split.indices(self.part)]

    @cached_property
    def student(self) -> Logits:
        """The float student's logits [N, K]."""
        return logits_of(self.source.checkpoint.normalised(), self.images)

    @cached_property
    def student_error(self) -> float:
        """The float student's expected calibration error with its own temperature."""
        return self.calibrated_error(self.source.outputs, self.student)[1]

    def calibrated_error(self, validation: Logits, answers: Logits) -> tuple[float, float]:
        """Temperature fitted on the validation answers, and the calibration error with it."""
        temperature = fit_temperature(validation, self.source.targets)
        error = expected_calibration_error(answers / temperature, self.targets)
        assert error is not None
        return temperature, error

    def loss(self, validation: Logits, answers: Logits) -> dict[str, Any]:
        """What a file with these answers loses against the float student."""
        finite = bool(np.isfinite(answers).all() and np.isfinite(validation).all())
        # Two one-sided bounds make up the 95 % interval that the table shows.
        drops = paired_drops(self.student, answers, self.targets, groups=self.groups, level=0.975)
        temperature, error = self.calibrated_error(validation, answers) if finite else (None, None)
        return {
            "images": len(self.targets),
            "max_logit_difference": float(np.abs(self.student - answers).max()) if finite else None,
            "flips": float((self.student.argmax(1) != answers.argmax(1)).mean()),
            "balanced_accuracy_drop": drops.balanced_accuracy_drop,
            "per_class": dict(zip(self.source.card.classes, drops.classes, strict=True)),
            "temperature": temperature,
            "ece": error,
            "ece_increase": None if error is None else error - self.student_error,
        }


def _measured(run: Path, targets: Sequence[Target], options: argparse.Namespace) -> dict[str, Any]:
    """All results of one run."""
    source = load_source(run, options.data_root)
    exam = Exam(source, options.part)
    say(f"{_name(source)}: {len(exam.images)} {options.part} images")
    with tempfile.TemporaryDirectory(prefix="edgekd-") as folder:
        request = BuildRequest(
            model=run, targets=targets, out=Path(folder) / "out", data_root=options.data_root,
            all_rungs=True, observer=LineReporter(say),
        )  # fmt: skip
        named = load_policy(options.policy) if options.policy else None
        policy = named or policy_of_values(source.card.policy)
        outcomes = _outcomes(request, policy, source.card.classes)
        calibration = draw_calibration(
            source.split, source.pixels, images=request.calibration_images
        )
        context = BuildContext(
            source, calibration, Store(), Path(folder), request.out / "logs", request.observer
        )
        rows = [row for outcome in outcomes for row in _rows(outcome, context, exam)]
    return {
        "name": _name(source),
        "card": _card(source),
        "student": _student(exam),
        "auto": {outcome.target.name: _auto(outcome) for outcome in outcomes},
        "rows": rows,
    }


def _rows(outcome: Outcome, context: BuildContext, exam: Exam) -> Iterator[Row]:
    """A row for each rung of one target, also for those without a file."""
    rungs = outcome.bundle.rungs
    judged = [_variant(rung) for rung in rungs if rung.gate is not None]
    files = [
        one
        for one in lower_variants(context, outcome.target.backend, judged)  # the store has them
        if not isinstance(one, Failed)
    ]
    answers = _answers(files, context, exam)
    times = _times(files, exam.images)
    by_label = {one.attempt.label: one for one in files}
    for rung in rungs:
        label = _variant(rung).label
        one = by_label.get(label)
        yield {
            "target": outcome.target.name,
            "backend": outcome.target.backend,
            "file": label,
            "critical_classes": not outcome.lacking,
            "verdict": _verdict(rung),
            "rung": rung,
            "loss": exam.loss(one.answers.outputs, answers[label].outputs) if one else None,
            "partitions": one.partitions if one else None,
            "latency": _latency(label, times),
        }


def _answers(files: Sequence[Measured], context: BuildContext, exam: Exam) -> dict[str, Answers]:
    """The files' answers to the exam's images, by label; kept in the store like all answers."""
    images = array_sha256(exam.images)
    found, missing = {}, []
    for one in files:
        kept = context.store.find_answers(one.attempt.key, images, THREADS)
        if kept is None:
            missing.append(one)
        else:
            found[one.attempt.label] = kept
    if not missing:
        return found
    backend, pixels = missing[0].attempt.backend, context.work / f"{exam.part}.npy"
    np.save(pixels, exam.images)
    job = TrialJob(
        session=backend.host_session,
        files={one.attempt.label: str(_model_file(one)) for one in missing},
        images=str(pixels),
        out=str(context.work / f"{backend.name}-{exam.part}"),
        threads=THREADS,
    )
    say(f"{backend.name}: {', '.join(job.files)} on {exam.part} images")
    new = try_files(job, log=context.logs / backend.name / f"run-{exam.part}.log")
    for one in missing:
        context.store.keep_answers(one.attempt.key, images, THREADS, new[one.attempt.label])
    return found | new


def _model_file(one: Measured) -> Path:
    return one.checked.lowered.model_file


def _times(files: Sequence[Measured], images: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of every file in every turn [TURNS], by label.

    Each file runs an image twice and the second is timed: on a device a file finds its weights
    in the processor's cache, which here holds those of the file before. Empty where the device's
    engine is not the host's.
    """
    files = [one for one in files if one.attempt.backend.completion == "complete"]
    taken = np.empty((WARM_UP + TURNS, len(files)))
    rng = np.random.default_rng(0)
    with ExitStack() as stack:
        sessions = [
            stack.enter_context(
                closing(
                    open_session(
                        one.attempt.backend.host_session, _model_file(one), threads=THREADS
                    )
                )
            )
            for one in files
        ]
        for turn in range(len(taken)):
            image = np.array(images[turn % len(images)][None])
            for place in rng.permutation(len(files)):
                sessions[place].run(image)
                start = time.perf_counter_ns()
                sessions[place].run(image)
                taken[turn, place] = time.perf_counter_ns() - start
    columns = taken[WARM_UP:].T / 1e6
    return {one.attempt.label: column for one, column in zip(files, columns, strict=True)}


def _latency(label: str, times: dict[str, NDArray[np.float64]]) -> dict[str, Any] | None:
    """Median milliseconds, and median and quartiles of the ratio to fp32; None if not timed."""
    if label not in times:
        return None
    own, base = times[label], times.get("fp32")
    quartiles = None if base is None else np.percentile(own / base, [25, 50, 75]).tolist()
    return {
        "milliseconds": float(np.median(own)),
        "ratio": quartiles[1] if quartiles else None,
        "ratio_quartiles": quartiles,
    }


# ---- reporting ----


def _result(
    arguments: list[str] | None, options: argparse.Namespace, runs: list[dict[str, Any]]
) -> dict[str, Any]:
    command = [Path(__file__).name, *(sys.argv[1:] if arguments is None else arguments)]
    about = {"command": shlex.join(command), "part": options.part, "threads": THREADS}
    return {**about, "warm_up": WARM_UP, "turns": TURNS, "machine": local_facts(), "runs": runs}


def _name(source: Source) -> str:
    folder = source.folder.absolute()
    return folder.parent.name if folder.name == "student" else folder.name


def _card(source: Source) -> dict[str, Any]:
    card = source.card
    return {
        "arch": card.arch,
        "arch_options": card.arch_options,
        "method": card.training.method,
        "pretrained": Path(card.pretrained).name,
        "params": card.params,
        "macs": card.macs,
        "image_size": card.image_size,
        "data": card.data.name,
        "images": card.data.images,
        "data_sha256": card.data.sha256,
        "weights_sha256": card.weights_sha256,
        "epochs": card.training.epochs,
    }


def _student(exam: Exam) -> dict[str, Any]:
    """The float student's own metrics on the exam's images, with its temperature."""
    temperature, _ = exam.calibrated_error(exam.source.outputs, exam.student)
    classes = exam.source.card.classes
    metrics = metrics_of(exam.student / temperature, exam.targets, classes, groups=exam.groups)
    return {
        "part": exam.part,
        "images": len(exam.targets),
        "temperature": temperature,
        "metrics": metrics,
    }


def _auto(outcome: Outcome) -> dict[str, Any]:
    return {
        "backend": outcome.target.backend,
        "taken": None if outcome.lacking else outcome.taken,
        "taken_without_critical": outcome.taken if outcome.lacking else None,
        "lacking": outcome.lacking,
        "refused": outcome.bundle.refused,
    }


def _verdict(rung: Rung) -> str:
    """The outcome of a rung in a few words."""
    if rung.gate is None or len(rung.gate.reasons) < 2:
        return verdict_of(rung)
    return f"refused: {rung.gate.reasons[0]} (and {len(rung.gate.reasons) - 1} more)"


_MARK = r"\*"
_COLUMNS = (
    "backend", "file", "MB", "max logit difference", "flips", "BACC drop", "ECE − student's",
    "pieces", "time / fp32", "gate",
)  # fmt: skip


def _markdown(run: dict[str, Any]) -> str:
    """Heading, the student, the table, and the rung that each ladder takes."""
    card, student = run["card"], run["student"]
    metrics = student["metrics"]
    lines = [
        f"### {run['name']}",
        "",
        f"{card['arch']}, {card['params'] / 1e6:.2f} M parameters, {card['image_size']} px, "
        f"method {card['method']}, {card['data']}. Float student on {student['images']} "
        f"{student['part']} images: balanced accuracy "
        f"{_estimate(metrics.balanced_accuracy)} %, "
        f"ECE {_number(metrics.ece.value, '.3f')}. Losses on the same images, drops in "
        "points with the paired 95 % interval; the gate's verdict is on validation images.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        f"|---|---|{'---:|' * (len(_COLUMNS) - 3)}---|",
        *(f"| {' | '.join(_cells(row))} |" for row in run["rows"]),
        "",
        f"`auto` takes: {'; '.join(_taken(name, auto) for name, auto in run['auto'].items())}.",
        *(f"\n{note}" for note in _notes(run["auto"])),
    ]
    return "\n".join(lines)


def _cells(row: Row) -> Iterator[str]:
    loss, latency = row["loss"] or {}, row["latency"] or {}
    flips, drop = loss.get("flips"), loss.get("balanced_accuracy_drop")
    yield row["backend"]
    yield row["file"]
    yield _number(row["rung"].size_bytes / 1e6 or None, ".2f")
    yield _number(loss.get("max_logit_difference"), ".3g")
    yield _number(flips, ".2%")
    yield _estimate(drop) if drop else "–"
    yield _number(loss.get("ece_increase"), "+.3f")
    yield _number(row["partitions"], "d")
    yield _number(latency.get("ratio"), ".2f")
    verdict = " ".join(row["verdict"].replace("|", r"\|").split())
    yield verdict if row["critical_classes"] else f"{verdict}{_MARK}"


def _taken(name: str, auto: dict[str, Any]) -> str:
    if auto["taken"]:
        return f"{name} {auto['taken']}"
    if auto["lacking"]:
        return f"{name} nothing ({auto['taken_without_critical'] or 'nothing'}{_MARK})"
    return f"{name} nothing ({'; '.join(auto['refused'])})"


def _notes(autos: dict[str, dict[str, Any]]) -> Iterator[str]:
    """What the mark in the table means, once for each cause."""
    for lacking in dict.fromkeys(auto["lacking"] for auto in autos.values() if auto["lacking"]):
        names = ", ".join(name for name, auto in autos.items() if auto["lacking"] == lacking)
        yield f"{_MARK} As if {names} had no critical class: {'; '.join(lacking)}."


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _estimate(share: Estimate) -> str:
    """A share in per cent or points, with its interval."""
    if share.value is None:
        return "–"
    value = f"{100 * share.value:.1f}"
    if share.low is None or share.high is None:
        return value
    return f"{value} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


if __name__ == "__main__":
    sys.exit(main())
