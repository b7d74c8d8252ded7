from __future__ import annotations

from pathlib import Path

import pytest
import torch
from cards import ARCH, CLASSES, SIZE, make_card

from edgekd.errors import InputError
from edgekd.models import create_network, save_checkpoint
from edgekd.models.libraries.checkpoints import create


def test_a_checkpoint_as_an_architecture(tmp_path: Path) -> None:
    network = create_network(ARCH, len(CLASSES)).eval()
    save_checkpoint(tmp_path, network, make_card())
    whole = create(str(tmp_path), 3, {}).eval()
    images = torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        assert whole(images).equal(network(images))
        assert whole(torch.rand(2, 3, 2 * SIZE, 2 * SIZE)).shape == (2, 3)
    with pytest.raises(InputError, match="has 3 outputs, where 4 are needed"):
        create(str(tmp_path), 4, {})
    with pytest.raises(InputError, match="there is no checkpoint"):
        create(str(tmp_path / "absent"), 3, {})
