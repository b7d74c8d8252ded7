import { artefactError } from '../errors.js';
import type { Task } from '../tasks/task.js';
import { taskNamed } from '../tasks/tasks.js';
import { first, isPrintable, lengthOf, quoted } from '../text/text.js';
import {
  type Json,
  JsonError,
  JsonNumber,
  type JsonObject,
  arrayOf,
  isArray,
  isObject,
  member,
  numberOf,
  numbers,
  objectOf,
  parseJson,
  textOf,
  texts,
} from './json.js';
import { warningsOf } from './policy.js';
import { Schema } from './schema.js';
import schemaText from './manifest.schema.json?raw';

export const FORMAT_VERSION = '1.10';
export const RULE = 'centre-square-area-v2';
const MOST_CLASSES = 10_000;
const LONGEST_NAME = 200;
const AGAIN = 'build the bundle again';
const COPY = 'copy the bundle again, or build it again';

/** The range in which a measure has to lie; null means no limit on that side. */
export interface Limit {
  readonly low: number | null;
  readonly high: number | null;
}

/** The appearance of the training images, as a normal distribution of sixteen features. */
export interface Appearance {
  readonly mean: readonly number[];
  readonly whitening: readonly (readonly number[])[];
  readonly limit: number;
}

export interface Sentence {
  readonly problem: string;
  readonly remedy: string;
}

/** Limits beyond which a photo has to be taken again, in the order of the manifest. */
export interface CaptureRule {
  readonly limits: ReadonlyMap<string, Limit>;
  readonly appearance: Appearance | null;
  readonly coverage: number | null;
  readonly sentences: ReadonlyMap<string, Sentence>;
}

export interface FileEntry {
  readonly sha256: string;
  readonly size: number;
}

/** What turns the features of an enrolled bundle's model file into outputs: weights [K][F] and bias [K]. */
export interface Head {
  readonly weights: readonly (readonly number[])[];
  readonly bias: readonly number[];
}

/** The parts of a manifest that a runtime reads; all of it was checked by its schema. */
export interface Manifest {
  readonly task: Task;
  readonly modelName: string;
  readonly classes: readonly string[];
  readonly imageSize: number;
  readonly resize: string;
  readonly backend: string;
  readonly precision: string;
  readonly completion: string;
  readonly completionCommand: string;
  readonly modelFile: string;
  readonly intendedUse: string;
  readonly limits: string;
  readonly target: string;
  /** Version of edgekd that built the bundle. */
  readonly builtBy: string;
  readonly files: ReadonlyMap<string, FileEntry>;
  readonly capture: CaptureRule | null;
  /** Null where the model file gives the outputs itself. */
  readonly head: Head | null;
  readonly decision: JsonObject;
  /** Sentences that a device must show with every answer. */
  readonly warnings: readonly string[];
}

let schema: Schema | undefined;

function schemaOfManifests(): Schema {
  schema ??= new Schema(asObject(parseJson(new TextEncoder().encode(schemaText))));
  return schema;
}

function asObject(value: Json): JsonObject {
  if (!isObject(value)) throw new JsonError();
  return value;
}

/**
 * The manifest of its JSON.
 *
 * @throws EdgekdError It is not JSON, lacks a field, contradicts itself, or is of another version.
 */
export function decodeManifest(raw: Uint8Array): Manifest {
  const document = renamed(documentOf(raw));
  const problem = schemaOfManifests().problem(document);
  if (problem !== null) throw artefactError(`the bundle's manifest is not valid: ${problem}`, AGAIN);
  const task = taskOf(textOf(document, 'task'));
  const decision = member(document, 'decision');
  const wrong = task.problemOf(decision);
  if (wrong !== null) {
    throw artefactError(`the bundle's manifest's section \`decision\` is not valid: ${wrong}`, AGAIN);
  }
  const manifest = ofDocument(document, task, asObject(decision));
  const problems = [
    ...problemsOfModel(manifest, objectOf(document, 'model')),
    ...task.contradictions(manifest.classes, manifest.decision),
    ...problemsOfFiles(manifest),
    ...problemsOfHead(manifest),
  ];
  if (problems.length > 0) {
    throw artefactError(`the bundle's manifest contradicts itself: ${problems.join('; ')}`, AGAIN);
  }
  return manifest;
}

function ofDocument(document: JsonObject, task: Task, decision: JsonObject): Manifest {
  const model = objectOf(document, 'model');
  const lowering = objectOf(document, 'lowering');
  const capture = document.get('capture');
  const head = document.get('head');
  const orElse = (section: JsonObject, name: string, otherwise: string): string => {
    const value = section.get(name);
    return typeof value === 'string' ? value : otherwise;
  };
  return {
    task,
    decision,
    modelName: textOf(model, 'name'),
    classes: texts(arrayOf(model, 'classes')),
    imageSize: numberOf(model, 'image_size') ?? NaN,
    resize: orElse(model, 'resize', RULE),
    backend: textOf(lowering, 'backend'),
    precision: textOf(lowering, 'precision'),
    completion: orElse(lowering, 'completion', 'complete'),
    completionCommand: orElse(lowering, 'completion_command', 'None'),
    modelFile: textOf(document, 'model_file'),
    intendedUse: orElse(document, 'intended_use', ''),
    limits: orElse(document, 'limits', ''),
    target: textOf(lowering, 'target'),
    builtBy: textOf(document, 'version'),
    files: new Map([...objectOf(document, 'files')].map(([name, entry]) => [name, entryOf(asObject(entry))])),
    capture: isObject(capture) ? captureRule(capture) : null,
    head: isObject(head) ? headOf(head) : null,
    warnings: warningsOf(document),
  };
}

