import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'vitest';

import { EdgekdError } from '../src/errors.js';
import { type JsonObject, isArray, isObject, parseJson } from '../src/bundle/json.js';

/** Where `edgekd conformance --out DIR` wrote the vectors. */
export const FOLDER = process.env['EDGEKD_VECTORS'] ?? '';
if (FOLDER === '') throw new Error('give EDGEKD_VECTORS=DIR, of `edgekd conformance --out DIR`');

export const bytes = (name: string): Uint8Array => new Uint8Array(readFileSync(join(FOLDER, name)));

export interface Refused {
  readonly error: string;
  readonly exit_code: number;
  readonly message: string;
  readonly hint: string;
  readonly exact: boolean;
}

interface Case {
  readonly id: string;
  readonly refused?: Refused | null;
}

export interface PhotoCase extends Case {
  readonly photo: string;
  readonly size: number;
  readonly sha256: string;
  readonly square: string;
  readonly max_difference: number;
  readonly needs: string;
}

type Numbers = Record<string, number | string>;

export interface ReasonCase {
  readonly code: string;
  readonly text: string;
}

export interface CaptureCase extends Case {
  readonly square: string;
  readonly size: number;
  readonly measures: Numbers;
  readonly features: (number | string)[];
  readonly distance: number | string | null;
  readonly reasons: readonly ReasonCase[];
  readonly tolerance: number;
}

export interface DecisionCase extends Case {
  readonly task: string;
  readonly classes: string[];
  readonly logits: (number | string)[];
  readonly label: string;
  readonly verdict: string;
  readonly probability: number | string | null;
  readonly probabilities: Numbers;
  readonly reasons: readonly ReasonCase[];
  readonly conformal_set: string[] | null;
  readonly findings: Record<string, string>;
  readonly tolerance: number;
}

export interface BundleCase extends Case {
  readonly bundle: string;
  readonly runs: boolean;
  readonly public_key: string | null;
  readonly sha256: string;
  readonly signature: string;
  readonly classes: string[];
  readonly coverage: number | null;
  readonly warnings: string[];
}

export interface PredictionCase extends Case {
  readonly bundle: string;
  readonly backend: string;
  readonly photo: string;
  readonly logits: number[];
  readonly logits_tolerance: number;
  readonly label: string;
  readonly probabilities: Numbers;
  readonly decision: string;
  readonly reasons: string[];
  readonly conformal_set: string[] | null;
}

interface Document {
  readonly vectors_version: string;
  readonly photos: PhotoCase[];
  readonly captures: CaptureCase[];
  readonly decisions: DecisionCase[];
  readonly bundles: BundleCase[];
  readonly predictions: PredictionCase[];
}

const RAW = bytes('vectors.json');
export const VECTORS = JSON.parse(new TextDecoder().decode(RAW)) as Document;
if (!VECTORS.vectors_version.startsWith('1.')) throw new Error('another version of the vectors');
const EXACT = parseJson(RAW);

/** A case as the runtime's own reader has it, which keeps the text of numbers. */
export function exact(group: string, id: string): JsonObject {
  const cases = isObject(EXACT) ? EXACT.get(group) : undefined;
  const found = isArray(cases) ? cases.find((each) => isObject(each) && each.get('id') === id) : undefined;
  if (!isObject(found)) throw new Error(`there is no ${id}`);
  return found;
}

/** A number, or one of the words `nan`, `inf`, `-inf`. */
export function number(value: number | string): number {
  const words: Record<string, number> = { nan: NaN, inf: Infinity, '-inf': -Infinity };
  return typeof value === 'number' ? value : (words[value] ?? Number(value));
}

/** Check that a value lies within a tolerance; NaN is equal to NaN. */
export function near(value: number, expected: number | string, tolerance: number, name: string): void {
  const target = number(expected);
  if (Object.is(value, target)) return;
  expect(Math.abs(value - target), `${name}: ${value} for ${target}`).toBeLessThanOrEqual(tolerance);
}

/** Check that some work ends with the error that the vectors have. */
export async function refuses(refused: Refused, work: () => Promise<unknown>): Promise<void> {
  const error = await work().then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof EdgekdError)) throw error instanceof Error ? error : new Error('it is not refused');
  expect([error.kind, error.exitCode], error.message).toEqual([refused.error, refused.exit_code]);
  if (!refused.exact) {
    expect(error.message.startsWith(refused.message), error.message).toBe(true);
    return;
  }
  expect([error.message, error.hint]).toEqual([refused.message, refused.hint]);
}
