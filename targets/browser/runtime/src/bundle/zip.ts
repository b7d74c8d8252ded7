import { Bytes, latin1 } from './bytes.js';

/** What is wrong with a zip, as the rest of a sentence. */
export class ZipError extends Error {}

/** A member of a zip, as the directory describes it. */
export interface ZipMember {
  readonly name: string;
  /** The bytes of its name, which those before its content repeat. */
  readonly rawName: Uint8Array;
  readonly method: number;
  readonly flags: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly header: number;
}

const END_BYTES = 22;
const END = 0x06054b50;
const DIRECTORY = 0x02014b50;
const LOCAL = 0x04034b50;
const LOCATOR64 = 0x07064b50;
const LOCATOR64_BYTES = 20;
const UTF8 = 0x800;
const ENCRYPTED = 1;

/**
 * An uncompressed zip in memory. Common readers believe the headers between the members, which may contradict the
 * directory.
 *
 * Source: PKWARE's APPNOTE.TXT, 4.3.7 (local header), 4.3.12 (directory), 4.3.16 (end).
 */
export class StoredZip {
  private readonly bytes: Bytes;
  private readonly end: number;
  /** Members that the last record counts. */
  readonly count: number;
  /** Bytes of the directory. */
  readonly directoryBytes: number;

  constructor(archive: Uint8Array) {
    this.bytes = new Bytes(archive);
    this.end = endOf(this.bytes);
    this.count = this.bytes.shortLow(this.end + 10);
    this.directoryBytes = this.bytes.intLow(this.end + 12);
  }

  /** The members in the directory's order. */
  members(): ZipMember[] {
    const { bytes, end } = this;
    const start = end - this.directoryBytes;
    // The offset may be smaller where other bytes stand before the zip, but never larger.
    if (start < 0 || bytes.intLow(end + 16) > start) throw new ZipError('its directory is not where it says');
    const members: ZipMember[] = [];
    let place = start;
    while (place < end) {
      if (place + 46 > end || bytes.intLow(place) !== DIRECTORY) throw new ZipError('its directory is damaged');
      const name = bytes.shortLow(place + 28);
      const length = 46 + name + bytes.shortLow(place + 30) + bytes.shortLow(place + 32);
      if (place + length > end) throw new ZipError('its directory is cut off');
      members.push(this.member(place, name, start - bytes.intLow(end + 16)));
      place += length;
    }
    return members;
  }

  private member(place: number, nameLength: number, before: number): ZipMember {
    const { bytes } = this;
    const flags = bytes.shortLow(place + 8);
    const name = bytes.slice(place + 46, place + 46 + nameLength);
    return {
      name: (flags & UTF8) !== 0 ? new TextDecoder().decode(name) : latin1(name),
      rawName: name,
      method: bytes.shortLow(place + 10),
      flags,
      crc: bytes.intLow(place + 16),
      packed: bytes.intLow(place + 20),
      size: bytes.intLow(place + 24),
      header: bytes.intLow(place + 42) + before,
    };
  }

  /** The content of a stored member; its checksum is compared. */
  read(member: ZipMember): Uint8Array {
    const content = this.content(member);
    if (crc32(content) !== member.crc) throw new ZipError(`the checksum of ${member.name} is wrong`);
    return content;
  }

  /** The same, whose checksum is not compared. */
  content(member: ZipMember): Uint8Array {
    const { bytes, end } = this;
    const place = member.header;
    if (place < 0 || place + 30 > end || bytes.intLow(place) !== LOCAL) {
      throw new ZipError(`the header of ${member.name} is damaged`);
    }
    const name = bytes.slice(place + 30, place + 30 + bytes.shortLow(place + 26));
    if (name.length !== member.rawName.length || !name.every((byte, index) => byte === member.rawName[index])) {
      throw new ZipError(`the header of ${member.name} has another name`);
    }
    const start = place + 30 + bytes.shortLow(place + 26) + bytes.shortLow(place + 28);
    if ((member.flags & ENCRYPTED) !== 0) throw new ZipError(`${member.name} is encrypted`);
    if (start + member.size > end) throw new ZipError(`${member.name} is cut off`);
    return bytes.slice(start, start + member.size);
  }
}

/** Where the last record begins; it must be the last bytes, without a comment. */
function endOf(bytes: Bytes): number {
  const end = bytes.size - END_BYTES;
  if (end < 0 || bytes.intLow(end) !== END || bytes.shortLow(end + 20) !== 0) {
    throw new ZipError('it does not end as a zip file without a comment does');
  }
  const locator = end - LOCATOR64_BYTES;
  if (locator >= 0 && bytes.intLow(locator) === LOCATOR64) {
    throw new ZipError('it is a zip of the 64-bit kind, for larger files');
  }
  return end;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) !== 0 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}
