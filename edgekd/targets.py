"""Targets: what a device is, which backend lowers for it, and what a lowered file may lose.

A target is a folder with a `target.toml`: edgekd's own in `targets/`, third parties' through
entry points of the group `edgekd.targets` (each a path of such a folder).
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edgekd.errors import InputError
from edgekd.resources import target_folders

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["DecisionRule", "GateLimits", "Target", "load_target", "resolve_targets", "target_names"]

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
CriticalLimit = Annotated[float, Meta(gt=0.0, le=1.0)]


class GateLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a lowered file may lose against the float student, on validation images.

    Where a limit is one of evidence, the upper one-sided 95 % bound of the loss must keep it: a
    loss that cannot be excluded counts as one.

    Attributes:
        max_flips: Share of images whose top class may change.
        max_balanced_accuracy_drop: Of evidence; in units of balanced accuracy (0.01 is a point).
        max_sensitivity_drop: As measured; of the sensitivity for each class that is not critical.
            A class of so few images that one is more than this may lose one.
        max_ece_increase: As measured; of the expected calibration error, each with its own
            temperature.
        min_images: With fewer there is no evidence, and the gate fails.
    """

    max_flips: Share
    max_balanced_accuracy_drop: Share
    max_sensitivity_drop: Share
    max_ece_increase: Share
    min_images: Annotated[int, Meta(ge=1)] = 50


class DecisionRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of the decision, which is fitted to each lowered file.

    Attributes:
        refer_coverage: Share of validation images that shall get an answer; the least certain
            rest is referred.
        refer_sensitivity: Instead: the sensitivity for every critical class that the answers
            shall have; what is less certain is referred.
        critical_sensitivity: Share of the images of a critical class in which it shall be noticed:
            answered, or the patient referred because it cannot be excluded. 0 asks for nothing.
        conformal_coverage: Share of images whose true class shall be in the conformal set.
        energy_kept: Share of validation images that count as of the kind that was learnt.
        capture_kept: Share of validation images that are good enough photos; what is worse in
            sharpness, light, glare, contrast, place or looks is to be taken again. 0 lets every
            photo pass.
    """

    refer_coverage: Share = 1.0
    refer_sensitivity: Share | None = None
    critical_sensitivity: Share = 0.0
    conformal_coverage: Share = 0.9
    energy_kept: Share = 0.98
    capture_kept: Share = 0.985


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of device.

    Attributes:
        name: As on the command line.
        title: For people.
        backend: The lowering backend.
        extra: The extra of edgekd that the device installs.
        any_computer: Whether every computer is such a device, this one too.
        ladder: Precisions that `--precision auto` tries, in this order; the first that passes the
            gate is taken.
        critical: Classes whose loss harms most, whatever their case, each with a limit of
            evidence for the sensitivity that it may lose; a model has some of them. A limit of L
            needs log 0.05 / log(1 − L) independent images of the class, 59 for 5 points: with
            fewer even a file that loses none of them may lose more (Clopper, Pearson 1934).
        gate: What a lowered file may lose besides, in any precision.
        decision: What is asked of the decision.
    """

    name: str
    title: str
    backend: str
    extra: str
    any_computer: bool = False
    ladder: Annotated[tuple[str, ...], Meta(min_length=1)]
    critical: dict[str, CriticalLimit] = {}
    gate: GateLimits
    decision: DecisionRule = DecisionRule()

    def critical_of(self, classes: Sequence[str]) -> dict[str, float]:
        """The critical ones of a model's classes with their limits, in the model's order."""
        limits = self._critical_limits()
        found = {name: limits.get(name.casefold()) for name in classes}
        return {name: limit for name, limit in found.items() if limit is not None}

    def _critical_limits(self) -> dict[str, float]:
        return {name.casefold(): limit for name, limit in self.critical.items()}

    def tightened(self, gate: dict[str, float], critical: dict[str, float]) -> Target:
        """This target with stricter limits, and with further critical classes.

        Raises:
            InputError: There is no such limit, or a value would loosen one.
        """
        own = msgspec.structs.asdict(self.gate)
        for name, value in gate.items():
            if name not in own:
                raise InputError(f"there is no limit {name!r}", f"known: {', '.join(own)}")
            _refuse_looser(name, value, own[name], least=name.startswith("min_"))
        limits = self._critical_limits()
        for name, value in critical.items():
            _refuse_looser(name, value, limits.get(name.casefold(), 1.0))
        raw = msgspec.to_builtins(self) | {"gate": own | gate}
        raw["critical"] = limits | {name.casefold(): value for name, value in critical.items()}
        try:
            return msgspec.convert(raw, Target, strict=False)
        except msgspec.ValidationError as error:
            raise InputError(f"the limits are wrong: {error}", "shares lie in 0…1") from error


def _refuse_looser(name: str, value: float, own: float, *, least: bool = False) -> None:
    if value < own if least else value > own:
        message = f"{name}={value:g} is looser than the target's {own:g}"
        raise InputError(message, "looser limits belong in a target.toml of your own")


def target_names() -> list[str]:
    """Names of all targets."""
    return sorted(_places())


def load_target(name: str) -> Target:
    """A target by name.

    Raises:
        InputError: There is no such target, its `target.toml` is wrong, or a third party's is not
            to be had.
    """
    known = _places()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"there is no target {name!r}", f"{hint}known: {', '.join(known)}")
    file = _folder(known[name]) / "target.toml"
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
        return msgspec.convert(raw, Target)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InputError(f"the target {file} is wrong: {error}", "correct it") from error


def resolve_targets(names: str, broken: dict[str, InputError] | None = None) -> list[Target]:
    """The targets of a comma-separated list, or of `all`.

    Args:
        names: The list.
        broken: Gets why a target of `all` cannot be used; without it such a target is an error.

    Raises:
        InputError: One of them is unknown, or cannot be used.
    """
    if names != "all":
        wanted = dict.fromkeys(part.strip() for part in names.split(","))
        return [load_target(name) for name in wanted]
    found = []
    for name in target_names():
        try:
            found.append(load_target(name))
        except InputError as error:
            if broken is None:
                raise
            broken[name] = error
    return found


def _places() -> dict[str, Path | EntryPoint]:
    """Every target's folder, or the entry point that knows it: nothing of it is imported here."""
    places: dict[str, Path | EntryPoint] = {folder.name: folder for folder in target_folders()}
    return places | {point.name: point for point in entry_points(group="edgekd.targets")}


def _folder(place: Path | EntryPoint) -> Path:
    if isinstance(place, Path):
        return place
    owner = f"{place.dist.name} {place.dist.version}" if place.dist else place.value
    try:
        return Path(place.load())
    except Exception as error:
        message = f"the target {place.name} of {owner} cannot be loaded: {error!r}"
        hint = f"install another version of {owner.split()[0]}, or uninstall it"
        raise InputError(message, hint) from error
