import { type JsonObject, arrayOf, isObject, numberOf, objectOf, textOf } from './json.js';
import { fixed, general } from '../text/text.js';

const VERDICTS: Readonly<Record<string, string>> = {
  'not-inferior': 'not inferior',
  inferior: 'inferior',
  'not-shown': 'not shown either way',
};

/** Sentences that a device must show: no certificate, floors of the policy that the file does not reach. */
export function warningsOf(document: JsonObject): string[] {
  const certificate = document.get('certificate');
  const mark = isObject(document.get('head')) ? 'enrolled' : 'for research';
  const warnings = isObject(certificate) ? certificateWarnings(certificate, mark) : [];
  const policy = objectOf(document, 'policy');
  const floors = arrayOf(policy, 'floors').filter(isObject);
  const unmet = floors.filter((each) => each.get('met') === false).map(floorSentence);
  const teacher = policy.get('teacher');
  const sentences = isObject(teacher) ? [...unmet, ...teacherSentences(teacher)] : unmet;
  return [...warnings, ...sentences.map((each) => `for research, floor not met: ${each}`)];
}

const certificateWarnings = (certificate: JsonObject, mark: string): string[] =>
  certificate.get('certified') === true ? [] : [`${mark}, not certified: ${reasonOf(certificate)}`];

function floorSentence(floor: JsonObject): string {
  const quantity = textOf(floor, 'quantity');
  const least = general(numberOf(floor, 'least') ?? NaN, 3);
  const value = numberOf(floor, 'value');
  if (value === null) return `${quantity} cannot be measured, and ${least} is demanded`;
  const low = numberOf(floor, 'low');
  const interval = low === null ? '' : ` [${fixed(low, 3)}, ${fixed(numberOf(floor, 'high') ?? NaN, 3)}]`;
  const demanded = floor.get('by') === 'low' ? 'the lower end' : 'the value';
  const verdict = floor.get('code') === 'beyond-chance' ? 'does not exceed' : 'does not reach';
  return `${quantity} is ${fixed(value, 3)}${interval}; ${demanded} ${verdict} ${least}`;
}

/** The comparison with the teacher, where the policy requires a margin that was not shown to be kept. */
function teacherSentences(teacher: JsonObject): string[] {
  const state = textOf(teacher, 'state');
  if (teacher.get('required') !== true || state === 'not-inferior') return [];
  const metric = textOf(teacher, 'metric').replaceAll('_', ' ');
  const deficit = numberOf(teacher, 'deficit');
  if (deficit === null) return [`${metric} beside the teacher: not measured, ${reasonOf(teacher)}`];
  const low = numberOf(teacher, 'low');
  const interval = low === null ? '' : ` [${signed(low)}, ${signed(numberOf(teacher, 'high') ?? NaN)}]`;
  const margin = general(numberOf(teacher, 'margin') ?? NaN, 3);
  const verdict = VERDICTS[state] ?? state;
  return [`${metric} of the teacher minus that of the file: ${signed(deficit)}${interval}, margin ${margin}: ${verdict}`];
}

/** The reason of a section, in Python's words where there is none. */
function reasonOf(section: JsonObject): string {
  const reason = section.get('reason');
  return typeof reason === 'string' ? reason : 'None';
}

const signed = (value: number): string => fixed(value, 3).replace(/^(?!-)/, '+');
