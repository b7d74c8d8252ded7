"""Which code of other people a process may import: packages that the user has named.

A network of somebody's own class is built by importing its module, which runs it. Neither a recipe
nor a checkpoint may cause that by itself, since both are passed around.
"""

from __future__ import annotations

import os

from edgekd.errors import InputError

__all__ = ["TRUSTED", "refuse_untrusted", "trust"]

TRUSTED = "EDGEKD_TRUST_CODE"
"""The environment variable: names of packages or modules, with commas between them. Processes that
this one starts inherit it.
"""


def refuse_untrusted(place: str) -> None:
    """Refuse a class whose package is not trusted, before anything of it is imported.

    Args:
        place: The class as `package.module:Class`.

    Raises:
        InputError: The user has not named its package or module.
    """
    module = place.partition(":")[0]
    if any(module == name or module.startswith(f"{name}.") for name in _trusted()):
        return
    package = module.partition(".")[0]
    message = f"{place} is code, which is imported and run when the network is built"
    hint = f"if you trust it, give --trust-code, or set {TRUSTED}={package}"
    raise InputError(message, hint)


def trust(place: str) -> None:
    """Trust the module of a class in this process and those that it starts."""
    module = place.partition(":")[0]
    os.environ[TRUSTED] = ",".join(dict.fromkeys((*_trusted(), module)))


def _trusted() -> list[str]:
    return [name for part in os.environ.get(TRUSTED, "").split(",") if (name := part.strip())]
