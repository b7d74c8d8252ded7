import type { Bytes } from '../bundle/bytes.js';
import { isRestart } from './jpeg.js';
import { CodeError, type Scan } from './jpeg-scans.js';

/** Zero bytes after the data, more than a block can take. */
const PADDING = 700;
/** Bytes that may be left at the end of a scan: some encoders pad to an even length. */
const SPARE = 3;

/**
 * The data between restart markers, without the stuffed zero after each byte 0xFF (ITU-T T.81, B.1.1.5, E.1.4).
 *
 * @throws CodeError The picture needs another number of markers, or they are out of order.
 */
export function restartIntervals(data: Bytes, scan: Scan): ScanBits[] {
  const { array } = data;
  const parts: ScanBits[] = [];
  let from = scan.start;
  let place = array.indexOf(0xff, from);
  let ordered = true;
  while (place >= 0 && place < scan.end) {
    let after = place;
    while (after < scan.end && array[after] === 0xff) after++;
    const marker = array[after] ?? 0;
    if (after < scan.end && isRestart(marker)) {
      ordered &&= (marker & 7) === parts.length % 8;
      parts.push(unstuffed(array, from, place));
      from = after + 1;
    }
    place = array.indexOf(0xff, after + 1);
  }
  parts.push(unstuffed(array, from, scan.end));
  const restarts = scan.interval > 0 && scan.interval < scan.units;
  const needed = restarts ? Math.ceil(scan.units / scan.interval) : 1;
  if (!ordered || parts.length !== needed) throw new CodeError();
  return parts;
}

function unstuffed(array: Uint8Array, start: number, end: number): ScanBits {
  let last = end;
  while (last > start && array[last - 1] === 0xff) last--;
  const octets = new Uint8Array(last - start + PADDING);
  let size = 0;
  let place = start;
  while (place < last) {
    const found = array.indexOf(0xff, place);
    const stop = found < 0 || found >= last ? last : found + 1;
    octets.set(array.subarray(place, stop), size);
    size += stop - place;
    place = stop < last && array[stop - 1] === 0xff && array[stop] === 0 ? stop + 1 : stop;
  }
  return new ScanBits(octets, 8 * size);
}

/** The bits of one restart interval, which must be used to the last. */
export class ScanBits {
  /** The next bit. */
  place = 0;

  constructor(
    private readonly octets: Uint8Array,
    private readonly end: number,
  ) {}

  /** The next 16 bits; zeros after the last. */
  ahead(): number {
    const octet = this.place >> 3;
    const { octets } = this;
    const wide = ((octets[octet] as number) << 16) | ((octets[octet + 1] as number) << 8) | (octets[octet + 2] as number);
    return (wide >> (8 - (this.place & 7))) & 0xffff;
  }

  /** So many bits, at most 16, as a number. */
  take(count: number): number {
    const bits = count === 0 ? 0 : this.ahead() >> (16 - count);
    this.place += count;
    return bits;
  }

  /** A number of so many bits with its sign (ITU-T T.81, F.2.2.1). */
  signed(count: number): number {
    const bits = this.take(count);
    return count > 0 && bits < 1 << (count - 1) ? bits - (1 << count) + 1 : bits;
  }

  /** Refuse a block that ended behind the data. */
  refuseOverrun(): void {
    if (this.place > this.end) throw new CodeError();
  }

  /** Refuse data that are left behind the last block. */
  finish(): void {
    if (this.place <= this.end - 8 * (SPARE + 1) || this.place > this.end) throw new CodeError();
  }
}
