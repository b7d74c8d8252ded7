"""Training one role of a recipe into its folder, or reusing what the folder has."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from edgekd.distill.methods import Method, resolve_method
from edgekd.distill.runs.record import Role, Trained, write_run
from edgekd.distill.runs.replacing import RunFacts, is_finished, loss_of, refuse_replacing
from edgekd.distill.runs.request import RunRequest
from edgekd.distill.runs.reuse import Left, left_in, refuse_folders, take_weights
from edgekd.distill.runs.roles import model_to_train, role_section
from edgekd.distill.runs.stage_runs import LOGS, STAGES, WORK, StageRuns
from edgekd.distill.runs.stages import drop_damaged_stages, flaws_of_stages
from edgekd.distill.runs.synthesised import write_synthesised
from edgekd.distill.runs.trial import context_of
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.teachers.group import Teachers
from edgekd.distill.teachers.serving import ServingPlan, setup_of
from edgekd.distill.training.fit import StageOutcome
from edgekd.distill.training.processes import barrier, is_rank_zero
from edgekd.locks import only_writer
from edgekd.models import (
    BuiltNetwork,
    FinishCard,
    ModelCard,
    NormalisedNetwork,
    build_network,
    classifier_of,
    count_params,
    read_card,
)
from edgekd.models.subclasses import start_even
from edgekd.policy import load_policy
from edgekd.recipe import FinishSection, RoleSection, fingerprint
from edgekd.runtime.preprocess import RULE
from edgekd.seals import SEAL, clear_place

__all__ = ["RoleRun", "refuse_busy"]


@dataclass
class _Made:
    """What training, or reusing weights, has given for a network.

    Attributes:
        outcome: History and best epoch.
        teaching: How the teachers' outputs were computed.
        finished: Record of the stage that finished the network for int8, or None.
    """

    outcome: StageOutcome
    teaching: dict[str, Any] = field(default_factory=dict)
    finished: FinishCard | None = None


@dataclass(frozen=True)
class RoleRun:
    """The training of one role.

    Attributes:
        request: The run.
        samples: Its images.
        role: The role.
        method: The method's section.
        teachers: Its teachers, or None.
        out: Folder of the network.
    """

    request: RunRequest
    samples: RunSamples
    role: Role
    method: dict[str, Any]
    teachers: Teachers | None
    out: Path

    def card(self) -> ModelCard:
        """Reuse the run that is there, or make it while no other process writes to its folder."""
        left = self._left()
        if left is None and is_finished(self.out):
            self._replace()
        if left is None or not left.whole or flaws_of_stages(self.out / STAGES):
            with _alone(self.out):
                left = self._cleared()
                if left is None or not left.whole:
                    return self._make(left)
        self._say(f"{self.out} is there already, from the same recipe and data; reused")
        return read_card(self.out)

    # What the weights depend on --------------------------------------------------------------

    @cached_property
    def _kind_and_config(self) -> tuple[type[Method], Any]:
        return resolve_method(self.method, self.request.recipe.task)

    @property
    def _section(self) -> RoleSection:
        return role_section(self.request.recipe, self.role)

    @property
    def _finishing(self) -> FinishSection | None:
        """The last stage of a student's training; a teacher has none."""
        return self.request.recipe.finish if self.role == "student" else None

    @property
    def _dependencies(self) -> tuple[Any, ...]:
        """Everything that the weights of a stage depend on, besides the stage itself."""
        recipe, samples = self.request.recipe, self.samples
        compiled = ("compiled",) if recipe.trainer.compile == "always" else ()
        kind, _ = self._kind_and_config
        unlabelled = (samples.unlabelled_sha256,) if kind.takes_unlabelled else ()
        return (
            recipe.task, recipe.seed, recipe.image_size, recipe.augment, recipe.trainer.precision,
            self.teachers.identity() if self.teachers else None,
            samples.split.sha256(), samples.content_sha256, RULE, *compiled,
            *unlabelled,
        )  # fmt: skip

    @property
    def _base(self) -> str:
        """Hash of what the weights of the method's last stage depend on."""
        kind, config = self._kind_and_config
        return fingerprint(self._dependencies, self._section, kind.name, config)

    @property
    def _key(self) -> str:
        """Hash of what the final weights depend on."""
        return fingerprint(self._base, self._finishing) if self._finishing else self._base

    # The folder ------------------------------------------------------------------------------

    def _replace(self) -> None:
        """Refuse to replace a finished run, unless the request demands it: then report the loss."""
        request = self.request
        if not request.replaces:
            kind, config = self._kind_and_config
            method = {"name": kind.name, **msgspec.to_builtins(config)}
            assert request.precision is not None  # pinned before any role runs
            facts = RunFacts(
                self.samples.split.sha256(),
                self.teachers.sha256 if self.teachers else None,
                request.precision.precision,
            )
            refuse_replacing(self.out, request.recipe, self.role, method, facts)
        self._say(loss_of(self.out))

    def _left(self) -> Left | None:
        policy = load_policy(self.request.recipe.policy)
        return left_in(self.out, self._key, policy) if self.request.resume else None

    def _cleared(self) -> Left | None:
        """What the folder has, once this process alone writes to it and damage is removed."""
        barrier()
        left = self._left()
        barrier()  # all processes have read the folder, which one changes now
        if is_rank_zero():
            self._clear()
        barrier()
        return left

    def _clear(self) -> None:
        if not self.request.resume:
            for name in (STAGES, WORK, LOGS):
                clear_place(self.out / name)
        if damage := drop_damaged_stages(self.out / STAGES):
            self._say(f"{damage}; removed, and made again when it is needed")

    # Making it -------------------------------------------------------------------------------

    def _make(self, left: Left | None) -> ModelCard:
        """Train the network, or take its weights where only other files are damaged; write it."""
        if left:
            again = "made again from its weights" if left.trained else "trained again"
            self._say(f"{left.damage}; {again}")
        _seed(self.request.recipe.seed)
        built = self._built()
        reused = left is not None and left.trained
        made = _weights_of(left, built) if left is not None and reused else self._train(built)
        barrier()  # all processes have read their weights from the folder, which is replaced now
        if is_rank_zero():
            write_run(self._trained(built, made), self.out, self.request.say)
            shutil.rmtree(self.out / WORK, ignore_errors=True)
        barrier()
        return read_card(self.out)

    def _built(self) -> BuiltNetwork:
        """The network, with an output for each subclass if it learns them, else the task's."""
        samples, of = self.samples, self._subclass_of
        model = model_to_train(self.request.recipe, self.role)
        built = build_network(model, len(of) or samples.task.outputs(samples.classes))
        if of:
            start_even(classifier_of(built.network), of)
        self._say(f"{model.arch}, {count_params(built.network) / 1e6:.2f} M parameters")
        for note in built.notes:
            self._say(note)
        return built

    @property
    def _subclasses(self) -> dict[str, tuple[str, ...]]:
        """Subclasses of each class, if the method learns them."""
        kind, _ = self._kind_and_config
        return self.samples.split.dataset.subclasses if kind.learns_subclasses else {}

    @property
    def _subclass_of(self) -> tuple[int, ...]:
        return self.samples.subclass_of if self._subclasses else ()

    def _train(self, built: BuiltNetwork) -> _Made:
        network, teaching = self._method_of(built)
        stages = StageRuns(
            self.request, self.samples, network, self.out, self._base, self._dependencies
        )
        outcome = stages.run(keep_last=self._finishing is not None)
        if is_rank_zero():
            write_synthesised(network, self.samples.classes, self.out, self._say)
        finished = stages.finish(self._finishing, self._key) if self._finishing else None
        return _Made(outcome, teaching, finished)

    def _method_of(self, built: BuiltNetwork) -> tuple[Method, dict[str, Any]]:
        """The method with its networks, and how its teachers' outputs are computed."""
        kind, config = self._kind_and_config
        context = context_of(self.request.recipe, self._section, self.samples)
        teaching: dict[str, Any] = {}
        if self.teachers:
            request = self.request
            plan = ServingPlan(request.recipe, self.samples, kind, config, request.tick)
            context = replace(context, teacher=setup_of(self.teachers, plan, request.say))
            teaching = self.teachers.provenance(context.teacher.engine)
        student = NormalisedNetwork(built.network, built.mean, built.std, self._subclass_of)
        teacher = self.teachers.network() if self.teachers else None
        method = kind(config, student, teacher, context)
        for note in method.notes():
            self._say(note)
        method.to(memory_format=torch.channels_last)
        return method, teaching

    def _trained(self, built: BuiltNetwork, made: _Made) -> Trained:
        kind, config = self._kind_and_config
        assert self.request.precision is not None  # pinned before anything is trained
        return Trained(
            recipe=self.request.recipe,
            samples=self.samples,
            role=self.role,
            model=model_to_train(self.request.recipe, self.role),
            built=built,
            method=kind.name,
            options=msgspec.to_builtins(config),
            outcome=made.outcome,
            teacher=self.teachers,
            teaching=made.teaching,
            key=self._key,
            precision=self.request.precision,
            subclasses=self._subclasses,
            evaluated=self.request.evaluated,
            finish=made.finished,
        )

    def _say(self, line: str) -> None:
        self.request.say(f"{self.role}: {line}")


def _weights_of(left: Left, built: BuiltNetwork) -> _Made:
    """The weights that are there, of a run whose other files are damaged."""
    assert left.card is not None
    outcome = take_weights(left, built.network)
    return _Made(outcome, left.card.training.teaching, left.card.training.finish)


def refuse_busy(*places: Path) -> None:
    """Refuse folders that cannot be written or that another process trains into.

    A finished run in a folder without write permission can still be reused.
    """
    for out in places:
        if not (out / SEAL).is_file() or os.access(out, os.W_OK):
            with _alone(out):
                pass


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep other runs out of a folder; process 0 holds its lock for all processes."""
    if not is_rank_zero():
        yield
        return
    refuse_folders(out)
    with only_writer(out, "trained"):
        yield


def _seed(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries that still draw from it
