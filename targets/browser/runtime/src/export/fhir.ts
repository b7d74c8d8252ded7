import { share } from '../text/text.js';
import type { Decision, Prediction } from '../prediction.js';

/** What made a prediction: a classifier is software, wherever it runs. */
export interface Identity {
  /** Network, target and precision of the bundle. */
  readonly name: string;
  readonly bundleSha256: string;
  /** What ran the bundle, and the version of edgekd that built it. */
  readonly runtime: string;
  readonly builtBy: string;
  readonly engine: string;
  readonly intendedUse: string;
  readonly limits: string;
  /** Sentences that have to be shown with every answer. */
  readonly warnings: readonly string[];
}

interface Coding {
  readonly system: string;
  readonly version?: string;
  readonly code: string;
  readonly display: string;
}

type Resource = Readonly<Record<string, unknown>>;

const LOCAL = 'urn:edgekd:vocabulary';
const HL7 = 'http://terminology.hl7.org/CodeSystem';
const SNOMED = 'http://snomed.info/sct';
const UCUM = 'http://unitsofmeasure.org';

const DECISIONS: Readonly<Record<Decision, string>> = {
  answer: 'Answer',
  refer: 'Refer the patient',
  retake: 'Take another photo',
};
const PHOTOGRAPHY: Coding = { system: SNOMED, code: '197157006', display: 'Photography of patient' };
const IMAGING_REPORT: Coding = { system: 'http://loinc.org', code: '18748-4', display: 'Diagnostic imaging study' };
const PRESENCE = {
  present: { coding: { system: SNOMED, code: '52101004', display: 'Present' }, letters: 'POS' },
  absent: { coding: { system: SNOMED, code: '272519000', display: 'Absent' }, letters: 'NEG' },
  unsure: { coding: { system: SNOMED, code: '373068000', display: 'Undetermined' }, letters: 'IND' },
};

/**
 * A prediction as a DiagnosticReport of FHIR R4B, that contains its Observations and the Device; Python's
 * `edgekd predict --fhir` writes the same. It is preliminary: nobody has verified it. The answer and its probabilities
 * stand there only where the decision is `answer`. Source: HL7 FHIR R4B (4.3.0).
 *
 * @param photo Hex SHA-256 of the photo's file; null for a camera's frame.
 */
export function fhirReport(prediction: Prediction, identity: Identity, photo: string | null, when: Date): Resource {
  const time = when.toISOString().replace(/\.\d+Z$/, '+00:00');
  const shared = { effectiveDateTime: time, issued: time };
  const derived = photo === null ? {} : { derivedFrom: [sourceOf(photo)] };
  const observations = observationsOf(prediction, identity).map((each, index) => ({
    resourceType: 'Observation',
    id: `observation-${index + 1}`,
    status: 'preliminary',
    category: [concept({ system: `${HL7}/observation-category`, code: 'imaging', display: 'Imaging' })],
    device: { reference: '#device' },
    method: concept(PHOTOGRAPHY),
    ...shared,
    ...derived,
    ...each,
  }));
  const summary = summaryOf(prediction, identity);
  return {
    resourceType: 'DiagnosticReport',
    identifier: [{ system: 'urn:ietf:rfc:3986', value: `urn:uuid:${crypto.randomUUID()}` }],
    text: { status: 'generated', div: narrative(summary, identity) },
    contained: [deviceOf(identity), ...observations],
    status: 'preliminary',
    category: [concept({ system: `${HL7}/v2-0074`, code: 'IMG', display: 'Diagnostic Imaging' })],
    code: { ...concept(IMAGING_REPORT), text: 'Classification of a photo by software' },
    result: observations.map(({ id }) => ({ reference: `#${id}` })),
    conclusion: summary,
    ...shared,
  };
}

