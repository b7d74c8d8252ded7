"""The provenance of a bundle: what it was built from and by, as a signed in-toto statement.

It stands in the bundle as `provenance.json`, beside the signature and like it not among the files
that the manifest lists: a DSSE envelope around a Statement v1 with SLSA's predicate. All of it is
taken from the manifest, so that it is the same every time; times of the build are not known.

Sources: in-toto Attestation Framework, Statement v1 and ResourceDescriptor v1; SLSA v1.1, Build
Provenance (predicate type `https://slsa.dev/provenance/v1`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from edgekd.bundle.dsse import read_envelope, seal
from edgekd.bundle.manifest import Manifest
from edgekd.bundle.reader import MANIFEST, PROVENANCE, Bundle
from edgekd.bundle.signature import PublicKey
from edgekd.errors import ArtefactError, InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    "BUILDER",
    "ProvenanceState",
    "check_provenance",
    "signed_provenance",
    "statement_of",
]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT, PREDICATE = "https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:edgekd:build:v1"
BUILDER = "urn:edgekd:builder:local"
"""The builder where nobody names another: `edgekd build` on a machine of who signs, not isolated
from them, as of SLSA's build level 1."""
MAX_BYTES = 1 << 20

ProvenanceState = Literal["none", "not checked", "verified"]
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")


class _Subject(msgspec.Struct, frozen=True):
    name: str
    digest: dict[str, str]


class _Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What is checked of a statement; the predicate is for people and their policies."""

    type: str = msgspec.field(name="_type")
    subject: tuple[_Subject, ...]
    predicate_type: str = msgspec.field(name="predicateType")


def statement_of(manifest: Manifest, manifest_bytes: bytes, builder: str = BUILDER) -> bytes:
    """The JSON of the statement about a bundle.

    Args:
        manifest: Its manifest.
        manifest_bytes: The same, as it stands in the bundle.
        builder: URI of the build platform that is vouched for.

    Raises:
        InputError: `builder` is not a URI.
    """
    if not _URI.fullmatch(builder):
        message = f"the builder {builder!r} is not a URI"
        raise InputError(message, f"give one such as https://builds.example.org, or {BUILDER}")
    digests = {MANIFEST: hashlib.sha256(manifest_bytes).hexdigest()}
    digests |= {name: entry.sha256 for name, entry in manifest.files.items()}
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digests[name]}} for name in digests],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": _parameters(manifest),
                "resolvedDependencies": list(_dependencies(manifest)),
            },
            "runDetails": _run_details(manifest, builder),
        },
    }
    return msgspec.json.encode(statement)


def signed_provenance(bundle: Bundle, key: Ed25519PrivateKey, builder: str = BUILDER) -> bytes:
    """The content of `provenance.json`; see `statement_of` for errors."""
    statement = statement_of(bundle.manifest, bundle.read(MANIFEST), builder)
    return seal(PAYLOAD_TYPE, statement, key)


def check_provenance(bundle: Bundle, public_key: PublicKey | None) -> ProvenanceState:
    """The state of a bundle's provenance.

    It is held against the bundle in any case: its subjects have to be the manifest and every file
    that the manifest lists, by their hashes.

    Args:
        bundle: The opened bundle.
        public_key: The key that it has to be signed with; None leaves the signature unchecked.

    Raises:
        ArtefactError: It is malformed, of another bundle, or not signed with that key.
        InputError: The key cannot be read, or is not an Ed25519 key.
        MissingDependencyError: `cryptography` is not installed.
    """
    raw = bundle.read_unlisted(PROVENANCE, MAX_BYTES)
    if raw is None:
        return "none"
    envelope = read_envelope(raw)
    if public_key is not None:
        envelope.verify(public_key)
    if envelope.payload_type != PAYLOAD_TYPE:
        message = f"the provenance is of the type {envelope.payload_type[:60]!r}, not in-toto's"
        raise ArtefactError(message, "have the bundle signed again: `edgekd sign --provenance`")
    _refuse_another_bundle(_decode(envelope.body), bundle)
    return "not checked" if public_key is None else "verified"


def _decode(body: bytes) -> _Statement:
    hint = "have the bundle signed again: `edgekd sign --provenance`"
    try:
        statement = msgspec.json.decode(body, type=_Statement)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        message = f"the provenance has no statement of in-toto: {error}"
        raise ArtefactError(message, hint) from error
    if (statement.type, statement.predicate_type) != (STATEMENT, PREDICATE):
        raise ArtefactError("the provenance is of a version that is not known", hint)
    return statement


def _refuse_another_bundle(statement: _Statement, bundle: Bundle) -> None:
    stated = {each.name: each.digest.get("sha256") for each in statement.subject}
    present = {MANIFEST: bundle.sha256}
    present |= {name: entry.sha256 for name, entry in bundle.manifest.files.items()}
    if stated != present:
        differing = sorted(
            name for name in stated | present if stated.get(name) != present.get(name)
        )
        message = f"the provenance is of another bundle: it does not agree on {differing[0]}"
        raise ArtefactError(message, "take the bundle from who signs it, or have it signed again")


def _parameters(manifest: Manifest) -> dict[str, Any]:
    """What whoever built it could choose."""
    lowering, policy = manifest.lowering, manifest.policy
    return {
        "target": lowering.target,
        "precision": lowering.precision,
        "policy": None if policy is None else policy.name,
        "research": policy is not None and policy.research,
        "method": manifest.lineage.method,
        "seed": manifest.lineage.seed,
    }


def _dependencies(manifest: Manifest) -> Iterator[dict[str, Any]]:
    """What it was built from, as far as the manifest has hashes or versions."""
    lineage, policy = manifest.lineage, manifest.policy
    hashes = {"recipe": lineage.recipe_sha256, "split of the data": lineage.data_sha256}
    hashes |= {"policy": policy.sha256 if policy else None}
    yield from (_descriptor(name, sha256) for name, sha256 in hashes.items() if sha256)
    revision = lineage.git_revision
    if revision:
        yield _source(revision)
    yield {"name": "edgekd", "uri": f"pkg:pypi/edgekd@{manifest.version}"}
    for name, version in manifest.lowering.tools.items():
        yield {"name": name, "uri": f"pkg:pypi/{name}@{version}"}


def _source(revision: str) -> dict[str, Any]:
    """The repository's commit; of a checkout with changes only a name, since it has no digest."""
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        digest = {"gitCommit": revision}
        return {"name": "source", "uri": f"urn:edgekd:source:{revision}", "digest": digest}
    return {"name": "source", "uri": f"urn:edgekd:source:{revision}"}


