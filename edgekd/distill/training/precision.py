"""The precision of a run: which ones the machine could be faster in, and the choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from msgspec import Struct

from edgekd.distill.training.step_trial import Precision, StepSeconds, trial_steps
from edgekd.errors import InputError
from edgekd.recipe import TrainerSection

__all__ = [
    "PrecisionChoice",
    "candidates_of",
    "choose_precision",
    "device_of",
    "refuse_unsupported",
    "unmeasured_precision",
]

_WORTH = 0.95
"""Share of fp32's time that a lower precision may take at most, since it has less to give."""
_SHARE_OF_RUN = 0.05
"""Share of the steps of a run that a trial may have at most."""


class PrecisionChoice(Struct, frozen=True, kw_only=True):
    """The precision of a run, and why; kept as `precision.json`.

    Attributes:
        precision: `fp32`, `bf16` or `fp16`, networks under autocast in the latter two.
        teacher: The precision of the teacher's outputs, where it was measured apart; else None, and
            they are computed in that of the run.
        compiled: Whether the network that is trained is compiled by `torch.compile`.
        reason: Why, for people.
        seconds: Median seconds of the student's part of a step by precision; empty where nothing
            was measured.
        teacher_seconds: Median seconds of the teacher's part of a step by precision.
        device: The processor, or the accelerator, of the choice.
        networks: Hash of what the choice was made for; "" for a choice of the recipe.
    """

    precision: Precision
    reason: str
    teacher: Precision | None = None
    compiled: bool = False
    seconds: dict[str, float] = {}
    teacher_seconds: dict[str, float] = {}
    device: str = ""
    networks: str = ""


def choose_precision(
    section: TrainerSection,
    steps: int,
    measure: Callable[[Sequence[Precision]], Mapping[str, StepSeconds]],
) -> PrecisionChoice:
    """Choose the precision of a run whose recipe leaves it to the machine.

    Args:
        section: The machine.
        steps: Training steps of the whole run.
        measure: Gives the seconds of a step in each precision.
    """
    device = device_of(section)
    candidates, name = candidates_of(device), _name(device)
    if len(candidates) == 1:
        reason = "bf16 is not faster on a processor without instructions for it"
        return PrecisionChoice(precision="fp32", reason=reason, device=name)
    needed = round(trial_steps(len(candidates)) / _SHARE_OF_RUN)
    if steps < needed:
        reason = f"not measured: the run has {steps} steps, and a trial pays from {needed} on"
        return PrecisionChoice(precision=unmeasured_precision(section), reason=reason, device=name)
    return _chosen(measure(candidates), name)


def _chosen(measured: Mapping[str, StepSeconds], device: str) -> PrecisionChoice:
    """The faster precision of the student, and of the teachers where there are any."""
    seconds = {name: each.student for name, each in measured.items()}
    of_teachers = {name: each.teachers for name, each in measured.items() if each.teachers}
    texts = [f"student {_times(seconds)}"]
    if of_teachers:
        texts.append(f"teacher {_times(of_teachers)}")
    return PrecisionChoice(
        precision=_faster(seconds),
        teacher=_faster(of_teachers) if of_teachers else None,
        reason=f"measured a step: {'; '.join(texts)}",
        seconds=seconds,
        teacher_seconds=of_teachers,
        device=device,
    )


def _faster(seconds: Mapping[str, float]) -> Precision:
    """The lower precision, if it is faster than fp32 by more than the noise of such trials."""
    fp32, lower = seconds
    chosen = lower if seconds[lower] <= _WORTH * seconds[fp32] else fp32
    return cast("Precision", chosen)


def _times(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f} s" for name, value in seconds.items())


def device_of(section: TrainerSection) -> torch.device:
    """The kind of device that a run is trained on."""
    cuda = section.accelerator != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if cuda else "cpu")


def candidates_of(device: torch.device) -> tuple[Precision, ...]:
    """fp32, and the lower precision that may be faster on a device, if there is one.

    On accelerators without bfloat16 it is float16, whose gradients are scaled in training.
    """
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return ("fp32", "bf16") if native else ("fp32", "fp16")
    products = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return ("fp32", "bf16") if products else ("fp32",)


def refuse_unsupported(section: TrainerSection) -> None:
    """Refuse a precision in which the device of a run cannot train.

    Raises:
        InputError: float16 on a processor, where Lightning would take bfloat16 in its place.
    """
    if section.precision == "fp16" and device_of(section).type == "cpu":
        message = "a CPU does not train in fp16"
        raise InputError(message, "set `trainer.precision` to bf16 or fp32, or use a GPU")


def unmeasured_precision(section: TrainerSection) -> Precision:
    """The precision by the kind of processor alone.

    Among CPUs bf16 only on those with AMX: with AVX512-BF16 a step of EfficientNet-Lite0 took
    0.46 s in bf16 and 0.36 s in fp32 (128 px, batch 32, two cores of an EPYC).
    """
    if device_of(section).type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if torch.cpu._is_amx_tile_supported() else "fp32"


def _name(device: torch.device) -> str:
    """Name of the accelerator; for a processor its widest instructions."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"CPU with {torch.backends.cpu.get_cpu_capability()}"
