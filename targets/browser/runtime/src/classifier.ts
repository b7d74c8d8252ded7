import { Bundle, type BundleSource, type SignatureState } from './bundle/bundle.js';
import { type CaptureRule, FORMAT_VERSION, type Manifest, RULE } from './bundle/manifest.js';
import { SELFTEST, readVectors } from './bundle/selftest.js';
import { FEATURES } from './capture/appearances.js';
import { examine, problems } from './capture/judging.js';
import type { Engine, EngineOptions, EngineSession } from './engine/engine.js';
import { withHead } from './engine/head.js';
import { EdgekdError, artefactError, inputError } from './errors.js';
import type { Identity } from './export/fhir.js';
import { type Photo, squareOf } from './images/decoding.js';
import { occlusionMap } from './occlusion.js';
import type { CaptureQuality, Prediction, Timings } from './prediction.js';
import { general, quoted } from './text/text.js';

/** Self-test vectors that are run when a bundle is opened. */
const VECTORS_AT_OPEN = 2;
const KNOWN_BACKENDS = new Set(['onnx', 'openvino', 'tensorrt', 'tflite']);
const OTHER_EDGEKD = 'install the edgekd that built it, or build it again';

/** How to open a bundle. */
export interface Options {
  /** The engines to choose from, by the bundle's backend. */
  readonly engines: readonly Engine[];
  readonly engine?: EngineOptions;
  /** An Ed25519 public key, PEM or its 32 bytes: only a bundle that was signed with its private half is opened. */
  readonly publicKey?: Uint8Array;
  /** Run two of the bundle's self-test vectors, so that an engine that computes wrongly is detected; true if left out. */
  readonly selfTest?: boolean;
  /** Measure each photo and request another one where it is not good enough; true if left out. */
  readonly quality?: boolean;
}

/** Outcome of a self-test. */
export interface SelfTestReport {
  readonly passed: boolean;
  /** Number of vectors that were run. */
  readonly images: number;
  /** Largest absolute difference of an output; NaN where one was not finite. */
  readonly maxDifference: number;
  readonly tolerance: number;
  /** Number of vectors whose answer changed. */
  readonly flips: number;
}

