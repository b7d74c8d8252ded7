import { EdgekdError } from '../errors.js';

export const MAX_BYTES = 150_000_000;
export const MAX_PIXELS = 200_000_000;
export const MAX_SCANS = 100;
export const MAX_SCANNED_PIXELS = 1_500_000_000;
export const MAX_MEMORY = 400_000_000;

export type Format = 'jpeg' | 'png' | 'bmp' | 'webp';

/** An image is refused: the rest of a sentence that begins with its name, and what to do. */
export class Unreadable extends Error {
  constructor(
    readonly reason: string,
    readonly hint: string,
  ) {
    super(reason);
  }

  errorFor(name: string): EdgekdError {
    return new EdgekdError('image', `${name} ${this.reason}`, this.hint, this);
  }
}

export const damagedImage = (kind: string): Unreadable =>
  new Unreadable(`cannot be decoded as ${kind}`, 'open it in an image viewer; replace it if it is damaged');

export const truncatedImage = (kind: string): Unreadable =>
  new Unreadable(`is truncated: the end of the ${kind} is missing`, 'copy it again from its source');

export const corruptImage = (kind: string): Unreadable =>
  new Unreadable(`is damaged: the ${kind} data do not make up its picture`, 'copy it again from its source');

/** The header of an encoded image. */
export interface ImageHeader {
  readonly format: Format;
  readonly width: number;
  readonly height: number;
  /** False where the end of the image is missing. */
  readonly complete: boolean;
  /** Whether there is a transparency channel; only opaque images are read. */
  readonly alpha: boolean;
  /** Memory of the decoder for each pixel of its output, at most. */
  readonly bytesPerPixel: number;
  /** Further bytes that the decoder takes regardless of the size of its output. */
  readonly overhead: number;
  /** How often the decoder passes over the whole image. */
  readonly scans: number;
}

/** A header of the given parts; the others are those of a plain image. */
export const header = (parts: Partial<ImageHeader> & Pick<ImageHeader, 'format'>): ImageHeader => ({
  width: 0,
  height: 0,
  complete: true,
  alpha: false,
  bytesPerPixel: 6,
  overhead: 0,
  scans: 1,
  ...parts,
});

/** Pixels RGB, row by row: width · height · 3 bytes. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}
