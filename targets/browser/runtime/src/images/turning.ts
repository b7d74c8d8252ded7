import type { Pixels } from './header.js';

/** Pixels that are stored by an EXIF orientation, 1 to 8, turned upright (TIFF 6.0; Exif 2.32, 4.6.4). */
export function upright(image: Pixels, orientation: number): Pixels {
  if (orientation === 1) return image;
  const { width, height, rgb } = image;
  const turned = orientation >= 5;
  const [outWidth, outHeight] = turned ? [height, width] : [width, height];
  const mirroredAcross = [2, 3, 7, 8].includes(orientation);
  const mirroredDown = [3, 4, 6, 7].includes(orientation);
  const out = new Uint8Array(rgb.length);
  for (let y = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++) {
      const [storedX, storedY] = turned ? [y, x] : [x, y];
      const column = mirroredAcross ? width - 1 - storedX : storedX;
      const row = mirroredDown ? height - 1 - storedY : storedY;
      const from = 3 * (row * width + column);
      const to = 3 * (y * outWidth + x);
      out[to] = rgb[from] as number;
      out[to + 1] = rgb[from + 1] as number;
      out[to + 2] = rgb[from + 2] as number;
    }
  }
  return { width: outWidth, height: outHeight, rgb: out };
}