function observationsOf(prediction: Prediction, { bundleSha256 }: Identity): Resource[] {
  const { decision, findings } = prediction;
  const system = `urn:edgekd:bundle:${bundleSha256}`;
  const coded = (code: string, display: string): Coding => ({ system, version: bundleSha256.slice(0, 16), code: oneSpaced(code), display });
  const ofClass = (name: string): Coding => coded(name, name);
  const shares = decision === 'answer' ? finite(prediction.probabilities) : new Map<string, number>();
  const probability = (name: string, value: number): Resource => ({
    code: concept(coded(`probability:${oneSpaced(name)}`, `Probability of ${name}`)),
    valueQuantity: { value, system: UCUM, code: '1' },
  });
  const observations: Resource[] = [decisionOf(prediction)];
  if (decision === 'answer' && findings.size === 0) {
    observations.push({
      code: concept(local('class', 'Class of the photo')),
      valueCodeableConcept: concept(ofClass(prediction.label)),
      component: [...shares].map(([name, value]) => probability(name, value)),
    });
  }
  for (const [name, state] of decision === 'answer' ? findings : []) {
    const value = shares.get(name);
    const { coding, letters } = PRESENCE[state];
    const display = `${state[0]?.toUpperCase() ?? ''}${state.slice(1)}`;
    observations.push({
      code: concept(ofClass(name)),
      valueCodeableConcept: concept(coding),
      interpretation: [concept({ system: `${HL7}/v3-ObservationInterpretation`, code: letters, display })],
      ...(value === undefined ? {} : { component: [probability(name, value)] }),
    });
  }
  const notExcluded = notExcludedOf(prediction);
  if (notExcluded.length > 0) {
    const code = concept(local('not-excluded', 'Class that cannot be excluded'));
    observations.push({
      code: concept(local('conformal-set', 'Conformal set')),
      component: notExcluded.map((name) => ({ code, valueCodeableConcept: concept(ofClass(name)) })),
    });
  }
  return observations;
}

function decisionOf({ decision, reasons }: Prediction): Resource {
  const component = reasons.map(({ code, text }) => ({
    code: concept(local('reason', 'Reason not to answer')),
    valueCodeableConcept: { ...concept(local(code, code)), text },
  }));
  return {
    code: concept(local('decision', 'Decision')),
    valueCodeableConcept: concept(local(decision, DECISIONS[decision])),
    ...(component.length === 0 ? {} : { component }),
  };
}

function deviceOf(identity: Identity): Resource {
  const versions = [
    ['edgekd that ran the bundle', identity.runtime],
    ['edgekd that built the bundle', identity.builtBy],
    ['engine', identity.engine],
  ];
  const note = [identity.intendedUse, identity.limits, ...identity.warnings].filter((text) => text !== '');
  return {
    resourceType: 'Device',
    id: 'device',
    identifier: [{ system: 'urn:edgekd:bundle-sha256', value: identity.bundleSha256 }],
    status: 'active',
    deviceName: [{ name: identity.name, type: 'model-name' }],
    type: { text: 'Image classifier (software)' },
    version: versions.map(([text, value]) => ({ type: { text }, value })),
    ...(note.length === 0 ? {} : { note: note.map((text) => ({ text })) }),
  };
}

/** The report in sentences, for people. */
function summaryOf(prediction: Prediction, { warnings, intendedUse }: Identity): string {
  const { decision, reasons } = prediction;
  const notExcluded = notExcludedOf(prediction);
  const parts = [
    `${DECISIONS[decision]}${answersOf(prediction)}.`,
    ...reasons.map(({ text }) => `${text.replace(/\.+$/, '')}.`),
    ...(notExcluded.length === 0 ? [] : [`Not excluded: ${notExcluded.join(', ')}.`]),
    ...warnings.map((each) => `Warning: ${each}.`),
    intendedUse,
  ];
  return parts.join(' ').trim();
}

function answersOf({ decision, label, probabilities, findings }: Prediction): string {
  if (decision !== 'answer') return '';
  if (findings.size > 0) return `: ${[...findings].map(([name, state]) => `${name} ${state}`).join(', ')}`;
  const value = finite(probabilities).get(label);
  return `: ${label}${value === undefined ? '' : `, probability ${share(value)}`}`;
}

const notExcludedOf = ({ decision, conformalSet }: Prediction): readonly string[] =>
  decision === 'retake' ? [] : (conformalSet ?? []);

const finite = (numbers: ReadonlyMap<string, number>): Map<string, number> =>
  new Map([...numbers].filter(([, value]) => Number.isFinite(value)).map(([name, value]) => [name, Number(value.toFixed(6))]));

const sourceOf = (photo: string): Resource => ({
  type: 'Media',
  identifier: { system: 'urn:edgekd:photo-sha256', value: photo },
  display: 'the photo',
});

function narrative(summary: string, { name, bundleSha256, runtime, engine }: Identity): string {
  const paragraphs = [summary, `${name}, bundle ${bundleSha256}, edgekd ${runtime}, ${engine}`];
  return `<div xmlns="http://www.w3.org/1999/xhtml">${paragraphs.map((each) => `<p>${escaped(each)}</p>`).join('')}</div>`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#x27;' };

const escaped = (text: string): string => text.replace(/[&<>"']/g, (letter) => ENTITIES[letter] ?? letter);

/** The text as FHIR allows in codes: single spaces, none at the ends. */
const oneSpaced = (text: string): string => text.trim().split(/\s+/).join(' ');

const local = (code: string, display: string): Coding => ({ system: LOCAL, code: oneSpaced(code), display });

const concept = (coding: Coding): { coding: Coding[] } => ({ coding: [coding] });
