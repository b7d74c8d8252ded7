import type { Bytes } from '../bundle/bytes.js';
import { type ImageHeader, type Pixels, Unreadable, damagedImage, header } from './header.js';

const INFO_HEADERS = new Set([40, 52, 56, 108, 124]);
const PLAIN_BITS = new Set([8, 24, 32]);
const VERSION_5 = 124;

/** The header of a BMP: uncompressed, of 24 or 32 bits or a palette of 256 colours (Microsoft, BITMAPINFOHEADER). */
export function readBmp(data: Bytes): ImageHeader {
  if (data.size < 54) return header({ format: 'bmp', complete: false });
  const offset = data.intLow(10);
  const size = data.intLow(14);
  const width = data.intLow(18) | 0;
  const rows = Math.abs(data.intLow(22) | 0);
  const bits = data.shortLow(28);
  if (!INFO_HEADERS.has(size) || !PLAIN_BITS.has(bits) || data.intLow(30) !== 0) {
    throw new Unreadable('is a BMP of a rare kind', 'save it as PNG');
  }
  if (data.shortLow(26) !== 1 || width < 0 || offset < 14 + size) throw damagedImage('bmp');
  return header({ format: 'bmp', width, height: rows, complete: offset + stride(width, bits) * rows <= data.size });
}

/** The pixels of a BMP that was accepted. */
export function decodeBmp(data: Bytes): Pixels {
  const { width, height } = readBmp(data);
  const bits = data.shortLow(28);
  const upright = (data.intLow(22) | 0) < 0;
  const from = data.intLow(10);
  const step = bits / 8;
  const palette = 14 + data.intLow(14);
  const rgb = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const row = from + stride(width, bits) * (upright ? y : height - 1 - y);
    for (let x = 0; x < width; x++) {
      const place = bits === 8 ? palette + 4 * data.byte(row + x) : row + step * x;
      for (let channel = 0; channel < 3; channel++) {
        // A palette may be shorter than 256 colours; OpenCV takes black for the others.
        const known = bits !== 8 || place + 4 <= from;
        rgb[3 * (y * width + x) + channel] = known ? data.byte(place + 2 - channel) : 0;
      }
    }
  }
  return { width, height, rgb };
}

const stride = (width: number, bits: number): number => Math.floor((width * bits + 31) / 32) * 4;

/** The ICC profile of a BMP that was accepted; null where there is none. */
export function bmpProfile(data: Bytes): Uint8Array | null {
  const where = data.intLow(14) === VERSION_5 ? data.text(70, 4) : '';
  if (where === 'KNIL') throw new Unreadable('is a BMP with its colour profile in another file', 'save it as PNG');
  if (where !== 'DEBM') return null;
  const start = 14 + data.intLow(126);
  const profile = data.slice(start, start + data.intLow(130));
  return profile.length === 0 ? new Uint8Array(1) : profile;
}
