from __future__ import annotations

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from edgekd.data.augment import Augmentation, Draw, augment  # noqa: E402
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


SECTIONS = {
    "light": AugmentSection(zoom=0.3, colour=0.2),
    "everything": AugmentSection(zoom=0.3, colour=0.2, crop=0.4, rotate=180.0, erase=0.5),
    "dermoscopy": AugmentSection(policy="dermoscopy"),
    "trivial": AugmentSection(policy="trivial", crop=0.5, erase=0.5),
    "off": AugmentSection(flip=False, quarter_turns=False, colour=0.0),
}
EVERY_SECTION = pytest.mark.parametrize("section", SECTIONS.values(), ids=SECTIONS)


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@EVERY_SECTION
@pytest.mark.parametrize("seed", range(5))
def test_maps_move_as_their_images(section: AugmentSection, seed: int) -> None:
    """Maps that equal the channels are those of the images by their geometry alone."""
    images = torch.rand(12, 3, 24, 24, generator=generator(seed))
    augmentation = Augmentation(section, 24)
    draw = augmentation.draw(12, generator(seed))
    pixels, moved = augmentation.apply_with_maps(images, images, draw)
    assert torch.equal(pixels, augmentation.apply(images, draw))
    geometry = dataclasses.replace(Draw.unchanged(12), affine=draw.affine)
    torch.testing.assert_close(moved, augmentation.apply(images, geometry))


def test_a_mask_stays_on_its_lesion() -> None:
    """A dark square and its mask move together under the whole policy of dermoscopy."""
    images = torch.ones(32, 3, 32, 32)
    images[:, :, 4:14, 6:12] = 0.0
    mask = (images[:, :1] == 0.0).float()
    augmentation = Augmentation(AugmentSection(policy="dermoscopy"), 32)
    pixels, moved = augmentation.with_maps(images, mask, generator(3))
    assert not torch.equal(moved, mask)
    sure = moved > 0.95
    assert pixels.mean(dim=1, keepdim=True)[sure].quantile(0.9) < 0.3
    assert pixels.mean(dim=1, keepdim=True)[moved < 0.05].quantile(0.2) > 0.7


@EVERY_SECTION
@pytest.mark.parametrize("margin", [1.0, 1.25, 2.6])
def test_an_image_depends_on_its_row_alone(section: AugmentSection, margin: float) -> None:
    """As a cache of fixed views needs: any batch of the images gives the same, bit for bit."""
    images = torch.rand(40, 3, round(20 * margin), round(20 * margin), generator=generator())
    augmentation = Augmentation(section, 20)
    draw = augmentation.draw(40, generator())
    whole = augmentation.apply(images, draw)
    for rows in (torch.tensor([7]), torch.randperm(40, generator=generator())[:9], torch.arange(3)):
        assert torch.equal(augmentation.apply(images[rows], draw.rows(rows)), whole[rows])


@EVERY_SECTION
@pytest.mark.parametrize("margin", [1.0, 1.25, 2.6])
def test_size_and_range_of_the_result(section: AugmentSection, margin: float) -> None:
    images = torch.rand(40, 3, round(20 * margin), round(20 * margin), generator=generator())
    before = images.clone()
    for pixels in (images, torch.ones_like(images), torch.zeros_like(images)):
        changed = Augmentation(section, 20)(pixels, generator(2))
        assert changed.shape == (40, 3, 20, 20)
        assert changed.dtype == torch.float32
        assert 0.0 <= changed.min() <= changed.max() <= 1.0
    assert torch.equal(images, before)


@EVERY_SECTION
def test_the_generator_decides(section: AugmentSection) -> None:
    images = torch.rand(20, 3, 16, 16, generator=generator())
    augmentation = Augmentation(section, 16)
    assert torch.equal(augmentation(images, generator(4)), augmentation(images, generator(4)))
    same = torch.equal(augmentation(images, generator(4)), augmentation(images, generator(5)))
    assert same == (section is SECTIONS["off"])


def test_coordinates_are_not_rounded_to_half_precision() -> None:
    """Under autocast positions in bfloat16 would be off by half a pixel and more."""
    images = torch.rand(8, 3, 48, 48, generator=generator())
    augmentation = Augmentation(SECTIONS["everything"], 32)
    expected = augmentation(images, generator(2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        changed = augmentation(images, generator(2))
    assert torch.equal(changed, expected)
    half = images.bfloat16()  # as a generator's layers give them
    assert torch.equal(augmentation(half, generator(2)), augmentation(half.float(), generator(2)))


@EVERY_SECTION
def test_draws_are_applied_on_the_device_of_the_images(section: AugmentSection) -> None:
    """The device `meta` computes nothing, but refuses tensors of another one as a GPU does."""
    images = torch.empty(200, 3, 20, 20, device="meta")
    augmentation = Augmentation(section, 16)
    changed = augmentation(images, generator())
    assert changed.device.type == "meta"
    assert changed.shape == (200, 3, 16, 16)


def test_rotation_reaches_any_angle_and_mirrors_at_the_border() -> None:
    pixels = torch.full((64, 3, 17, 17), 0.25)
    pixels[:, :, 8, 8] = 1.0
    pixels[:, 0, 8, 14] = 1.0
    changed = run(pixels=pixels, rotate=180.0)
    torch.testing.assert_close(changed[:, :, 8, 8], torch.ones(64, 3), atol=1e-4, rtol=0)
    assert changed.min() >= 0.25 - 1e-5  # no black corners
    spots = (changed[:, 0] - changed[:, 1]).flatten(1).argmax(dim=1)
    assert len(spots.unique()) > 20


def test_erased_are_as_many_as_the_key_says_with_noise_of_their_seeds() -> None:
    pixels = torch.full((400, 3, 32, 32), 0.5)
    changed = run(pixels=pixels, erase=0.3)
    erased = (changed != 0.5).any(dim=1).flatten(1)
    assert 0.22 < erased.any(dim=1).float().mean() < 0.38
    shares = erased.float().mean(dim=1)[erased.any(dim=1)]
    assert shares.min() > 0.01
    assert shares.max() < 0.45
    noise = changed[(changed != 0.5)]
    assert abs(float(noise.mean()) - 0.5) < 0.01
    assert noise.std() == pytest.approx(12**-0.5, abs=0.01)


def test_a_crop_shows_more_detail_than_the_whole() -> None:
    """Its area is uniform between the least share and the whole."""
    augmentation = Augmentation(AugmentSection(**(OFF | {"crop": 0.3})), 32)  # type: ignore[arg-type]
    draw = augmentation.draw(4000, generator())
    width, height = draw.affine[:, 0, 0], draw.affine[:, 1, 1]
    area, aspect = width * height, width / height
    assert area.min() >= 0.3 - 1e-6
    assert area.max() <= 1.0 + 1e-6
    assert area.mean() == pytest.approx(0.65, abs=0.02)
    assert 0.75 - 1e-4 <= aspect.min() < 0.78
    assert 1.28 < aspect.max() <= 4 / 3 + 1e-4
    edges = draw.affine[:, :, 2].abs() + torch.stack((width, height), dim=1)
    assert edges.max() <= 1.0 + 1e-6
    assert draw.affine[:, :, 2].amax() > 0.3
