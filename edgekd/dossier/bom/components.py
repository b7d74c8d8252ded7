"""Components of a bill: the model, its files and data, what lowered and what runs it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from typing import TYPE_CHECKING

from edgekd.bundle import FileEntry, Manifest
from edgekd.dossier.bom.licences import licence_of, licence_of_package
from edgekd.extensions.backends import BACKENDS, backend_named

if TYPE_CHECKING:
    from cyclonedx.model import HashType, Property
    from cyclonedx.model.component import Component, ComponentScope

__all__ = ["DATA", "MODEL", "data_set", "files", "lowering_tools", "model", "runtime"]

MODEL, DATA = "model", "data"
"""References of these components within the bill."""


def model(manifest: Manifest, sha256: str) -> Component:
    """The model; its hash is that of the file which the engine opens."""
    from cyclonedx.model.component import Component, ComponentType

    licence = licence_of(manifest.licences.get("weights", ""))
    lowering = manifest.lowering
    return Component(
        name=f"{manifest.model.name} {lowering.target} {lowering.precision}",
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=MODEL,
        version=sha256[:12],
        description=manifest.description or None,
        hashes=[_sha256(manifest.files[manifest.model_file])],
        licenses=[licence] if licence else [],
        properties=[_property("bundle-sha256", sha256)],
    )


def data_set(manifest: Manifest) -> Component:
    """The data that it was trained and judged on."""
    from cyclonedx.model.component import Component, ComponentType

    licence = licence_of(manifest.licences.get("data", ""))
    sha256 = manifest.lineage.data_sha256
    return Component(
        name=manifest.data_source.partition(". ")[0] or "data set",
        type=ComponentType.DATA,
        bom_ref=DATA,
        description=manifest.data_source or None,
        licenses=[licence] if licence else [],
        properties=[_property("split-sha256", sha256)] if sha256 else [],
    )


def files(manifest: Manifest) -> Iterator[Component]:
    """Every file that the manifest lists."""
    from cyclonedx.model.component import Component, ComponentType

    for name, entry in manifest.files.items():
        yield Component(
            name=name, type=ComponentType.FILE, bom_ref=f"file:{name}", hashes=[_sha256(entry)]
        )


def lowering_tools(manifest: Manifest) -> Iterator[Component]:
    """What lowered the file; it is not needed to run it, which CycloneDX calls excluded."""
    from cyclonedx.model.component import ComponentScope

    tools = {"edgekd": manifest.version} | manifest.lowering.tools
    for name, version in tools.items():
        yield _package(name, version, "lowering", ComponentScope.EXCLUDED)


def runtime(manifest: Manifest, *, installed: bool) -> Iterator[Component]:
    """What a device needs to run the bundle: edgekd's own requirements and the engine.

    Args:
        manifest: The bundle's manifest.
        installed: Take the versions installed on this machine, and leave out what is not.
            Otherwise they are left open: the device's are not known, and what is required is a
            property.
    """
    from cyclonedx.model.component import ComponentScope

    for name, line in _requirements(manifest).items():
        version = _installed_version(name) if installed else None
        if installed and version is None:
            continue
        requirement, _, condition = (part.strip() for part in line.partition(";"))
        scope = ComponentScope.OPTIONAL if condition else ComponentScope.REQUIRED
        yield _package(name, version, "device-runtime", scope, requirement)


def _requirements(manifest: Manifest) -> dict[str, str]:
    """Requirements of the device by package: edgekd's own and the engine's, no other extra's."""
    needed = {"edgekd": "edgekd"}
    needed |= {_name_of(line): line for line in _requires() if "extra ==" not in line}
    backend = manifest.lowering.backend
    if backend in BACKENDS:
        engine = backend_named(backend).engine.distributions[0]
        lines = (line.partition(";")[0] for line in _requires() if _name_of(line) == engine)
        needed[engine] = next(lines, engine)
    return needed


def _requires() -> list[str]:
    try:
        return metadata.requires("edgekd") or []
    except metadata.PackageNotFoundError:  # it runs from a folder that nobody installed
        return []


def _name_of(requirement: str) -> str:
    name = re.match(r"[\w.-]+", requirement)
    return name[0] if name else requirement


def _installed_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _package(
    name: str, version: str | None, role: str, scope: ComponentScope, requirement: str = ""
) -> Component:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    licence = licence_of_package(name, version) if version else None
    properties = [_property("role", role)]
    if requirement:
        properties.append(_property("requirement", requirement))
    return Component(
        name=name,
        type=ComponentType.LIBRARY,
        bom_ref=f"{role}:{name}",
        version=version,
        purl=PackageURL("pypi", None, name, version),
        scope=scope,
        licenses=[licence] if licence else [],
        properties=properties,
    )


def _sha256(entry: FileEntry) -> HashType:
    from cyclonedx.model import HashAlgorithm, HashType

    return HashType(alg=HashAlgorithm.SHA_256, content=entry.sha256)


def _property(name: str, value: str) -> Property:
    from cyclonedx.model import Property

    return Property(name=f"edgekd:{name}", value=value)
