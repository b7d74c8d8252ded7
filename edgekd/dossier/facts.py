"""What a dossier is made from: a bundle, the hospital's answers, and an external validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from edgekd.bundle import Bundle, Manifest, SignatureState
from edgekd.data.text import alike
from edgekd.dossier.guidelines import Evidence
from edgekd.errors import InputError
from edgekd.evaluation.document import (
    LeakFacts,
    ModelValidation,
    ValidatedResult,
    Validation,
)
from edgekd.evaluation.stored import with_section
from edgekd.lower.evidence.card import card_sections

__all__ = ["DossierFacts", "ExternalFacts", "external_facts"]

_REFERENCE = ("dx type", "diagnosis confirm type", "diagnosis type", "reference standard")
_ACQUISITION = (
    "camera", "device", "dermoscopic type", "image type", "manufacturer", "model", "modality",
    "dataset", "site", "centre", "center", "institution",
)  # fmt: skip
"""Names of attributes that say how a diagnosis was made, and how an image was; others are of the
patient."""


@dataclass(frozen=True)
class ExternalFacts:
    """An external validation of this very bundle.

    Attributes:
        result: The whole result, which may have other models too.
        section: Its section.
        model: What it says of this bundle.
        leaks: Whether its images are new to the bundle.
    """

    result: ValidatedResult
    section: Validation
    model: ModelValidation
    leaks: LeakFacts | None

    @property
    def external(self) -> bool:
        """Whether it was checked that no image was used to make the bundle, and none was."""
        return self.leaks is not None and self.leaks.state == "none"


@dataclass(frozen=True)
class DossierFacts:
    """The facts.

    Attributes:
        manifest: The bundle's manifest.
        sha256: Hash of the bundle.
        signature: State of its signature.
        answers: The hospital's answers by the key of their question.
        external: An external validation; None where none was given.
    """

    manifest: Manifest
    sha256: str
    signature: SignatureState
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    external: ExternalFacts | None = None

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        answers: Mapping[str, tuple[str, ...]],
        result: ValidatedResult | None = None,
    ) -> DossierFacts:
        """The facts of an opened bundle; see `external_facts` for errors."""
        external = None if result is None else external_facts(bundle, result)
        return cls(bundle.manifest, bundle.sha256, bundle.signature, answers, external)

    @cached_property
    def card(self) -> dict[str, list[str]]:
        """The sections of the bundle's card."""
        return card_sections(self.manifest)

    @property
    def attributes(self) -> list[str]:
        """Attributes of the images that the bundle has numbers of."""
        return self.manifest.data.attributes if self.manifest.data else []

    @property
    def of_reference(self) -> list[str]:
        """Those that say how a diagnosis was made."""
        return [name for name in self.attributes if alike(name) in _REFERENCE]

    @property
    def of_acquisition(self) -> list[str]:
        """Those that say how an image was made."""
        return [name for name in self.attributes if alike(name) in _ACQUISITION]

    @property
    def of_people(self) -> list[str]:
        """The others."""
        known = {*self.of_reference, *self.of_acquisition}
        return [name for name in self.attributes if name not in known]

    @cached_property
    def evidence(self) -> frozenset[Evidence]:
        """The kinds of evidence that there are."""
        external = self.external
        there: dict[Evidence, bool] = {
            "manifest": True,
            "people": bool(self.of_people),
            "reference": bool(self.of_reference),
            "validation": external is not None and external.external,
            "subgroups": external is not None and bool(external.model.gaps),
        }
        return frozenset(kind for kind, known in there.items() if known)


def external_facts(bundle: Bundle, result: ValidatedResult) -> ExternalFacts:
    """What an external validation says of a bundle.

    Raises:
        InputError: The result has no validation, or none of this bundle's model file.
    """
    pair = with_section(result)
    if pair is None:
        message = "the result has no external validation"
        raise InputError(message, "give the file of `edgekd eval --json`")
    _, section = pair
    sha256 = bundle.manifest.files[bundle.manifest.model_file].sha256
    rows = [index for index, row in enumerate(result.rows) if row.sha256 == sha256]
    if not rows:
        message = f"the result is of other models than {bundle.label}"
        raise InputError(message, "run `edgekd eval` on this bundle")
    model = section.models[rows[0]]
    leaks = next((each for each in section.leaks if each.model == model.name), None)
    return ExternalFacts(result, section, model, leaks)
