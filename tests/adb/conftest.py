"""Phones of these tests' own adb server."""

from adb.fixtures import adb_environment, new_phone, own_adb, phone, transport

__all__ = ["adb_environment", "new_phone", "own_adb", "phone", "transport"]
