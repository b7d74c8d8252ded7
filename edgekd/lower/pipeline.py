"""Attempts of the precision ladder: lowered, checked, and run on the validation images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from edgekd.errors import MissingDependencyError
from edgekd.lower.attempt import Attempt, Checked, Failed, Lowered, Measured
from edgekd.lower.backends.base import CheckedBackend, UnconvertibleError
from edgekd.lower.context import BuildContext, saved_array
from edgekd.lower.jobs.conversion import ConversionJob, convert
from edgekd.lower.jobs.process import DISK_FULL, JobError
from edgekd.lower.jobs.trial import Answers, TrialJob, try_files
from edgekd.lower.precision import Variant

__all__ = ["lower_variants"]

TRIAL_THREADS = 1
"""Threads of the engine in trials; one everywhere, so that times of rungs are comparable."""


def lower_variants(
    context: BuildContext, backend: str, variants: Sequence[Variant]
) -> list[Measured | Failed]:
    """Lower the student for one backend to each variant, and run every file.

    Results that the store holds are reused. A variant that fails does not stop the others.

    Raises:
        InputError: There is no such backend.
        JobError: A tool is not installed, or the disk is full: every variant would fail.
    """
    attempts = [context.attempt(backend, variant) for variant in variants]
    lowered = _lower(context, attempts)
    checked = [one if isinstance(one, Failed) else _check(context, one) for one in lowered]
    _report_unchecked(context, checked)
    return _run(context, checked)


# ---- lowering ----


def _lower(context: BuildContext, attempts: Sequence[Attempt]) -> list[Lowered | Failed]:
    """Lower the attempts whose files the store lacks."""
    missing = {one.label: one for one in attempts if context.store.find(one.key) is None}
    for one in missing.values():
        context.observer.state(one.backend.name, one.label, "waiting")
    errors = _together_or_alone(
        lambda labels: _convert(context, [missing[label] for label in labels]), list(missing)
    )
    return [_lowered(context, one, errors) for one in attempts]


def _lowered(
    context: BuildContext, attempt: Attempt, errors: Mapping[str, JobError]
) -> Lowered | Failed:
    if attempt.label in errors:
        return Failed.by_job(attempt, "lowering", errors[attempt.label])
    made = context.store.find(attempt.key)
    if made is None:
        return Failed(attempt, "lowering", "its files are gone from the cache")
    return Lowered(attempt, made)


def _convert(context: BuildContext, attempts: Sequence[Attempt]) -> None:
    backend = attempts[0].backend.name
    name = "+".join(one.label for one in attempts)
    out = context.work / backend / name
    job = ConversionJob(
        backend=backend,
        variants=tuple(one.variant for one in attempts),
        checkpoint=str(context.source.folder),
        calibration=_calibration_file(context),
        ranges={
            one.label: str(context.ranges[backend, one.variant])
            for one in attempts
            if (backend, one.variant) in context.ranges
        },
        out=str(out),
        threads=context.threads,
        features=context.features,
        trained_in_int8=context.quantisation_aware,
    )
    report = convert(
        job,
        log=context.logs / backend / f"lower-{name}.log",
        report=lambda label: context.observer.state(backend, label, "lowering"),
    )
    for one, conversion in zip(attempts, report.conversions, strict=True):
        context.store.keep(one.key, out / conversion.variant.label, conversion.versions)


def _calibration_file(context: BuildContext) -> str | None:
    calibration = context.calibration
    if calibration is None:
        return None
    file = context.work / f"{calibration.sha256[:16]}.npy"
    return str(saved_array(file, lambda: calibration.images))


# ---- checking ----


def _check(context: BuildContext, lowered: Lowered) -> Checked | Failed:
    """Check whether the device's engine would refuse the file, if the backend can do so here."""
    attempt, backend = lowered.attempt, lowered.attempt.backend
    if not isinstance(backend, CheckedBackend):
        return Checked(lowered, None)
    check = context.store.find_check(attempt.key, backend.checkers())
    if check is None:
        context.observer.state(backend.name, attempt.label, "checking")
        log = context.logs / backend.name / f"check-{attempt.label}.log"
        check = backend.check(lowered.model_file, log)
        if check.capabilities:  # else a tool is missing or crashed, which may change
            context.store.keep_check(attempt.key, backend.checkers(), check)
    if check.status != "refused":
        return Checked(lowered, check)
    context.observer.state(backend.name, attempt.label, "refused")
    failure = f"{check.summary}: {'; '.join(check.findings)}"
    return Failed(attempt, "checking", failure, made=lowered.made)


