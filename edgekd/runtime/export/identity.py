"""What made a prediction: the bundle with its hash, and the versions of what runs it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import edgekd
from edgekd.runtime.classifier import Classifier

__all__ = ["DeviceIdentity"]


@dataclass(frozen=True)
class DeviceIdentity:
    """The device as a report names it: a classifier is software, wherever it runs.

    Attributes:
        name: Network, target and precision of the bundle.
        sha256: Hash of the bundle (see `Bundle.sha256`).
        edgekd: Version of edgekd that ran it.
        built_by: Version of edgekd that built it.
        engine: The engine with its version.
        intended_use: The bundle's own text.
        limits: The bundle's own text.
        warnings: Sentences that have to be shown with every answer: floors that are not met.
        udi: Unique device identifier, in the form for people; None until someone puts the device
            into service and has one.
        manufacturer: Who puts it into service; None where nobody has.
    """

    name: str
    sha256: str
    edgekd: str
    built_by: str
    engine: str
    intended_use: str = ""
    limits: str = ""
    warnings: tuple[str, ...] = ()
    udi: str | None = None
    manufacturer: str | None = None

    @classmethod
    def of(
        cls, classifier: Classifier, *, udi: str | None = None, manufacturer: str | None = None
    ) -> DeviceIdentity:
        """The identity of an opened classifier."""
        manifest = classifier.manifest
        lowering = manifest.lowering
        return cls(
            name=f"{manifest.model.name} {lowering.target} {lowering.precision}",
            sha256=classifier.bundle_sha256,
            edgekd=edgekd.__version__,
            built_by=manifest.version,
            engine=str(classifier.facts.get("engine", lowering.backend)),
            intended_use=manifest.intended_use,
            limits=manifest.limits,
            warnings=manifest.policy.warnings if manifest.policy else (),
            udi=udi,
            manufacturer=manufacturer,
        )

    @property
    def uid(self) -> str:
        """A DICOM UID that is the same for the same bundle (PS3.5, B.2: derived of a UUID)."""
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, self.sha256).int}"
