/** Numbers and quotations as the reasons and messages of every runtime write them (Python's formats). */
const LONGEST = 800;
/** Digits after the last one shown; a double that lies exactly in the middle has only zeros there. */
const SPARE = 60;
const WHOLE_FROM = 1e21;

/** Python's `.{digits}g`: so many significant digits, half to even on the exact value. */
export function general(value: number, digits: number): string {
  const word = wordFor(value);
  if (word !== null) return word;
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const sign = value < 0 ? '-' : '';
  const [mantissa = '', power = ''] = Math.abs(value).toExponential(digits - 1 + SPARE).split('e');
  let exponent = Number(power);
  let rounded = roundedDigits(mantissa.replace('.', ''), digits);
  if (rounded.length > digits) {
    rounded = rounded.slice(0, digits);
    exponent += 1;
  }
  if (exponent >= -4 && exponent < digits) return sign + plain(rounded, exponent);
  const shown = withoutZeros(`${rounded.slice(0, 1)}.${rounded.slice(1)}`);
  const size = String(Math.abs(exponent)).padStart(2, '0');
  return `${sign}${shown}e${exponent < 0 ? '-' : '+'}${size}`;
}

/** Python's `.{digits}f`. */
export function fixed(value: number, digits: number): string {
  const word = wordFor(value);
  if (word !== null) return word;
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const size = Math.abs(value);
  if (size >= WHOLE_FROM) return `${sign}${BigInt(size)}.${'0'.repeat(digits)}`;
  const [whole = '', fraction = ''] = size.toFixed(digits + SPARE).split('.');
  const rounded = roundedDigits(whole + fraction, whole.length + digits).padStart(digits + 1, '0');
  const point = rounded.length - digits;
  return digits === 0 ? sign + rounded : `${sign}${rounded.slice(0, point)}.${rounded.slice(point)}`;
}

/** A probability with two decimals, or with two digits where those would be 0.00. */
export const share = (value: number): string => (value >= 0.1 ? fixed(value, 2) : general(value, 2));

/** Python's `repr` of a text. */
export function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inside = lettersOf(text).map((letter) => {
    if (letter === quote || letter === '\\') return `\\${letter}`;
    return isPrintable(letter) ? letter : escaped(letter);
  });
  return quote + inside.join('') + quote;
}

/** The text cut to one printable line; it may quote the content of a damaged file. */
export function oneLine(text: string): string {
  const all = lettersOf(text);
  const cut = all.length <= LONGEST ? all : [...all.slice(0, LONGEST), ' ', '…'];
  return cut.map((letter) => (isPrintable(letter) ? letter : escaped(letter))).join('');
}

/** The first letters of a text, counted as code points. */
export const first = (text: string, most: number): string => lettersOf(text).slice(0, most).join('');

export const lengthOf = (text: string): number => lettersOf(text).length;

/** The code points of a text, as Python counts them. */
const lettersOf = (text: string): string[] => Array.from(text);

export const isPrintable = (text: string): boolean => !/[^\P{C}]|[^\P{Z} ]/u.test(text);

function wordFor(value: number): string | null {
  if (Number.isNaN(value)) return 'nan';
  if (Number.isFinite(value)) return null;
  return value > 0 ? 'inf' : '-inf';
}

/** The first `count` of some digits, rounded half to even; one digit more where all were nines. */
function roundedDigits(digits: string, count: number): string {
  const head = digits.slice(0, count);
  const rest = digits.slice(count);
  const half = `5${'0'.repeat(rest.length - 1)}`;
  const odd = Number(head.at(-1) ?? '0') % 2 === 1;
  if (rest < half || (rest === half && !odd)) return head;
  return String(BigInt(head || '0') + 1n).padStart(head.length, '0');
}

function plain(digits: string, exponent: number): string {
  if (exponent < 0) return withoutZeros(`0.${'0'.repeat(-exponent - 1)}${digits}`);
  return withoutZeros(`${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`);
}

const withoutZeros = (text: string): string => text.replace(/0+$/, '').replace(/\.$/, '');

function escaped(letter: string): string {
  const known = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[letter];
  if (known !== undefined) return known;
  const point = letter.codePointAt(0) ?? 0;
  const hex = point.toString(16);
  if (point < 0x100) return `\\x${hex.padStart(2, '0')}`;
  return point < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}
