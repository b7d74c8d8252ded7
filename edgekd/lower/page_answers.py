"""Files of a target whose bundles run in a page: Chromium answers for the gate.

Python's engine and the page's are two builds of one, and give the same int8 outputs on this
machine; that they do is shown here for every file instead of being taken for granted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgekd.errors import EdgekdError, MissingDependencyError
from edgekd.lower.attempt import Failed, Measured
from edgekd.lower.context import BuildContext
from edgekd.lower.jobs.trial import Answers
from edgekd.lower.pipeline import TRIAL_THREADS
from edgekd.page.chromium import ChromiumError
from edgekd.page.runner import page_identity, run_model
from edgekd.targets import Target

__all__ = ["answered_for"]


def answered_for(
    context: BuildContext,
    target: Target,
    ladder: Sequence[str],
    attempts: Sequence[Measured | Failed],
) -> list[Measured | Failed]:
    """The attempts on a target's ladder, with the outputs and times of its own runtime.

    That is the page for browsers. Where there is no Chromium, or no page is built, the outputs of
    the backend's engine stay, and one line gives the reason.
    """
    on_ladder = [one for one in attempts if one.attempt.variant.precision in ladder]
    measured = [one for one in on_ladder if isinstance(one, Measured)]
    if not target.page or not measured:
        return on_ladder
    try:
        identity = page_identity()
    except (MissingDependencyError, ChromiumError) as error:
        engine = measured[0].attempt.backend.name
        hint = f" ({error.hint})" if isinstance(error, MissingDependencyError) else ""
        context.observer.line(f"{target.name}: {engine} of this host answers: {error}{hint}")
        return on_ladder
    return [
        one if isinstance(one, Failed) else _answered(context, one, identity) for one in on_ladder
    ]


def _answered(context: BuildContext, measured: Measured, identity: str) -> Measured | Failed:
    """The file with the page's outputs, of an earlier build or of now."""
    images = f"{context.source.images_sha256} {identity}"
    answers = context.store.find_answers(measured.attempt.key, images, TRIAL_THREADS)
    if answers is None:
        try:
            answers = _run(context, measured)
        except (ChromiumError, EdgekdError) as error:
            return Failed(measured.attempt, "running", f"in Chromium: {error}", made=measured.made)
        context.store.keep_answers(measured.attempt.key, images, TRIAL_THREADS, answers)
    return replace(measured, answers=answers)


def _run(context: BuildContext, measured: Measured) -> Answers:
    attempt, images = measured.attempt, context.source.images
    backend = attempt.backend

    def report(done: int) -> None:
        context.observer.state(backend.name, attempt.label, f"in Chromium {done}/{len(images)}")

    with run_model(backend.name) as runner:
        opened = runner.open_model(
            backend.name, measured.checked.lowered.model_file, threads=TRIAL_THREADS
        )
        outputs, milliseconds = runner.outputs(images, report)
    shape = (len(images), *opened.output_shape[1:])
    context.observer.state(backend.name, attempt.label, "ran in Chromium")
    return Answers(outputs.reshape(shape), milliseconds, opened.facts)
