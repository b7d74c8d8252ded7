"""Writing and signing a bundle: whole or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from edgekd.bundle.features import FEATURES, features_files
from edgekd.bundle.manifest import FileEntry, Manifest, encode_manifest
from edgekd.bundle.reader import MANIFEST, MAX_FILE_BYTES, PROVENANCE, Bundle
from edgekd.bundle.reference import REFERENCE, reference_files
from edgekd.bundle.signature import SIGNATURE, load_private_key, sign_manifest
from edgekd.files import atomic_write, sha256_of, whole_folder, write_atomically

__all__ = ["pack_bundle", "sign_bundle", "write_bundle", "zip_bundle"]


def write_bundle(
    out: Path,
    manifest: Manifest,
    files: Mapping[str, Path | bytes],
    reference: Mapping[str, Path | bytes] | None = None,
    features: Mapping[str, Path | bytes] | None = None,
) -> Manifest:
    """Write the folder `out` with all `files` and the manifest that lists them.

    An earlier signature is removed: it was of another manifest.

    Args:
        out: The bundle's folder; what was there is replaced in the end.
        manifest: The manifest; its `files` are filled in here.
        files: Content, or the file to copy, by name inside the bundle.
        reference: The same of the float student, by name below its folder; for a manifest with a
            `reference`, whose `files` are filled in here.
        features: The same of the features, for a manifest with `features`.

    Returns:
        The manifest as written.
    """
    with whole_folder(out) as folder:
        entries = {name: _add(folder / name, content) for name, content in files.items()}
        manifest = msgspec.structs.replace(manifest, files=entries)
        for name, beside in ((REFERENCE, reference), (FEATURES, features)):
            record = getattr(manifest, name)  # the folder has the field's name
            if record is not None and beside is not None:
                known = {file: _add(folder / name / file, beside[file]) for file in beside}
                record = msgspec.structs.replace(record, files=known)
                manifest = msgspec.structs.replace(manifest, **{name: record})
        (folder / MANIFEST).write_bytes(encode_manifest(manifest))
    return manifest


def zip_bundle(folder: Path, out: Path) -> None:
    """Write the bundle `folder` as one uncompressed `.edgekd` file, with reproducible bytes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    names = [file.relative_to(folder).as_posix() for file in files]
    _write_zip(out, names, lambda name: (folder / name).read_bytes())


def pack_bundle(bundle: Bundle, out: Path) -> None:
    """Write an open bundle as one `.edgekd` file, with reproducible bytes.

    What lies in its folder and is not of the bundle stays out: only what the manifest lists, the
    signature and the provenance are written. The float student and the features stay out too: no
    app runs them.

    Raises:
        ArtefactError: The bundle has been damaged since it was opened.
    """
    _write_packed(bundle, out, {})


def sign_bundle(
    path: Path,
    private_key: Path,
    *,
    passphrase: bytes | None = None,
    provenance: bool = False,
    builder: str | None = None,
) -> None:
    """Sign the bundle at `path`, after checking its hashes; another signature is replaced.

    A folder gets a `manifest.sig`; a `.edgekd` file is rewritten with it and the files that its
    manifest lists, with the same bytes every time.

    Args:
        path: The bundle's folder or `.edgekd` file.
        private_key: An Ed25519 key as PEM (PKCS#8), as `openssl genpkey` writes it.
        passphrase: Passphrase of the key, if it is encrypted.
        provenance: Write a signed statement of how the bundle was built (see
            `edgekd.bundle.provenance`); one that is there is made again in any case.
        builder: URI of the build platform, for that statement.

    Raises:
        InputError: There is no bundle, or the key or the builder cannot be used.
        ArtefactError: The bundle is damaged.
        MissingDependencyError: `cryptography` is not installed.

    Source: RFC 8032, pure Ed25519.
    """
    key = load_private_key(private_key, passphrase)
    with Bundle.open(path) as bundle:
        signed = {SIGNATURE: sign_manifest(bundle.read(MANIFEST), key)}
        if provenance or bundle.read_unlisted(PROVENANCE, MAX_FILE_BYTES) is not None:
            from edgekd.bundle.provenance import BUILDER, signed_provenance

            signed[PROVENANCE] = signed_provenance(bundle, key, builder or BUILDER)
        if path.is_dir():
            for name, content in signed.items():
                write_atomically(path / name, content)
            return
        _write_packed(bundle, path, signed | reference_files(bundle) | features_files(bundle))


def _write_packed(bundle: Bundle, out: Path, further: Mapping[str, bytes]) -> None:
    """Write a bundle as one file, with `further` files that its manifest does not list."""
    kept = {name: bundle.read_unlisted(name, MAX_FILE_BYTES) for name in (SIGNATURE, PROVENANCE)}
    beside = {name: content for name, content in kept.items() if content is not None} | {**further}
    names = [MANIFEST, *beside, *bundle.manifest.files]
    _write_zip(out, names, lambda name: beside.get(name) or bundle.read(name))


def _write_zip(out: Path, names: Iterable[str], read: Callable[[str], bytes]) -> None:
    with atomic_write(out) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(names):
            # A fixed date: two archives of one bundle must be identical.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), read(name))


def _add(file: Path, content: Path | bytes) -> FileEntry:
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        import shutil  # a device, which writes no bundle, starts without it

        shutil.copyfile(content, file)
    else:
        file.write_bytes(content)
    return FileEntry(sha256=sha256_of(file), size=file.stat().st_size)
