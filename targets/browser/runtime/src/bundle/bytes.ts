/** A place outside of some bytes. */
export class OutsideError extends Error {}

/** Numbers in bytes, in either order; a place outside of them is an `OutsideError`. */
export class Bytes {
  constructor(readonly array: Uint8Array) {}

  get size(): number {
    return this.array.length;
  }

  byte(place: number): number {
    const value = this.array[place];
    if (value === undefined) throw new OutsideError();
    return value;
  }

  /** Two bytes, the lower one first. */
  shortLow(place: number): number {
    return this.byte(place) | (this.byte(place + 1) << 8);
  }

  /** Four bytes, the lowest first, unsigned. */
  intLow(place: number): number {
    return this.shortLow(place) + this.shortLow(place + 2) * 0x10000;
  }

  /** Two bytes, the higher one first. */
  short(place: number): number {
    return (this.byte(place) << 8) | this.byte(place + 1);
  }

  /** Four bytes, the highest first, unsigned. */
  int(place: number): number {
    return this.short(place) * 0x10000 + this.short(place + 2);
  }

  /** As Python slices: what lies outside is left out. */
  slice(start: number, end: number): Uint8Array {
    return this.array.subarray(start, Math.max(start, end));
  }

  /** So many bytes as Latin-1. */
  text(start: number, length: number): string {
    return latin1(this.slice(start, start + length));
  }

  startsWith(word: string, at = 0): boolean {
    return this.text(at, word.length) === word;
  }
}

/** Bytes as Latin-1: each one letter (what browsers call so is another code page). */
export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let from = 0; from < bytes.length; from += 8192) {
    text += String.fromCharCode(...bytes.subarray(from, from + 8192));
  }
  return text;
}

export const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (each) => each.toString(16).padStart(2, '0')).join('');

/** Hex SHA-256 by WebCrypto, which browsers offer to pages of HTTPS and of this computer alone. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)));
}