function entryOf(entry: JsonObject): FileEntry {
  return { sha256: textOf(entry, 'sha256'), size: numberOf(entry, 'size') ?? NaN };
}

function documentOf(raw: Uint8Array): JsonObject {
  let document: Json;
  try {
    document = parseJson(raw);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    document = null;
  }
  const value = isObject(document) ? document.get('format_version') : undefined;
  const written = typeof value === 'string' ? value : value instanceof JsonNumber ? value.text : null;
  const major = /^\s*[+-]?\d+\s*$/.exec(written?.split('.')[0] ?? '')?.[0];
  if (!isObject(document) || written === null || major === undefined) {
    throw artefactError("the bundle's manifest is not readable JSON with a format_version", COPY);
  }
  if (BigInt(major.trim().replace('+', '')) !== BigInt(FORMAT_VERSION.split('.')[0] ?? '')) {
    throw artefactError(
      `the bundle has format version ${first(written, 20)}; this edgekd reads ${FORMAT_VERSION}`,
      'install the edgekd that built it, or build it again',
    );
  }
  return document;
}

/** Where a field stands, its name before format 1.6, and its name now. */
const RENAMED: readonly (readonly [readonly string[], string, string])[] = [
  [['lowering'], 'layer_harm', 'layer_sensitivity'],
  [['lowering'], 'rescued', 'quantisation_aware'],
  [['lowering', 'rungs'], 'taken', 'chosen'],
  [['lowering', 'rungs'], 'remarks', 'notes'],
  [['capture'], 'kept', 'coverage'],
];

/** The document with the fields of formats before 1.6 under today's names; a list stands for its members. */
const renamed = (document: JsonObject): JsonObject =>
  RENAMED.reduce((whole, [path, before, now]) => asObject(changed(whole, path, before, now)), document);

function changed(value: Json, path: readonly string[], before: string, now: string): Json {
  if (isArray(value)) return value.map((each) => (isObject(each) ? changed(each, path, before, now) : each));
  if (!isObject(value)) return value;
  const copy = new Map(value);
  const [next, ...rest] = path;
  if (next === undefined) {
    const old = copy.get(before);
    if (old === undefined) return value;
    copy.delete(before);
    copy.set(now, value.get(now) ?? old);
    return copy;
  }
  const section = copy.get(next);
  if (section === undefined) return value;
  return copy.set(next, changed(section, rest, before, now));
}

function taskOf(name: string): Task {
  const task = taskNamed(name);
  if (task !== null) return task;
  throw artefactError(
    `the bundle is for the task ${quoted(first(name, 40))}, which is not installed here`,
    'install the edgekd that built it, or what brings the task',
  );
}

function problemsOfModel(manifest: Manifest, model: JsonObject): string[] {
  const names = manifest.classes;
  const problems: string[] = [];
  if (names.length < 1 || names.length > MOST_CLASSES || new Set(names).size !== names.length) {
    problems.push('classes must be different names (1 to 10,000)');
  } else if (!names.every((each) => isPrintable(each) && lengthOf(each) >= 1 && lengthOf(each) <= LONGEST_NAME)) {
    problems.push(`classes must be printable names of 1 to ${LONGEST_NAME} letters`);
  }
  if (!(manifest.imageSize >= 8 && manifest.imageSize <= 4096)) {
    problems.push('image_size must lie between 8 and 4096');
  }
  if ((model.get('colour') ?? 'RGB') !== 'RGB') problems.push('colour must be RGB');
  return problems;
}

function problemsOfFiles(manifest: Manifest): string[] {
  const problems: string[] = [];
  if (!manifest.files.has(manifest.modelFile)) {
    problems.push(`model_file ${quoted(first(manifest.modelFile, 40))} is not among its files`);
  }
  const known = manifest.capture?.appearance;
  const rows = known?.whitening ?? [];
  if (known && !(rows.length === known.mean.length && rows.every((row) => row.length === known.mean.length))) {
    problems.push('capture must have a square whitening and finite limits');
  }
  return problems;
}

function problemsOfHead({ head, classes }: Manifest): string[] {
  if (head === null) return [];
  const size = head.weights[0]?.length ?? 0;
  const rows = head.weights.every((row) => row.length === size);
  if (head.weights.length !== classes.length || head.bias.length !== classes.length || !rows || size === 0) {
    return ['head must have weights [classes][features] and bias [classes]'];
  }
  return [];
}

const headOf = (section: JsonObject): Head => ({
  weights: arrayOf(section, 'weights').map((row) => numbers(row)),
  bias: numbers(section.get('bias')),
});

/** The section `capture` of a manifest. */
export function captureRule(section: JsonObject): CaptureRule {
  const known = section.get('appearance');
  const limits = [...objectOf(section, 'limits')].map(([name, limit]): [string, Limit] => [
    name,
    { low: numberOf(asObject(limit), 'low'), high: numberOf(asObject(limit), 'high') },
  ]);
  const sentences = [...objectOf(section, 'sentences')].map(([code, each]): [string, Sentence] => [
    code,
    { problem: textOf(asObject(each), 'problem'), remedy: textOf(asObject(each), 'remedy') },
  ]);
  return {
    limits: new Map(limits),
    appearance: isObject(known) ? appearanceOf(known) : null,
    coverage: numberOf(section, 'coverage'),
    sentences: new Map(sentences),
  };
}

const appearanceOf = (section: JsonObject): Appearance => ({
  mean: numbers(section.get('mean')),
  whitening: arrayOf(section, 'whitening').map((row) => numbers(row)),
  limit: numberOf(section, 'limit') ?? NaN,
});