/** An opened bundle with its engine. */
export class Classifier {
  private readonly rule: CaptureRule | null;
  private queue: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly bundle: Bundle,
    private readonly session: EngineSession,
    quality: boolean,
  ) {
    this.rule = quality ? bundle.manifest.capture : null;
  }

  /**
   * Open a bundle: bytes of an `.edgekd` file, or the files of its folder. Nothing of it is written or sent anywhere.
   *
   * @throws EdgekdError The bundle is damaged, unsigned, of an unknown version or not finished, its self-test fails
   *   here, the key is none, or there is no engine for its file.
   */
  static async open(source: BundleSource, options: Options): Promise<Classifier> {
    const bundle = await Bundle.open(source, options.publicKey);
    const { manifest } = bundle;
    refuseRule(manifest);
    const engine = engineFor(manifest, options.engines);
    if (manifest.completion === 'finish-on-device') {
      const problem = `the bundle ${bundle.label} must be finished on its device first`;
      throw artefactError(problem, `run there: ${manifest.completionCommand}`);
    }
    const name = manifest.modelFile.split('/').at(-1) ?? '';
    const opened = await engine.open(name, await bundle.read(manifest.modelFile), options.engine ?? {});
    const session = withHead(opened, manifest.head);
    const classifier = new Classifier(bundle, session, options.quality ?? true);
    try {
      refuseShapes(bundle, session);
      if ((options.selfTest ?? true) && manifest.files.has(SELFTEST)) {
        requirePass(await classifier.selfTest(VECTORS_AT_OPEN));
      }
    } catch (error) {
      classifier.close();
      throw error;
    }
    return classifier;
  }

  /** Names of classes or findings in the order of the outputs. */
  get classes(): readonly string[] {
    return this.bundle.manifest.classes;
  }

  /** S, the side of the network's input in pixels. */
  get imageSize(): number {
    return this.bundle.manifest.imageSize;
  }

  get modelName(): string {
    return this.bundle.manifest.modelName;
  }

  get precision(): string {
    return this.bundle.manifest.precision;
  }

  /** What the bundle is for, and for whom. */
  get intendedUse(): string {
    return this.bundle.manifest.intendedUse;
  }

  /** Hex SHA-256 of the bundle, by which reports name it. */
  get bundleSha256(): string {
    return this.bundle.sha256;
  }

  /** Whether the bundle is signed, and verified by the key that was given. */
  get signature(): SignatureState {
    return this.bundle.signature;
  }

  /** The engine with its version, and the options that it obtained. */
  get facts(): Readonly<Record<string, string>> {
    return this.session.facts;
  }

  /** What a report names as the device that made a prediction. */
  get identity(): Identity {
    const { modelName, target, precision, intendedUse, limits, builtBy, warnings } = this.bundle.manifest;
    return {
      name: `${modelName} ${target} ${precision}`,
      bundleSha256: this.bundleSha256,
      runtime: `for browsers, bundles of format ${FORMAT_VERSION}`,
      builtBy,
      engine: this.facts['engine'] ?? this.bundle.manifest.backend,
      intendedUse,
      limits,
      warnings,
    };
  }

  /** One sentence for each option that was not obtained, a missing certificate, each unmet floor; to be shown. */
  get warnings(): readonly string[] {
    return [...this.session.warnings, ...this.bundle.manifest.warnings];
  }

  /**
   * The decision for one photo.
   *
   * @throws EdgekdError The photo cannot be read.
   */
  async predict(photo: Photo): Promise<Prediction> {
    const start = performance.now();
    const square = await squareOf(photo, this.imageSize);
    return this.predictPrepared(square, performance.now() - start);
  }

  /** The decision for a photo that was preprocessed, which took so many milliseconds. */
  async predictPrepared(square: Uint8Array, preprocess = 0): Promise<Prediction> {
    const start = performance.now();
    const quality = this.qualityOf(square);
    const measured = performance.now();
    const logits = await this.logits(square);
    const timings = { preprocess, quality: measured - start, model: performance.now() - measured };
    return this.prediction(logits, quality, timings);
  }

  /** The photo as the network gets it: RGB, row by row, S · S · 3 bytes. */
  preprocessed(photo: Photo): Promise<Uint8Array> {
    return squareOf(photo, this.imageSize);
  }

  /** Why a photo should be taken again, without running the network; empty where it need not. */
  async problemsOf(photo: Photo): Promise<{ quality: CaptureQuality | null; codes: readonly string[] }> {
    const quality = this.qualityOf(await squareOf(photo, this.imageSize));
    const codes = quality === null || this.rule === null ? [] : problems(quality, this.rule).map((each) => each.code);
    return { quality, codes };
  }

  /**
   * How much the probability of a class falls where each cell of a photo is hidden, row by row; see `occlusionMap`.
   *
   * @throws EdgekdError There is no such class.
   */
  async occlusion(square: Uint8Array, name: string): Promise<Float64Array> {
    if (!this.classes.includes(name)) throw inputError(`there is no class ${quoted(name)}`, 'give one of `classes`');
    const { task, decision } = this.bundle.manifest;
    const score = async (pixels: Uint8Array): Promise<number> =>
      task.judge(await this.logits(pixels), this.classes, decision).probabilities.get(name) ?? NaN;
    return occlusionMap(score, square, this.imageSize);
  }

  /** Raw output for a photo that was preprocessed; calls wait for one another. */
  logits(square: Uint8Array): Promise<Float32Array> {
    if (square.length !== this.imageSize ** 2 * 3) {
      const sizes = `${square.length} bytes, not ${this.imageSize} x ${this.imageSize} x 3`;
      throw inputError(`the image has ${sizes}`, 'prepare it with `preprocessed`');
    }
    const turn = this.queue.then(() => this.session.run(square));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  /**
   * Run the bundle's self-test vectors on this device, at most `limit` of them.
   *
   * @throws EdgekdError The bundle carries none, or they are damaged.
   */
  async selfTest(limit = Infinity): Promise<SelfTestReport> {
    const { manifest } = this.bundle;
    if (!manifest.files.has(SELFTEST)) {
      throw artefactError('the bundle carries no self-test vectors', 'build it again');
    }
    const vectors = readVectors(await this.bundle.read(SELFTEST), limit);
    const shapes = [[1, ...vectors.imageShape], [1, ...vectors.outputShape]];
    if (String(shapes) !== String([this.session.inputShape, this.session.outputShape])) {
      throw artefactError(
        'the self-test vectors do not belong to the model file',
        'copy the bundle again, or build it again',
      );
    }
    let largest = 0;
    let flips = 0;
    for (const [index, image] of vectors.images.entries()) {
      const output = await this.logits(image);
      const expected = vectors.outputs[index] ?? new Float32Array();
      output.forEach((each, place) => {
        largest = Math.max(largest, Math.abs(each - (expected[place] ?? NaN))); // NaN where one is
      });
      if (!manifest.task.agree(expected, output)) flips++;
    }
    const passed = largest <= vectors.tolerance; // false for NaN
    return { passed, images: vectors.images.length, maxDifference: largest, tolerance: vectors.tolerance, flips };
  }

  /** Release the engine. */
  close(): void {
    void this.queue.then(() => {
      this.session.close();
    });
  }

  private qualityOf(square: Uint8Array): CaptureQuality | null {
    return this.rule === null ? null : examine(square, this.imageSize, this.rule);
  }

  private prediction(logits: Float32Array, quality: CaptureQuality | null, timings: Timings): Prediction {
    const { manifest } = this.bundle;
    const judgement = manifest.task.judge(logits, this.classes, manifest.decision);
    const faults = quality === null || this.rule === null ? [] : problems(quality, this.rule);
    const reasons = [...faults, ...judgement.reasons];
    return {
      ...judgement,
      decision: faults.length > 0 ? 'retake' : reasons.length > 0 ? 'refer' : 'answer',
      reasons,
      quality,
      logits: Array.from(logits),
      timings,
    };
  }
}

