import { Bytes, OutsideError } from '../bundle/bytes.js';
import { inputError } from '../errors.js';
import { decodeBmp, readBmp } from './bmp.js';
import { refusal } from './foreign.js';
import {
  type ImageHeader,
  MAX_BYTES,
  MAX_MEMORY,
  MAX_PIXELS,
  MAX_SCANNED_PIXELS,
  MAX_SCANS,
  type Pixels,
  Unreadable,
  damagedImage,
  truncatedImage,
} from './header.js';
import { JPEG_SIGNATURE, leadingSegments, readJpeg } from './jpeg.js';
import { decodeJpeg } from './jpeg-pixels.js';
import { PNG_SIGNATURE, pngChunk, readPng } from './png.js';
import { decodePng } from './png-pixels.js';
import { conversionOf, profileIn } from './profile.js';
import { centreSquare, resizedByArea } from './resize.js';
import { upright } from './turning.js';
import { decodeWebp, exifOrientation, isWebp, readWebp } from './webp.js';

const FACTORS = [8, 4, 2];
const TIFF = new Set(['II*\0', 'MM\0*', 'II+\0', 'MM\0+']);
const NAME = 'the image';

/** Pixels RGB that a page has already, upright, row by row. */
export type Photo = Uint8Array | Pixels;

/**
 * The square that the network gets, RGB, row by row, by the one preprocessing rule `centre-square-area-v2`: decode, turn
 * upright, crop the centre square, resize by area. docs/runtime-contract.md defines it.
 *
 * @throws EdgekdError The photo cannot be read.
 */
export async function squareOf(photo: Photo, size: number): Promise<Uint8Array> {
  if (!(photo instanceof Uint8Array)) return squareOfPixels(photo, size);
  const data = new Bytes(photo);
  try {
    const [pixels, { format }] = await decoded(data, size);
    const profile = profileIn(data, format);
    const conversion = profile === null ? null : conversionOf(profile);
    const square = squareOfPixels(pixels, size).slice();
    conversion?.convert(square);
    return square;
  } catch (error) {
    if (error instanceof Unreadable) throw error.errorFor(NAME);
    throw error;
  }
}

function squareOfPixels(image: Pixels, size: number): Uint8Array {
  if (image.width < 1 || image.height < 1 || image.rgb.length !== 3 * image.width * image.height) {
    const sizes = `${image.rgb.length} bytes, not ${image.width} x ${image.height} x 3`;
    throw inputError(`the pixels are ${sizes}`, 'give RGB pixels, row by row');
  }
  const square = centreSquare(image);
  return resizedByArea(square.rgb, square.width, size);
}

/** The pixels, upright, with at least 2 · size of them on the shorter side where the image has them. */
async function decoded(data: Bytes, size: number): Promise<[Pixels, ImageHeader]> {
  if (data.size > MAX_BYTES) throw new Unreadable(`has more than ${MAX_BYTES} bytes`, 'save it as JPEG');
  if (data.startsWith('DICM', 128)) throw notHere('a DICOM file');
  const header = headerOf(data);
  if (!header.complete) throw truncatedImage(header.format);
  const shorter = Math.min(header.width, header.height);
  const jpeg = header.format === 'jpeg';
  const factor = (jpeg ? FACTORS.find((each) => Math.floor(shorter / each) >= 2 * size) : undefined) ?? 1;
  refuseCost(header, factor);
  return [upright(await pixelsOf(data, header, factor), orientationOf(data, header)), header];
}

async function pixelsOf(data: Bytes, header: ImageHeader, factor: number): Promise<Pixels> {
  try {
    switch (header.format) {
      case 'jpeg':
        return decodeJpeg(data, factor);
      case 'bmp':
        return decodeBmp(data);
      case 'png':
        return opaque(decodePng(data));
      case 'webp':
        return opaque(await decodeWebp(data));
    }
  } catch (error) {
    if (error instanceof OutsideError || error instanceof RangeError) throw damagedImage(header.format);
    throw error;
  }
}

function opaque<T extends Pixels & { readonly opaque: boolean }>(image: T): T {
  if (image.opaque) return image;
  const problem = 'is transparent in places, and what lies under them is not the photo';
  throw new Unreadable(problem, 'save it without transparency');
}

function headerOf(data: Bytes): ImageHeader {
  if (data.startsWith(JPEG_SIGNATURE)) return readJpeg(data);
  if (data.startsWith(PNG_SIGNATURE)) return readPng(data);
  if (isWebp(data)) return readWebp(data);
  if (TIFF.has(data.text(0, 4))) throw notHere('a TIFF');
  if (data.startsWith('BM')) return readBmp(data);
  throw refusal(data);
}

const notHere = (kind: string): Unreadable =>
  new Unreadable(`is ${kind}, which the runtime for browsers does not read`, 'save it as JPEG or PNG');

/** The EXIF orientation, 1 to 8; that of a WebP is refused by `readWebp` where it is not 1. */
function orientationOf(data: Bytes, { format }: ImageHeader): number {
  if (format === 'png') {
    const exif = pngChunk(data, 'eXIf');
    return exif === null ? 1 : exifOrientation(new Bytes(exif));
  }
  if (format !== 'jpeg') return 1;
  for (const segment of leadingSegments(data)) {
    if (segment.marker === 0xe1 && data.startsWith('Exif\0\0', segment.start)) {
      return exifOrientation(new Bytes(data.slice(segment.start + 6, segment.end)));
    }
  }
  return 1;
}

function refuseCost(header: ImageHeader, factor: number): void {
  const { width, height, format, scans } = header;
  const pixels = width * height;
  const size = `${width}x${height} pixels`;
  if (pixels === 0) throw damagedImage(format);
  if (pixels > MAX_PIXELS) throw new Unreadable(`has ${size}, more than ${MAX_PIXELS}`, 'scale it down first');
  if (scans > MAX_SCANS || scans * pixels > MAX_SCANNED_PIXELS) {
    const problem = `is a JPEG of ${scans} scans, which would take too long to decode`;
    throw new Unreadable(problem, 'save it as an ordinary (baseline) JPEG');
  }
  const memory = header.overhead + (header.bytesPerPixel * pixels) / (factor * factor);
  if (memory > MAX_MEMORY) {
    const hint = 'scale it down first, or save it as an ordinary (baseline) JPEG';
    throw new Unreadable(`has ${size}, too many for a ${format} of its kind`, hint);
  }
}
