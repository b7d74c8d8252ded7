import type { Bytes } from '../bundle/bytes.js';
import { Unreadable } from './header.js';

const CONVERT = 'save it as JPEG or PNG';
const EXPORT = 'export it as JPEG';
const RAW = "a camera's raw photo";
const JPEG_2000 = 'a JPEG 2000 file';
const JPEG_XL = 'a JPEG XL file';
const STARTS: readonly (readonly [string, string, string])[] = [
  ['GIF8', 'a GIF, which has too few colours', 'take the original photo'],
  ['\0\0\0\x0cjP  \r\n\x87\n', JPEG_2000, CONVERT],
  ['\xff\x4f\xff\x51', JPEG_2000, CONVERT],
  ['\xff\n', JPEG_XL, CONVERT],
  ['\0\0\0\x0cJXL \r\n\x87\n', JPEG_XL, CONVERT],
  ['II\xbc\x01', 'a JPEG XR file', CONVERT],
  ['%PDF', 'a PDF document', EXPORT],
  ['8BPS', 'a Photoshop document', EXPORT],
  ['FUJIFILMCCD-RAW', RAW, EXPORT],
  ['IIRO', RAW, EXPORT],
  ['IIRS', RAW, EXPORT],
  ['IIU\0', RAW, EXPORT],
  ['PK\x03\x04', 'a zip archive', 'unpack it first'],
];
const HEIC = new Set(['heic', 'heix', 'hevc', 'hevx', 'heim', 'heis', 'mif1', 'msf1']);
const DOCUMENTS: readonly (readonly [string, string])[] = [
  ['<svg', 'an SVG drawing'],
  ['<!doctype html', 'a web page'],
  ['<html', 'a web page'],
];
const LOOKED_AT = 1024;

/** The refusal of bytes that are in none of the formats that edgekd reads. */
export function refusal(data: Bytes): Unreadable {
  if (data.size === 0) return new Unreadable('is empty', 'copy it again from its source');
  const known = STARTS.find(([start]) => data.startsWith(start));
  if (known !== undefined) return new Unreadable(`is ${known[1]}`, known[2]);
  if (data.startsWith('ftyp', 4)) return baseMedia(data.text(8, 4));
  const text = data.text(0, LOOKED_AT).replace(/^[\xef\xbb\xbf \t\r\n]+/, '').toLowerCase();
  const document = text.startsWith('<') ? DOCUMENTS.find(([word]) => text.includes(word)) : undefined;
  if (document !== undefined) return new Unreadable(`is ${document[1]}`, 'give the photo itself');
  return new Unreadable('is not an image of a known format', 'JPEG, PNG, BMP, WebP, TIFF and DICOM are read');
}

function baseMedia(brand: string): Unreadable {
  if (HEIC.has(brand)) {
    return new Unreadable('is a HEIC photo', 'set the camera to JPEG (“most compatible”), or convert it to JPEG');
  }
  if (brand === 'avif' || brand === 'avis') return new Unreadable('is an AVIF image', CONVERT);
  if (brand === 'crx ') return new Unreadable(`is ${RAW}`, EXPORT);
  return new Unreadable('is a video', 'give one of its pictures as JPEG or PNG');
}
