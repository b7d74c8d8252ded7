"""A folder of static files: the page, one engine, and a bundle.

The page itself is built from `targets/browser` by `make browser`. Beside its files it has
`engines.json`: for each backend whose files it runs, the folder of that engine.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import msgspec

from edgekd.bundle import Bundle, pack_bundle
from edgekd.errors import ArtefactError, InputError, MissingDependencyError
from edgekd.files import pretty_json, refuse_other_content, sha256_of, whole_folder

__all__ = ["BUNDLE", "ENGINES", "RUNNER", "page_folder", "write_engine", "write_page"]

BUNDLE = "bundle.edgekd"
"""Name of the bundle beside the page."""

ENGINES = "engines.json"

RUNNER = "runner.html"
"""Document that runs bundles for a program; see `edgekd.page.runner`."""

_RUNNER_FILES = (RUNNER, "assets/runner-")
"""How the paths of files begin that the runner alone needs."""

_KEY = "key.pub.pem"
_SITE = "site.json"
_WORKER = "sw.js"
_INDEX = "index.html"
_BUILT = Path(__file__).resolve().parents[2] / "build" / "browser" / "app" / "dist"
"""Where `make browser` builds the page in a checkout."""


def page_folder(page: Path | None = None) -> Path:
    """The folder of the page: the given one, or what `make browser` built in this checkout.

    Raises:
        InputError: The given folder has no page.
        MissingDependencyError: None is given, and none is built.
    """
    if page is not None:
        if not (page / _INDEX).is_file() or not (page / ENGINES).is_file():
            message = f"{page} is not a page: it has no {_INDEX} with {ENGINES}"
            hint = "give the folder that `make browser` built: build/browser/app/dist"
            raise InputError(message, hint)
        return page
    if (_BUILT / ENGINES).is_file():
        return _BUILT
    raise MissingDependencyError(
        "the page",
        "",
        "serve a bundle",
        message="the page for browsers is not built here",
        hint="run `make browser` in a checkout (Node 20, npm), or give its folder by --page",
    )


def write_page(
    bundle: Path,
    out: Path,
    *,
    page: Path | None = None,
    public_key: Path | None = None,
    runner: bool = False,
) -> None:
    """Write the page with a bundle, to be put on any file server.

    Args:
        bundle: A bundle folder or `.edgekd` file.
        out: The folder; an earlier page there is replaced in the end.
        page: Folder of the built page; None takes that of this checkout.
        public_key: Ed25519 key as PEM: the bundle must be signed with it, here and in the page.
        runner: Whether a program drives the page, so that it needs `runner.html`.

    Raises:
        InputError: There is no bundle, `page` is none, or `out` holds anything but an earlier page.
        MissingDependencyError: The page is not built.
        ArtefactError: The bundle is damaged, not signed with the key, or of an engine that the page
            does not have.
    """
    refuse_other_content(out, "page", lambda folder: (folder / _SITE).is_file())
    source = page_folder(page)
    with Bundle.open(bundle, public_key=public_key) as opened:
        engine, unused = _engine_of(source, opened.manifest.lowering.backend, opened.label)
        with whole_folder(out) as folder:
            _copy_page(source, folder, unused, () if runner else _RUNNER_FILES)
            pack_bundle(opened, folder / BUNDLE)
            if public_key is not None:
                shutil.copyfile(public_key, folder / _KEY)
            site = {"bundle": BUNDLE, "key": None if public_key is None else _KEY}
            (folder / _SITE).write_bytes(pretty_json(site))
            _write_worker(folder, engine)


def write_engine(backend: str, out: Path, *, page: Path | None = None) -> None:
    """Write the page's runner with the engine of a backend, without a bundle.

    Raises:
        InputError: `page` is none.
        MissingDependencyError: The page is not built.
        ArtefactError: The page has no such engine.
    """
    source = page_folder(page)
    _, unused = _engine_of(source, backend, "the model file")
    with whole_folder(out) as folder:
        _copy_page(source, folder, unused, ())


def _engine_of(page: Path, backend: str, label: str) -> tuple[str, set[str]]:
    """The folder of a backend's engine, and those of the other engines."""
    engines = _engines(page)
    if backend not in engines:
        known = ", ".join(sorted(engines))
        message = f"the page runs files of {known}, and {label} has one of {backend}"
        raise ArtefactError(message, "build it with `edgekd build --target browser`")
    return engines[backend], {folder for name, folder in engines.items() if name != backend}


def _engines(page: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode((page / ENGINES).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError) as error:
        message = f"{page / ENGINES} cannot be read: {error}"
        raise InputError(message, "build the page again with `make browser`") from error


def _copy_page(page: Path, out: Path, engines: set[str], prefixes: tuple[str, ...]) -> None:
    """Copy a page without some engines, and without the files whose paths begin with a prefix."""

    def ignored(folder: str, names: list[str]) -> set[str]:
        below = Path(folder).relative_to(page)
        paths = {name: (below / name).as_posix() for name in names}
        return {
            name for name, path in paths.items() if path in engines or path.startswith(prefixes)
        }

    shutil.copytree(page, out, dirs_exist_ok=True, ignore=ignored)


def _write_worker(folder: Path, engine: str) -> None:
    """Put the version and the files to keep before the service worker.

    The engine has files for several kinds of browsers; the page itself says which one it loaded.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
    version = hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()[:16]
    kept = [name for name in hashes if name != _WORKER and not name.startswith(f"{engine}/")]
    head = json.dumps({"version": version, "files": ["./", *kept]})
    worker = folder / _WORKER
    code = worker.read_text(encoding="utf-8")
    worker.write_text(f"self.EDGEKD = {head};\n{code}", encoding="utf-8")
