/** JSON of RFC 8259, strictly; numbers keep their text, since 1.0 is no integer of a schema. */
export class JsonNumber {
  readonly value: number;

  constructor(readonly text: string) {
    this.value = Number(text);
  }

  get isInteger(): boolean {
    return /^-?\d+$/.test(this.text);
  }
}

/** An object; the order of its names is that of the file, whatever they are. */
export type JsonObject = ReadonlyMap<string, Json>;
export type Json = null | boolean | string | JsonNumber | readonly Json[] | JsonObject;

/** The bytes are not JSON. */
export class JsonError extends Error {}

const DEEPEST = 200;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// eslint-disable-next-line no-control-regex -- RFC 8259, section 7: they must be escaped
const TEXT = /"((?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"/y;
const BLANK = /[ \t\r\n]*/y;
const WORDS: readonly (readonly [string, Json])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
];

/** The value that some bytes are in UTF-8. */
export function parseJson(raw: Uint8Array): Json {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    throw new JsonError();
  }
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

export const isObject = (value: Json | undefined): value is JsonObject => value instanceof Map;

export const isArray = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

class Reader {
  private place = 0;

  constructor(private readonly text: string) {}

  value(depth: number): Json {
    if (depth > DEEPEST) throw new JsonError();
    this.take(BLANK);
    switch (this.text[this.place]) {
      case '{':
        return this.object(depth);
      case '[':
        return this.array(depth);
      case '"':
        return this.string();
      default:
        return this.wordOrNumber();
    }
  }

  end(): void {
    this.take(BLANK);
    if (this.place !== this.text.length) throw new JsonError();
  }

  private object(depth: number): JsonObject {
    const members = new Map<string, Json>();
    this.place++;
    if (this.next('}')) return members;
    do {
      this.take(BLANK);
      const name = this.string();
      if (!this.next(':')) throw new JsonError();
      members.set(name, this.value(depth + 1));
    } while (this.next(','));
    if (!this.next('}')) throw new JsonError();
    return members;
  }

  private array(depth: number): Json[] {
    const values: Json[] = [];
    this.place++;
    if (this.next(']')) return values;
    do values.push(this.value(depth + 1));
    while (this.next(','));
    if (!this.next(']')) throw new JsonError();
    return values;
  }

  private string(): string {
    const literal = this.take(TEXT);
    if (literal === null) throw new JsonError();
    const text = JSON.parse(literal) as string;
    if (/\p{Surrogate}/u.test(text)) throw new JsonError();
    return text;
  }

  private wordOrNumber(): Json {
    for (const [word, value] of WORDS) {
      if (this.text.startsWith(word, this.place)) {
        this.place += word.length;
        return value;
      }
    }
    const literal = this.take(NUMBER);
    if (literal === null) throw new JsonError();
    const number = new JsonNumber(literal);
    if (!Number.isFinite(number.value)) throw new JsonError();
    return number;
  }

  private next(letter: string): boolean {
    this.take(BLANK);
    if (this.text[this.place] !== letter) return false;
    this.place++;
    return true;
  }

  private take(pattern: RegExp): string | null {
    pattern.lastIndex = this.place;
    const match = pattern.exec(this.text);
    if (match === null) return null;
    this.place = pattern.lastIndex;
    return match[0];
  }
}

/** A member that is there, by the schema. */
export function member(object: JsonObject, name: string): Json {
  const value = object.get(name);
  if (value === undefined) throw new JsonError(name);
  return value;
}

export function textOf(object: JsonObject, name: string): string {
  const value = member(object, name);
  return plainText(value);
}

export function objectOf(object: JsonObject, name: string): JsonObject {
  const value = object.get(name);
  return isObject(value) ? value : new Map();
}

export function arrayOf(object: JsonObject, name: string): readonly Json[] {
  const value = object.get(name);
  return isArray(value) ? value : [];
}

/** A number that may be null or missing. */
export function numberOf(object: JsonObject, name: string): number | null {
  const value = object.get(name);
  return value instanceof JsonNumber ? value.value : null;
}

/** Numbers by name of a field that may be null or missing. */
export function numbersByName(object: JsonObject, name: string): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const [key, value] of objectOf(object, name)) {
    if (value instanceof JsonNumber) numbers.set(key, value.value);
  }
  return numbers;
}

export const numbers = (value: Json | undefined): number[] =>
  isArray(value) ? value.map((each) => (each instanceof JsonNumber ? each.value : NaN)) : [];

export const texts = (values: readonly Json[]): string[] => values.map(plainText);

/** A text, or a number, truth value or null as it is written. */
export function plainText(value: Json): string {
  if (typeof value === 'string') return value;
  if (value instanceof JsonNumber) return value.text;
  return value === null || typeof value === 'boolean' ? String(value) : '';
}
