import { Bytes, OutsideError } from '../bundle/bytes.js';
import { type ImageHeader, type Pixels, Unreadable, damagedImage, header } from './header.js';

const MAX_CHUNKS = 1000;
const MAX_EXIF = 65_536;
const ANIMATION = 0x02;
const ALPHA = 0x10;

interface Chunk {
  readonly kind: string;
  readonly start: number;
  readonly length: number;
}

export const isWebp = (data: Bytes): boolean => data.startsWith('RIFF') && data.startsWith('WEBP', 8);

/** The header of a WebP of one picture, stored upright (RFC 9649, 2.3 to 2.7 and 3.4; RFC 6386, 9.1). */
export function readWebp(data: Bytes): ImageHeader {
  if (data.size < 30) return header({ format: 'webp', complete: false });
  const complete = data.intLow(4) + 8 <= data.size;
  refuseTurned(data);
  let canvas: readonly [number, number] | null = null;
  let alpha = false;
  for (const chunk of chunksOf(data)) {
    if (chunk.kind === 'VP8X') {
      canvas = canvasOf(data, chunk.start);
      alpha = (data.byte(chunk.start) & ALPHA) !== 0;
    }
    if (chunk.kind !== 'VP8 ' && chunk.kind !== 'VP8L') continue;
    const lossless = chunk.kind === 'VP8L';
    const [width, height, ownAlpha] = lossless ? losslessSize(data, chunk.start) : lossySize(data, chunk.start);
    if (canvas !== null && (canvas[0] !== width || canvas[1] !== height)) throw damagedImage('webp');
    alpha ||= ownAlpha;
    return header({ format: 'webp', width, height, complete, alpha, bytesPerPixel: lossless || alpha ? 8 : 6 });
  }
  return header({ format: 'webp', width: canvas?.[0] ?? 0, height: canvas?.[1] ?? 0, complete: false });
}

/** The pixels of a WebP by libwebp, and whether each of them is opaque. */
export async function decodeWebp(data: Bytes): Promise<Pixels & { opaque: boolean }> {
  const { default: decode } = await import('@jsquash/webp/decode.js');
  let image: ImageData;
  try {
    image = await decode(data.array.slice().buffer);
  } catch {
    throw damagedImage('webp');
  }
  const { width, height, data: rgba } = image;
  const rgb = new Uint8Array(3 * width * height);
  let opaque = true;
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from] ?? 0;
    rgb[to + 1] = rgba[from + 1] ?? 0;
    rgb[to + 2] = rgba[from + 2] ?? 0;
    if (rgba[from + 3] !== 255) opaque = false;
  }
  return { width, height, rgb, opaque };
}

export function webpProfile(data: Bytes): Uint8Array | null {
  for (const chunk of chunksOf(data)) {
    if (chunk.kind === 'ICCP') return data.slice(chunk.start, chunk.start + chunk.length);
  }
  return null;
}

/** Chunks of at least ten bytes; shorter ones are irrelevant here. */
function* chunksOf(data: Bytes): Generator<Chunk> {
  let place = 12;
  for (let count = 0; count < MAX_CHUNKS; count++) {
    if (place + 18 > data.size) return;
    const kind = data.text(place, 4);
    const length = data.intLow(place + 4);
    if (kind === 'ANIM' || kind === 'ANMF') throw animated();
    yield { kind, start: place + 8, length };
    place += 8 + length + (length % 2);
  }
  throw damagedImage('webp');
}

/** Refuse an EXIF orientation, which decoders of one family apply and others do not. */
function refuseTurned(data: Bytes): void {
  for (const chunk of chunksOf(data)) {
    if (chunk.kind !== 'EXIF') continue;
    const exif = new Bytes(data.slice(chunk.start, chunk.start + MAX_EXIF));
    const start = exif.startsWith('Exif\0\0') ? 6 : 0;
    if (exifOrientation(new Bytes(exif.slice(start, exif.size))) !== 1) {
      throw new Unreadable('is a WebP that is not stored upright', 'save it upright, or as JPEG');
    }
  }
}

function canvasOf(data: Bytes, start: number): readonly [number, number] {
  if ((data.byte(start) & ANIMATION) !== 0) throw animated();
  const width = data.shortLow(start + 4) | (data.byte(start + 6) << 16);
  const height = data.shortLow(start + 7) | (data.byte(start + 9) << 16);
  return [width + 1, height + 1];
}

function lossySize(data: Bytes, start: number): [number, number, boolean] {
  if (!data.startsWith('\x9d\x01\x2a', start + 3)) throw damagedImage('webp');
  return [data.shortLow(start + 6) & 0x3fff, data.shortLow(start + 8) & 0x3fff, false];
}

function losslessSize(data: Bytes, start: number): [number, number, boolean] {
  if (data.byte(start) !== 0x2f) throw damagedImage('webp');
  const packed = data.intLow(start + 1);
  return [(packed & 0x3fff) + 1, ((packed >>> 14) & 0x3fff) + 1, ((packed >>> 28) & 1) === 1];
}

const animated = (): Unreadable =>
  new Unreadable('is an animated WebP', 'save one picture of it as a plain image');

const ORIENTATION = 274;
const SHORT_TYPE = 3;

/** The orientation of an EXIF block, 1 (upright) to 8; 1 where it is damaged (TIFF 6.0, section 2). */
export function exifOrientation(exif: Bytes): number {
  const low = exif.startsWith('II*\0');
  if (!low && !exif.startsWith('MM\0*')) return 1;
  const short = (place: number): number => (low ? exif.shortLow(place) : exif.short(place));
  const int = (place: number): number => (low ? exif.intLow(place) : exif.int(place));
  try {
    const start = int(4);
    const count = short(start);
    int(start + 2 + 12 * count); // the table must be whole, with the offset of the next one
    for (let index = 0; index < count; index++) {
      const entry = start + 2 + 12 * index;
      if (short(entry) !== ORIENTATION) continue;
      const value = short(entry + 2) === SHORT_TYPE ? short(entry + 8) : 1;
      return value >= 1 && value <= 8 ? value : 1;
    }
    return 1;
  } catch (error) {
    if (error instanceof OutsideError) return 1;
    throw error;
  }
}
