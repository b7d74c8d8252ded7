import { type Json, JsonNumber, type JsonObject, isArray, isObject } from '../bundle/json.js';
import type { FindingState, Reason } from '../prediction.js';
import { fixed } from '../text/text.js';

/** The decision on the network's output for one image; the quality of the photo is judged elsewhere. */
export interface Judgement {
  readonly label: string;
  readonly reasons: readonly Reason[];
  readonly probability: number | null;
  readonly probabilities: ReadonlyMap<string, number>;
  readonly conformalSet: readonly string[] | null;
  readonly findings: ReadonlyMap<string, FindingState>;
}

/** What a task makes of a network's outputs, by the section `decision` of the manifest. */
export interface Task {
  /** Why the section is of wrong types; null where it is not. */
  problemOf(decision: Json): string | null;
  /** How a section of right types contradicts itself or the model. */
  contradictions(classes: readonly string[], decision: JsonObject): string[];
  judge(logits: Float32Array, classes: readonly string[], decision: JsonObject): Judgement;
  /** Whether two outputs give the same answer. */
  agree(one: Float32Array, other: Float32Array): boolean;
}

export type Kind = 'number' | 'number or null' | 'numbers by name or null' | 'texts' | 'object';

const HOLDS: Record<Kind, (value: Json) => boolean> = {
  number: (value) => value instanceof JsonNumber,
  'number or null': (value) => value === null || value instanceof JsonNumber,
  'numbers by name or null': (value) =>
    value === null || (isObject(value) && [...value.values()].every((each) => each instanceof JsonNumber)),
  texts: (value) => isArray(value) && value.every((each) => typeof each === 'string'),
  object: (value) => isObject(value),
};

/** Why a section is not of these fields, each of which may be missing; unknown ones are ignored. */
export function problemOf(section: Json, fields: Readonly<Record<string, Kind>>): string | null {
  if (!isObject(section)) return 'Expected `object` - at `$`';
  for (const [name, kind] of Object.entries(fields)) {
    const value = section.get(name);
    if (value !== undefined && !HOLDS[kind](value)) return `Expected \`${kind}\` - at \`$.${name}\``;
  }
  return null;
}

export const NOT_FINITE: Reason = { code: 'not-finite', text: "the network's output is not finite", about: 'output' };

export const isFiniteOutput = (logits: Float32Array): boolean => logits.every((each) => Number.isFinite(each));

/** The reason to refer an image whose energy is above the threshold. */
export function unfamiliar(energy: number, threshold: number | null): Reason[] {
  if (threshold === null || energy <= threshold) return [];
  const numbers = `its energy ${fixed(energy, 2)} is above ${fixed(threshold, 2)}`;
  return [{ code: 'unfamiliar', text: `the image is unlike what was learnt: ${numbers}`, about: 'output' }];
}

export const isTemperature = (value: number): boolean => value >= 1e-3 && value < 1e4;

export const isShare = (value: number): boolean => value >= 0 && value <= 1;