def _report_unchecked(context: BuildContext, attempts: Iterable[Checked | Failed]) -> None:
    """Report, once for all, that bundles are built although their files were not checked."""
    for one in attempts:
        check = one.check if isinstance(one, Checked) else None
        if check is not None and check.status == "not checked":
            context.observer.line(f"{one.attempt.backend.name}: {check.summary}")
            return


# ---- running ----


def _run(context: BuildContext, attempts: Sequence[Checked | Failed]) -> list[Measured | Failed]:
    """Run the files whose outputs the store lacks."""
    waiting = {
        one.attempt.label: one.lowered
        for one in attempts
        if isinstance(one, Checked) and _find_answers(context, one.attempt) is None
    }
    errors = _together_or_alone(
        lambda labels: _try(context, [waiting[label] for label in labels]), list(waiting)
    )
    return [one if isinstance(one, Failed) else _measured(context, one, errors) for one in attempts]


def _measured(
    context: BuildContext, checked: Checked, errors: Mapping[str, JobError]
) -> Measured | Failed:
    attempt, made = checked.attempt, checked.lowered.made
    if attempt.label in errors:
        return Failed.by_job(attempt, "running", errors[attempt.label], made)
    answers = _find_answers(context, attempt)
    if answers is None:
        return Failed(attempt, "running", "its outputs are gone from the cache", made=made)
    return Measured(checked, answers)


def _find_answers(context: BuildContext, attempt: Attempt) -> Answers | None:
    return context.store.find_answers(attempt.key, context.source.images_sha256, TRIAL_THREADS)


def _try(context: BuildContext, files: Sequence[Lowered]) -> None:
    backend = files[0].attempt.backend
    by_label = {one.attempt.label: one for one in files}

    def report(text: str) -> None:
        label, _, progress = text.partition(" ")
        context.observer.state(backend.name, label, f"running {progress}")

    job = TrialJob(
        session=backend.host_session,
        files={label: str(one.model_file) for label, one in by_label.items()},
        images=str(context.validation_file()),
        out=str(context.work / f"{backend.name}-answers"),
        threads=TRIAL_THREADS,
    )
    log = context.logs / backend.name / f"run-{'+'.join(by_label)}.log"
    answers = try_files(job, log=log, report=report)
    for label, one in by_label.items():
        images = context.source.images_sha256
        context.store.keep_answers(one.attempt.key, images, TRIAL_THREADS, answers[label])
        context.observer.state(backend.name, label, "ran")


def _together_or_alone(
    work: Callable[[Sequence[str]], None], labels: Sequence[str]
) -> dict[str, JobError]:
    """Run all labels in one process; where that fails, each in a process of its own.

    A network that cannot be converted at all fails for all labels at once.

    Returns:
        Errors by label.

    Raises:
        JobError: A tool is missing or the disk is full, which would stop every one.
    """
    if not labels:
        return {}
    try:
        work(labels)
    except JobError as error:
        if error.exit_code == MissingDependencyError.exit_code or error.kind == DISK_FULL:
            raise
        if len(labels) == 1 or error.kind == UnconvertibleError.__name__:
            return dict.fromkeys(labels, error)
    else:
        return {}
    errors: dict[str, JobError] = {}
    for label in labels:
        errors |= _together_or_alone(work, [label])
    return errors
