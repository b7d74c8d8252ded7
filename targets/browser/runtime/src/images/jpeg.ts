import type { Bytes } from '../bundle/bytes.js';
import { type ImageHeader, Unreadable, damagedImage, header } from './header.js';

export const JPEG_SIGNATURE = '\xff\xd8\xff';
const MAX_SEGMENTS = 4096;
export const PROGRESSIVE = 0xc2;
const END_OF_IMAGE = 0xd9;
export const START_OF_SCAN = 0xda;
const STARTS_OF_FRAME = new Set([
  0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf,
]);
const isAlone = (marker: number): boolean => marker === 0x01 || isRestart(marker);
const TABLES = new Set([0xc4, 0xcc, 0xdb, 0xdc, 0xdd, 0xfe]);
const isKnown = (marker: number): boolean =>
  isAlone(marker) ||
  TABLES.has(marker) ||
  (marker >= 0xe0 && marker <= 0xef) ||
  STARTS_OF_FRAME.has(marker) ||
  marker === END_OF_IMAGE ||
  marker === START_OF_SCAN;

export const isRestart = (marker: number): boolean => marker >= 0xd0 && marker <= 0xd7;

/** A marker and its content, from `start` to before `end`. */
export interface Segment {
  readonly marker: number;
  readonly start: number;
  readonly end: number;
}

/** The header of a JPEG; markers are parsed as libjpeg does (ITU-T T.81, annex B). */
export function readJpeg(data: Bytes): ImageHeader {
  let frame: Segment | null = null;
  let scans = 0;
  let complete = false;
  for (const segment of segments(data)) {
    if (STARTS_OF_FRAME.has(segment.marker)) {
      if (frame !== null) throw damagedImage('jpeg');
      frame = segment;
    } else if (segment.marker === START_OF_SCAN) {
      scans++;
      if (frame !== null && oneScanHoldsAll(data, frame, segment)) {
        complete = hasEnd(data, segment.end);
        break;
      }
    } else if (segment.marker === END_OF_IMAGE) {
      complete = true;
    }
  }
  if (frame === null) return header({ format: 'jpeg', complete: false });
  return headerOf(data, frame, scans, complete && scans > 0);
}

/** The markers in order, to the end of the first image or of the bytes. */
export function* segments(data: Bytes): Generator<Segment> {
  let place = 2;
  for (let count = 0; count < MAX_SEGMENTS; count++) {
    const filled = place;
    while (place < data.size && data.byte(place) === 0xff) place++;
    if (place >= data.size) return;
    const marker = data.byte(place);
    if (place === filled || !isKnown(marker)) throw damagedImage('jpeg');
    place++;
    const end = isAlone(marker) || marker === END_OF_IMAGE ? place : endOf(data, place);
    if (end > data.size) return;
    yield { marker, start: place + 2, end };
    if (marker === END_OF_IMAGE) return;
    place = marker === START_OF_SCAN ? endOfScan(data, end) : end;
  }
  throw new Unreadable(`is a JPEG of more than ${MAX_SEGMENTS} segments`, 'save it again');
}

/** The segments before the first scan. */
export function* leadingSegments(data: Bytes): Generator<Segment> {
  for (const segment of segments(data)) {
    if (segment.marker === START_OF_SCAN) return;
    yield segment;
  }
}

/** Place of the next marker after entropy-coded data, or the end of the bytes. */
export function endOfScan(data: Bytes, start: number): number {
  const { array } = data;
  let place = array.indexOf(0xff, start);
  while (place >= 0 && place < array.length - 1) {
    const next = data.byte(place + 1);
    if (next !== 0 && next !== 0xff && !isRestart(next)) return place;
    place = array.indexOf(0xff, place + 1);
  }
  return data.size;
}

function endOf(data: Bytes, place: number): number {
  if (place + 2 > data.size) return place + 2;
  const length = data.short(place);
  if (length < 2) throw damagedImage('jpeg');
  return place + length;
}

function hasEnd(data: Bytes, start: number): boolean {
  for (let place = data.size - 2; place >= start; place--) {
    if (data.byte(place) === 0xff && data.byte(place + 1) === END_OF_IMAGE) return true;
  }
  return false;
}

/** Whether the first scan holds the whole image, so that the decoder reads no other. */
function oneScanHoldsAll(data: Bytes, frame: Segment, scan: Segment): boolean {
  if (frame.marker === PROGRESSIVE || frame.end - frame.start < 6 || scan.end <= scan.start) return false;
  return data.byte(scan.start) === data.byte(frame.start + 5);
}

function headerOf(data: Bytes, frame: Segment, scans: number, complete: boolean): ImageHeader {
  const { start } = frame;
  if (frame.end - start < 6) throw damagedImage('jpeg');
  const components = data.byte(start + 5);
  if (frame.end - start !== 6 + 3 * components) throw damagedImage('jpeg');
  refuseKinds(frame.marker, data.byte(start), components);
  const height = data.short(start + 1);
  const width = data.short(start + 3);
  const many = frame.marker === PROGRESSIVE || scans > 1;
  const overhead = many ? coefficientBytes(data, frame, width * height) : 0;
  return header({ format: 'jpeg', width, height, complete, overhead, scans });
}

function refuseKinds(marker: number, precision: number, components: number): void {
  const hint = 'save it as an ordinary 8-bit JPEG or as PNG';
  if ([0xc3, 0xc7, 0xcb, 0xcf].includes(marker)) {
    throw new Unreadable('is a lossless JPEG, which few decoders read', hint);
  }
  if ([0xc9, 0xca, 0xcd, 0xce].includes(marker)) {
    throw new Unreadable('is a JPEG with arithmetic coding, which few decoders read', hint);
  }
  if (marker > PROGRESSIVE) throw new Unreadable('is a hierarchical JPEG, which few decoders read', hint);
  if (precision !== 8) throw new Unreadable(`is a JPEG of ${precision} bits a channel`, hint);
  if (components === 4) throw new Unreadable('is a CMYK JPEG, colours for print', 'save it as RGB');
  if (components !== 1 && components !== 3) {
    throw new Unreadable(`is a JPEG of ${components} channels`, 'save it as RGB');
  }
}

/** Memory for the coefficients of an image of several scans, at two bytes each. */
function coefficientBytes(data: Bytes, frame: Segment, pixels: number): number {
  const factors: number[] = [];
  for (let place = frame.start + 7; place < frame.end; place += 3) {
    factors.push((data.byte(place) >> 4) * (data.byte(place) & 15));
  }
  const sum = factors.reduce((total, each) => total + each, 0);
  return Math.floor((2 * pixels * sum) / Math.max(1, ...factors));
}