/** Refuse a bundle that this runtime would run wrongly. */
function refuseRule(manifest: Manifest): void {
  if (manifest.resize !== RULE) {
    const problem = `the bundle wants the preprocessing ${quoted(manifest.resize)}, this is ${quoted(RULE)}`;
    throw artefactError(problem, OTHER_EDGEKD);
  }
  const known = manifest.capture?.appearance;
  if (known && known.mean.length !== FEATURES) {
    throw artefactError(`the bundle knows ${known.mean.length} features of a photo, this is ${FEATURES}`, OTHER_EDGEKD);
  }
}

function engineFor({ backend }: Manifest, engines: readonly Engine[]): Engine {
  const engine = engines.find((each) => each.backend === backend);
  if (engine !== undefined) return engine;
  if (!KNOWN_BACKENDS.has(backend)) {
    throw artefactError(
      `the bundle wants the engine ${quoted(backend)}, which this edgekd does not have`,
      'install the edgekd that built it, or what brings the engine',
    );
  }
  throw new EdgekdError(
    'missing',
    `this page has no engine for ${backend} files`,
    'give `liteRt` (tflite) or `onnxRuntime` (onnx), or build the bundle for another target',
  );
}

/** Refuse a file whose input or output has another shape than the manifest describes. */
function refuseShapes({ manifest, label }: Bundle, { inputShape, outputShape }: EngineSession): void {
  const size = manifest.imageSize;
  const described = [[1, size, size, 3], [1, manifest.classes.length]];
  if (String(described) === String([inputShape, outputShape])) return;
  const shapes = (pair: readonly (readonly number[])[]): string => pair.map((each) => `[${each.join(', ')}]`).join(' to ');
  throw artefactError(
    `the model file of ${label} maps ${shapes([inputShape, outputShape])}, its manifest says ${shapes(described)}`,
    'copy the bundle again, or build it again',
  );
}

/** @throws EdgekdError An output differs by more than the tolerance. */
export function requirePass(report: SelfTestReport): void {
  if (report.passed) return;
  const numbers = `${general(report.maxDifference, 3)}, more than ${general(report.tolerance, 3)}`;
  throw artefactError(
    `the self-test fails on this machine: an output is off by ${numbers}`,
    'do not use it here; report the machine and the engine',
  );
}
