"""Real aarch64 without a board (qemu-user in a private namespace), and devices' plain environments.

Elsewhere in the tests: `from emulation.userland import open_userland` and
`from emulation.board import Board`; the fixtures are in `emulation/conftest.py`.
"""
