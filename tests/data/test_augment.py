from __future__ import annotations

import msgspec
import pytest

torch = pytest.importorskip("torch")

from edgekd.data.augment import Augmentation, augment  # noqa: E402
from edgekd.recipe import AugmentSection  # noqa: E402

OFF = {"flip": False, "quarter_turns": False, "zoom": 0.0, "colour": 0.0}
PIXELS = torch.rand(24, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def run(seed: int = 0, pixels: torch.Tensor = PIXELS, **section: object) -> torch.Tensor:
    changes = AugmentSection(**(OFF | section))  # type: ignore[arg-type]
    return augment(pixels, changes, torch.Generator().manual_seed(seed))


def sorted_pixels(images: torch.Tensor) -> torch.Tensor:
    """The pixels of each image, as triples in one order."""
    triples = (images * torch.tensor([1.0, 10.0, 100.0]).reshape(1, 3, 1, 1)).sum(dim=1)
    return triples.flatten(1).sort(dim=1).values


@pytest.mark.parametrize(
    "section", [{"flip": True}, {"quarter_turns": True}, {"zoom": 0.3}, {"colour": 0.3}]
)
def test_same_generator_state_gives_the_same(section: dict[str, object]) -> None:
    torch.testing.assert_close(run(3, **section), run(3, **section), rtol=0, atol=0)
    assert not torch.equal(run(3, **section), run(4, **section))


def test_off_is_the_identity() -> None:
    assert torch.equal(run(), PIXELS)


def test_input_is_left_alone() -> None:
    before = PIXELS.clone()
    run(flip=True, quarter_turns=True, zoom=0.3, colour=0.3)
    assert torch.equal(before, PIXELS)


@pytest.mark.parametrize("pixels", [PIXELS, torch.zeros_like(PIXELS), torch.ones_like(PIXELS)])
@pytest.mark.parametrize("seed", range(5))
def test_shape_and_range_are_kept(pixels: torch.Tensor, seed: int) -> None:
    changed = run(seed, pixels, flip=True, quarter_turns=True, zoom=0.5, colour=0.9)
    assert changed.shape == pixels.shape
    assert changed.dtype == torch.float32
    assert float(changed.min()) >= 0.0
    assert float(changed.max()) <= 1.0


@pytest.mark.parametrize("section", [{"flip": True}, {"quarter_turns": True}])
def test_flips_and_turns_only_permute_pixels(section: dict[str, object]) -> None:
    changed = run(1, **section)
    assert not torch.equal(changed, PIXELS)
    torch.testing.assert_close(sorted_pixels(changed), sorted_pixels(PIXELS), rtol=0, atol=0)


def test_every_turn_occurs_and_none_else() -> None:
    changed = run(quarter_turns=True)
    turns = [
        next(n for n in range(4) if torch.equal(torch.rot90(image, n, (1, 2)), found))
        for image, found in zip(PIXELS, changed, strict=True)
    ]
    assert set(turns) == {0, 1, 2, 3}


def test_both_mirrors_occur() -> None:
    changed = run(flip=True)
    axes: list[list[int]] = [[], [1], [2], [1, 2]]
    found = [
        next(n for n, axis in enumerate(axes) if torch.equal(image.flip(axis), mirrored))
        for image, mirrored in zip(PIXELS, changed, strict=True)
    ]
    assert set(found) == {0, 1, 2, 3}


def test_zoom_scales_about_the_centre() -> None:
    spot = torch.zeros(64, 3, 33, 33)
    spot[:, :, 12:21, 12:21] = 1.0
    areas = run(pixels=spot, zoom=0.4)[:, 0].sum(dim=(1, 2)) / 81
    assert 0.3 < float(areas.min()) < 0.6  # 0.6 squared is 0.36
    assert 1.5 < float(areas.max()) < 2.1  # 1.4 squared is 1.96
    rows = run(pixels=spot, zoom=0.4)[:, 0].sum(dim=2)
    torch.testing.assert_close(rows, rows.flip(1), atol=1e-4, rtol=0)


def test_colour_stays_within_its_amount() -> None:
    grey = torch.full((50, 3, 4, 4), 0.5)
    changed = run(pixels=grey, colour=0.2)
    assert float(changed.min()) >= 0.4 - 1e-6
    assert float(changed.max()) <= 0.6 + 1e-6
    assert len(changed[:, 0, 0, 0].unique()) > 40  # each image by its own draw


def test_batch_of_none() -> None:
    empty = torch.zeros(0, 3, 8, 8)
    assert run(pixels=empty, flip=True, quarter_turns=True, colour=0.1).shape == empty.shape


SECTIONS = [
    AugmentSection(zoom=0.3, colour=0.2),
    AugmentSection(policy="dermoscopy"),
    AugmentSection(flip=False, quarter_turns=False, colour=0.0),
]


@pytest.mark.parametrize("section", SECTIONS, ids=["light", "dermoscopy", "off"])
@pytest.mark.parametrize("seed", range(5))
def test_maps_move_as_their_images(section: AugmentSection, seed: int) -> None:
    """A map that is the mean of the channels is their mean after the geometric changes alone."""
    images = torch.rand(6, 3, 24, 24, generator=torch.Generator().manual_seed(seed))
    maps = images.mean(dim=1, keepdim=True)

    def augmentation() -> Augmentation:
        return Augmentation(section, torch.Generator().manual_seed(seed))

    pixels, moved = augmentation().with_maps(images, maps)
    assert torch.equal(pixels, augmentation()(images))
    if section.policy == "light":
        geometry = msgspec.structs.replace(section, colour=0.0)
        alone = Augmentation(geometry, torch.Generator().manual_seed(seed))(images)
        torch.testing.assert_close(moved, alone.mean(dim=1, keepdim=True))
    assert moved.shape == maps.shape


def test_a_mask_stays_on_its_lesion() -> None:
    """A dark square and its mask move together under the whole policy of dermoscopy."""
    images = torch.ones(32, 3, 32, 32)
    images[:, :, 4:14, 6:12] = 0.0
    mask = (images[:, :1] == 0.0).float()
    section = AugmentSection(policy="dermoscopy")
    augmentation = Augmentation(section, torch.Generator().manual_seed(3))
    pixels, moved = augmentation.with_maps(images, mask)
    assert not torch.equal(moved, mask)
    sure = moved > 0.95
    assert pixels.mean(dim=1, keepdim=True)[sure].quantile(0.9) < 0.3
    assert pixels.mean(dim=1, keepdim=True)[moved < 0.05].quantile(0.2) > 0.7
