import { artefactError } from '../errors.js';
import { Bytes, latin1 } from './bytes.js';
import { StoredZip, ZipError } from './zip.js';

export const SELFTEST = 'selftest.npz';
const MAX_BYTES = 256 * 2 ** 20;
const DIMENSIONS = 4;

/** Images of the network's size, uint8 [S, S, 3], with the outputs at build time. */
export interface SelfTestVectors {
  readonly images: readonly Uint8Array[];
  readonly imageShape: readonly number[];
  readonly outputs: readonly Float32Array[];
  readonly outputShape: readonly number[];
  readonly tolerance: number;
}

/** At most the first `limit` vectors of a `selftest.npz`: an uncompressed zip of NumPy arrays. */
export function readVectors(npz: Uint8Array, limit = Infinity): SelfTestVectors {
  let arrays: Record<'images' | 'logits' | 'tolerance', Npy>;
  try {
    arrays = { images: arrayIn(npz, 'images'), logits: arrayIn(npz, 'logits'), tolerance: arrayIn(npz, 'tolerance') };
  } catch (error) {
    throw unreadable(error);
  }
  const { images, logits, tolerance } = arrays;
  const count = images.shape[0] ?? 0;
  const kinds = images.kind === '|u1' && logits.kind === '<f4' && tolerance.kind === '<f8';
  const sound = images.shape.length === DIMENSIONS && logits.shape.length >= 2 && count > 0;
  if (!kinds || !sound || logits.shape[0] !== count || tolerance.shape.length > 0) {
    throw artefactError(`the self-test vectors ${SELFTEST} contradict one another`, 'build the bundle again');
  }
  try {
    const rows = Array.from({ length: Math.min(count, limit) }, (_, row) => row);
    return {
      images: rows.map((row) => images.row(row, 1)),
      imageShape: images.shape.slice(1),
      outputs: rows.map((row) => floats(logits.row(row, 4))),
      outputShape: logits.shape.slice(1),
      tolerance: viewOf(tolerance.row(0, 8)).getFloat64(0, true),
    };
  } catch (error) {
    throw unreadable(error); // the data are shorter than their shape
  }
}

const unreadable = (cause: unknown): Error =>
  artefactError(`the self-test vectors ${SELFTEST} cannot be read`, 'copy the bundle again, or build it again', cause);

function arrayIn(npz: Uint8Array, name: string): Npy {
  const zip = new StoredZip(npz);
  const members = zip.members();
  if (members.reduce((sum, each) => sum + each.size, 0) > MAX_BYTES) throw new ZipError('too large');
  const member = members.find((each) => each.name === `${name}.npy` && each.method === 0);
  if (member === undefined) throw new ZipError(`there is no ${name}`);
  return new Npy(zip.content(member));
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function floats(bytes: Uint8Array): Float32Array {
  const view = viewOf(bytes);
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => view.getFloat32(4 * index, true));
}

/** An array of NumPy in memory (numpy.lib.format, version 1.0 of the npy format). */
class Npy {
  readonly kind: string;
  readonly shape: readonly number[];
  private readonly data: Uint8Array;

  constructor(raw: Uint8Array) {
    const bytes = new Bytes(raw);
    if (!bytes.startsWith('\x93NUMPY') || bytes.shortLow(6) !== 1) throw new ZipError('another version of npy');
    const start = 10 + bytes.shortLow(8);
    const header = latin1(bytes.slice(10, start));
    this.data = bytes.slice(start, bytes.size);
    this.kind = find(header, /'descr': *'([^']*)'/);
    if (find(header, /'fortran_order': *(\w+)/) !== 'False') throw new ZipError('an array by columns');
    const sides = find(header, /'shape': *\(([0-9, ]*)\)/).split(',');
    this.shape = sides.map((each) => each.trim()).filter((each) => each !== '').map(Number);
  }

  /** The bytes of a row, of items of so many bytes. */
  row(index: number, bytes: number): Uint8Array {
    const size = this.shape.slice(1).reduce((product, side) => product * side, bytes);
    const row = this.data.slice(index * size, (index + 1) * size);
    if (row.length !== size) throw new ZipError('an array is cut off');
    return row;
  }
}

function find(header: string, pattern: RegExp): string {
  const found = pattern.exec(header)?.[1];
  if (found === undefined) throw new ZipError('the header of an array is damaged');
  return found;
}
