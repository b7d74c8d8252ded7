export { Classifier, type Options, type SelfTestReport, requirePass } from './classifier.js';
export type { BundleSource, SignatureState } from './bundle/bundle.js';
export type { Engine, EngineOptions, EngineSession } from './engine/engine.js';
export { EdgekdError, type ErrorKind } from './errors.js';
export { sha256 } from './bundle/bytes.js';
export { type Identity, fhirReport } from './export/fhir.js';
export { CELLS } from './occlusion.js';
export type { Photo } from './images/decoding.js';
export type {
  CaptureQuality,
  Decision,
  FindingState,
  Measure,
  Prediction,
  Reason,
  Timings,
} from './prediction.js';
