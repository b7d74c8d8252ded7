"""The descriptors of edgekd's own backends say what is so."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgekd.extensions.backends import BACKENDS, Requirement, backend_named, loadable_backends
from edgekd.lower.backends import Backend, get_backend
from edgekd.lower.backends.base import FinishingBackend
from edgekd.lower.store import tool_versions
from edgekd.runtime.sessions import check_backend


@pytest.mark.parametrize("name", BACKENDS.built_in)
def test_places_of_a_descriptor_load(name: str) -> None:
    backend = get_backend(name)
    assert isinstance(backend, Backend)
    assert backend.descriptor == backend_named(name)
    assert backend.descriptor.host_session in BACKENDS
    check_backend(name)
    if backend.descriptor.diagnosis:
        assert callable(BACKENDS.load_part(name, "diagnosis", backend.descriptor.diagnosis))


@pytest.mark.parametrize("name", BACKENDS.built_in)
def test_only_a_backend_that_finishes_on_the_device_can(name: str) -> None:
    finishes = backend_named(name).completion == "finish-on-device"
    assert isinstance(get_backend(name), FinishingBackend) is finishes


def test_requirement_is_met_by_any_of_its_modules() -> None:
    assert Requirement(("no_such_engine.core", "json.decoder"), ("a", "b")).installed
    assert not Requirement(("no_such_engine.core",), ("a",)).installed
    assert Requirement(("one.two", "three"), ("a", "b")).packages == ("one", "three")


def test_versions_of_a_backend_count_and_those_of_others_do_not() -> None:
    assert {"torch", "numpy"} <= tool_versions().keys()
    assert "openvino" not in tool_versions("onnx")
    assert "openvino" in tool_versions("openvino")
    assert "onnxruntime" in tool_versions("tensorrt")  # it runs the file on a host


def test_descriptors_import_no_engine() -> None:
    code = (
        "import sys\n"
        "from edgekd.extensions.backends import loadable_backends\n"
        "loadable_backends()\n"
        "print([name for name in ('numpy', 'onnxruntime', 'openvino') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert {each.name for each in loadable_backends()} >= set(BACKENDS.built_in)
