/** What to do with a photo: give the answer, refer the patient, or take another photo. */
export type Decision = 'answer' | 'refer' | 'retake';

/** One reason not to answer: a code that is the same in every runtime, and a text in English with its numbers. */
export interface Reason {
  readonly code: string;
  readonly text: string;
  /** Whether another photo may help, or the output of the network is the reason. */
  readonly about: 'photo' | 'output';
}

export type FindingState = 'present' | 'absent' | 'unsure';

export type Measure = 'sharpness' | 'brightness' | 'glare' | 'contrast' | 'off_centre';

/** Measures of a photo, on the square that the network gets; docs/runtime-contract.md defines them. */
export interface CaptureQuality {
  readonly measures: Readonly<Record<Measure, number>>;
  /** Squared distance of its appearance from the training images; null where the bundle does not describe them. */
  readonly distance: number | null;
}

/** Milliseconds of each step of a prediction. */
export interface Timings {
  readonly preprocess: number;
  readonly quality: number;
  readonly model: number;
}

/** The prediction for one photo. */
export interface Prediction {
  /** The answer as one text; to be shown as such only where `decision` is `answer`. */
  readonly label: string;
  /** Calibrated probability of the label; null where the task has none. */
  readonly probability: number | null;
  /** Calibrated probability of every class or finding, in the model's order. */
  readonly probabilities: ReadonlyMap<string, number>;
  readonly decision: Decision;
  /** Why it is no answer; those about the photo come first. */
  readonly reasons: readonly Reason[];
  /** Classes that cannot be excluded; null where the bundle has no quantile. */
  readonly conformalSet: readonly string[] | null;
  /** Measures of the photo; null where they are switched off or the bundle has no limits. */
  readonly quality: CaptureQuality | null;
  /** The raw output of the network. */
  readonly logits: readonly number[];
  /** State by finding, of a task whose findings may occur together; else empty. */
  readonly findings: ReadonlyMap<string, FindingState>;
  readonly timings: Timings;
}
