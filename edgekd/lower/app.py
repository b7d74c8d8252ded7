"""A target's app with a bundle inside, ready to be built by the tools of its platform.

The app is source code in the target's folder; `[app]` of its `target.toml` says which files belong
to it, and where its bundle and public key go.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from edgekd.bundle import Bundle, pack_bundle
from edgekd.errors import InputError
from edgekd.files import is_occupied, whole_folder
from edgekd.targets import Target, TargetApp, target_folder

__all__ = ["check_app_place", "write_app"]

_PRODUCTS = (".gradle", ".kotlin", "build", "local.properties", "node_modules", "target")
"""Names of what the platforms' tools leave among the sources."""


def check_app_place(target: Target, out: Path) -> TargetApp:
    """The app of a target, if it has one that can be written to `out`.

    Raises:
        InputError: The target has no app, or there is something at `out` already.
    """
    if target.app is None:
        message = f"the target {target.name!r} has no app"
        raise InputError(message, "leave --app out, or choose a target that has one")
    if is_occupied(out):
        message = f"there is something at {out} already, and an app may hold changes of yours"
        raise InputError(message, "choose another place for the app, or remove what is there")
    return target.app


def write_app(target: Target, bundle: Path, out: Path, public_key: Path | None = None) -> None:
    """Write the sources of the target's app with a bundle, and the key that it must be signed with.

    The app's bundle is one `.edgekd` file, of the bundle's own files alone.

    Raises:
        InputError: The target has no app, the bundle is for another engine, the key is no key, or
            there is something at `out` already.
        ArtefactError: The bundle is damaged, not finished, or not signed with that key.
    """
    app = check_app_place(target, out)
    with Bundle.open(bundle, public_key=public_key) as opened:
        _check_engine(target, opened, bundle)
        with whole_folder(out) as folder:
            source = target_folder(target.name)
            for name in app.project:
                _copy(source / name, folder / name)
            (folder / app.bundle).parent.mkdir(parents=True, exist_ok=True)
            pack_bundle(opened, folder / app.bundle)
            if public_key is not None:
                shutil.copyfile(public_key, folder / app.public_key)


def _check_engine(target: Target, opened: Bundle, bundle: Path) -> None:
    lowering = opened.manifest.lowering
    if lowering.backend != target.backend:
        message = f"{bundle} is for {lowering.backend}, and the app has {target.backend}"
        raise InputError(message, f"build it with --target {target.name}")


def _copy(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, place, ignore=shutil.ignore_patterns(*_PRODUCTS))
    else:
        shutil.copyfile(source, place)
