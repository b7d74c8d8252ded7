"""What differs between two bundles, by area: data, model, method, lowering, decision, policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from edgekd.bundle import Manifest

__all__ = ["AREAS", "Change", "area_of", "changes_between", "figures_of_manifest"]

AREAS: Mapping[str, tuple[str, ...]] = {
    "data": (
        "data", "data_source", "lineage.data_sha256", "licences.data",
    ),
    "model": ("task", "model", "network_data_format"),
    "method": (
        "lineage.method", "lineage.recipe_sha256", "lineage.seed", "lineage.teacher",
        "lineage.git_revision", "version", "licences.weights",
    ),
    "lowering": ("lowering", "certificate", "reference", "features"),
    "decision": ("decision", "capture", "head"),
    "policy": ("policy",),
    "texts": ("description", "intended_use", "limits"),
}  # fmt: skip
"""Fields of the manifest by area. Whatever is in none of them is of the area `other`."""

_OUTCOMES = (
    "format_version", "metrics", "files", "model_file", "lowering.rungs", "lowering.build_key",
    "lowering.evidence_sha256", "lowering.layer_sensitivity", "lowering.tried",
    "lowering.engine.gate", "lowering.engine.seconds", "lowering.engine.size_bytes",
    "lowering.engine.latency_ms", "lowering.engine.selftest_difference", "lowering.program.images",
    "lowering.program.max_difference", "policy.floors", "policy.teacher", "decision.fitted_on",
)  # fmt: skip
"""What follows from a change, and is none: figures are compared by themselves."""

_LONGEST = 60


@dataclass(frozen=True)
class Change:
    """One field that differs.

    Attributes:
        area: One of `AREAS`, or `other`.
        field: Path of the field in the manifest, as `lineage.seed`.
        old: Its value before, as a short text.
        new: Its value now.
    """

    area: str
    field: str
    old: str
    new: str


def changes_between(old: Manifest, new: Manifest) -> list[Change]:
    """Every field of the manifests that differs, in the order of the areas.

    Where all of them are equal and the model's files are not, the file is a change of the method:
    other weights were trained.
    """
    before, now = (dict(_leaves(msgspec.to_builtins(each))) for each in (old, new))
    changes = [
        Change(area_of(field), field, _text(before.get(field)), _text(now.get(field)))
        for field in dict.fromkeys([*before, *now])
        if before.get(field) != now.get(field) and not _is_outcome(field)
    ]
    if not {"data", "model", "method", "lowering"} & {change.area for change in changes}:
        changes += _of_weights(old, new)
    order = [*AREAS, "other"]
    return sorted(changes, key=lambda change: order.index(change.area))


def area_of(field: str) -> str:
    """The area of a field of the manifest."""
    for area, prefixes in AREAS.items():
        if any(_is_below(field, prefix) for prefix in prefixes):
            return area
    return "other"


def figures_of_manifest(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """The estimates of the model file that a manifest has, by name; of its own validation part."""
    measured = manifest.metrics.get("artefact") or {}
    figures = {key: value for key, value in measured.items() if _is_estimate(value)}
    for name, values in (measured.get("per_class") or {}).items():
        figures |= {f"{key} of {name}": v for key, v in values.items() if _is_estimate(v)}
    outcome = manifest.metrics.get("decision") or {}
    figures |= {key: value for key, value in outcome.items() if _is_estimate(value)}
    for name, values in (outcome.get("per_class") or {}).items():
        figures |= {f"{key} of {name}": v for key, v in values.items() if _is_estimate(v)}
    return figures


def _is_estimate(value: Any) -> bool:
    return isinstance(value, dict) and "value" in value and value["value"] is not None


def _of_weights(old: Manifest, new: Manifest) -> Iterator[Change]:
    before, now = (
        each.files[each.model_file].sha256 if each.model_file in each.files else ""
        for each in (old, new)
    )
    if before != now:
        yield Change("method", "model_file", _text(before), _text(now))


def _is_outcome(field: str) -> bool:
    return any(_is_below(field, prefix) for prefix in _OUTCOMES)


def _is_below(field: str, prefix: str) -> bool:
    return field == prefix or field.startswith(f"{prefix}.")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of each field; a list is one value."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def _text(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 2]} …"
