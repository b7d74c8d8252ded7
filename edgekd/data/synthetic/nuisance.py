"""What the camera and the patient add to any image, whatever the diagnosis."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edgekd.data.synthetic.fields import Field, grid, ramp, soften, stamp, strokes

__all__ = ["add_clutter", "capture", "light"]


def light(rng: np.random.Generator, size: int) -> Field:
    """Illumination [size, size, 3]: a gradient, a fall-off to the rim, and a white balance."""
    g = grid(size)
    heading, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.16)
    tilt = np.float32(slope * np.cos(heading)) * g.x + np.float32(slope * np.sin(heading)) * g.y
    fall = np.float32(rng.uniform(0.0, 0.18)) * g.radius * g.radius
    balance = rng.uniform(0.9, 1.08) * rng.uniform(0.96, 1.04, 3)
    lit = (1 + tilt - fall)[..., None] * balance
    return np.asarray(lit, dtype=np.float32)


def add_clutter(image: Field, rng: np.random.Generator) -> None:
    """Lay hair, gel bubbles, a ruler and glare over `image` [n, n, 3], in place."""
    size = image.shape[0]
    if rng.random() < 0.4:
        colour = rng.uniform(0.05, 0.3) * np.array([1.0, 0.75, 0.6])
        _lay(image, _hair(rng, size) * np.float32(rng.uniform(0.5, 0.95)), colour)
    if rng.random() < 0.15:
        _lay(image, _bubbles(rng, size) * np.float32(0.6), np.array([0.97, 0.97, 0.97]))
    if rng.random() < 0.12:
        _lay(image, _ruler(rng, size), np.array([0.08, 0.08, 0.1]))
    if rng.random() < 0.15:
        _lay(image, _glare(rng, size), np.array([1.0, 1.0, 0.98]))


def capture(image: Field, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Turn reflectance [n, n, 3] in 0..1 into what a camera stores: RGB uint8.

    Corners of the tube, blur, sensor noise and the softness of a JPEG are added in this order.
    """
    size = image.shape[0]
    if rng.random() < 0.2:
        rim = rng.uniform(1.0, 1.3)
        image = image * ramp(grid(size).radius, rim + 0.02, rim - 0.04)[..., None]
    image = soften(image, rng.exponential(0.006))
    grain = rng.standard_normal((size, size, 3), dtype=np.float32)
    image = image + np.float32(rng.uniform(0.004, 0.022)) * grain
    pixels = np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
    return _compress(pixels, int(rng.integers(45, 96))) if rng.random() < 0.4 else pixels


def _lay(image: Field, alpha: Field, colour: npt.NDArray[np.float64]) -> None:
    opacity = alpha[..., None]
    image *= 1 - opacity
    image += opacity * colour.astype(np.float32)


def _hair(rng: np.random.Generator, size: int) -> Field:
    count = int(rng.integers(2, 14))
    comb = rng.uniform(0, np.pi)  # hairs lie roughly one way
    t = np.linspace(-1, 1, 9)
    lines = []
    for _ in range(count):
        heading, bend = comb + rng.normal(0, 0.5), rng.normal(0, 0.3)
        along = np.array([np.cos(heading), np.sin(heading)])
        across = np.array([-along[1], along[0]])
        path = rng.uniform(-0.9, 0.9, 2) + rng.uniform(0.4, 1.4) * np.outer(t, along)
        lines.append((path + np.outer(bend * t * t, across), rng.uniform(0.006, 0.016)))
    return strokes(size, lines)


def _bubbles(rng: np.random.Generator, size: int) -> Field:
    count = int(rng.integers(2, 8))
    centres, radii = rng.uniform(-0.95, 0.95, (count, 2)), rng.uniform(0.03, 0.12, count)
    rims = stamp(size, centres, radii) - stamp(size, centres, radii * 0.82)
    sparks = stamp(size, centres - 0.4 * radii[:, None], radii * 0.2)
    return np.asarray(np.clip(rims * np.float32(0.6) + sparks, 0, 1), dtype=np.float32)


def _ruler(rng: np.random.Generator, size: int) -> Field:
    ticks = np.arange(-0.95, 0.96, rng.uniform(0.08, 0.14))
    edge, side = rng.uniform(0.8, 0.95), rng.choice([-1.0, 1.0])
    lengths = np.where(np.arange(len(ticks)) % 5 == 0, 0.14, 0.07)
    ends = side * np.stack([np.full(len(ticks), edge), edge - lengths], axis=1)
    paths = [np.stack([np.full(2, t), e], axis=1) for t, e in zip(ticks, ends, strict=True)]
    scale = strokes(size, [(path, 0.012) for path in paths])
    return np.ascontiguousarray(np.rot90(scale, int(rng.integers(0, 2))))


def _glare(rng: np.random.Generator, size: int) -> Field:
    count = int(rng.integers(1, 5))
    centres = rng.uniform(-0.7, 0.7, (1, 2)) + rng.normal(0, 0.12, (count, 2))
    spots = stamp(size, centres, rng.uniform(0.02, 0.08, count), 0.02)
    return np.asarray(spots * np.float32(0.8), dtype=np.float32)


def _compress(pixels: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    _, code = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])