def _run_details(manifest: Manifest, builder: str) -> dict[str, Any]:
    details: dict[str, Any] = {
        "builder": {"id": builder, "version": {"edgekd": manifest.version}},
        "byproducts": list(_byproducts(manifest)),
    }
    if manifest.lowering.build_key:
        details["metadata"] = {"invocationId": manifest.lowering.build_key}
    return details


def _byproducts(manifest: Manifest) -> Iterator[dict[str, Any]]:
    """What the build made beside the bundle, and the verdicts that it rests on."""
    lowering = manifest.lowering
    calibration: Mapping[str, Any] = lowering.calibration or {}
    hashes = {"calibration": calibration.get("sha256"), "evidence": lowering.evidence_sha256}
    yield from (_descriptor(name, sha256) for name, sha256 in hashes.items() if sha256)
    rungs = {
        rung.precision: "chosen" if rung.chosen else rung.failure or "not chosen"
        for rung in lowering.rungs
    }
    if rungs:
        yield _content("precision ladder", rungs)
    fitted_on = getattr(manifest.decision, "fitted_on", None)
    if fitted_on:
        yield _content("images that decision and gate rest on", fitted_on)


def _descriptor(name: str, sha256: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}


def _content(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """A descriptor of something small that stands in the statement itself."""
    raw = msgspec.json.encode(value)
    digest = {"sha256": hashlib.sha256(raw).hexdigest()}
    return {"name": name, "digest": digest, "annotations": dict(value)}
