import { type EdgekdError, artefactError, inputError } from '../errors.js';

/** How to open an engine. */
export interface EngineOptions {
  /** Threads of the CPU; left out: the engine's choice. More than one needs a page that is isolated (COOP, COEP). */
  readonly threads?: number;
}

/** An inference engine, which opens the model files of one backend. */
export interface Engine {
  /** Name of the backend, as manifests have it. */
  readonly backend: string;
  /**
   * Open a model file.
   *
   * @throws EdgekdError It cannot be parsed, or does not map uint8 [1, S, S, 3] to float32 [1, …].
   */
  open(name: string, model: Uint8Array, options: EngineOptions): Promise<EngineSession>;
}

/** An opened model file; it runs one image at a time. */
export interface EngineSession {
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  /** The engine with its version, and what was obtained from it. */
  readonly facts: Readonly<Record<string, string>>;
  /** One sentence for each option that was not obtained. */
  readonly warnings: readonly string[];
  /** The output for one image, uint8 [S, S, 3] RGB. */
  run(image: Uint8Array): Promise<Float32Array>;
  close(): void;
}

/** Shape and type of a tensor. */
export interface Tensor {
  readonly type: string;
  readonly shape: readonly number[];
}

/** Refuse a file whose tensors are not those of a deploy graph. */
export function requireContract(name: string, input: Tensor, output: Tensor): void {
  const [one, height = 0, width, channels] = input.shape;
  const image = input.shape.length === 4 && one === 1 && height === width && height > 0 && channels === 3;
  const answer = output.shape.length > 1 && output.shape[0] === 1 && output.shape.every((each) => each > 0);
  if (image && answer && input.type === 'uint8' && output.type === 'float32') return;
  const tensors = `${textOf(input)} to ${textOf(output)}`;
  throw artefactError(
    `${name} maps ${tensors}, not uint8 [1, S, S, 3] to float32 [1, …]`,
    'build the file with `edgekd build`',
  );
}

const textOf = (tensor: Tensor): string => `${tensor.type} [${tensor.shape.join(', ')}]`;

/** The error for a file that an engine cannot parse. */
export const unreadableModel = (name: string, engine: string, cause: unknown): EdgekdError =>
  artefactError(`${engine} cannot read ${name}${why(cause)}`, 'copy or build the bundle again', cause);

/** The error for a file that an engine fails to run. */
export const failedModel = (name: string, cause: unknown): EdgekdError =>
  artefactError(`the engine failed on ${name}${why(cause)}`, 'check the bundle with `edgekd verify`', cause);

function why(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  const last = text.split('\n').map((line) => line.trim()).filter((line) => line !== '').at(-1);
  return last === undefined ? '' : `: ${last}`;
}

const MOST_THREADS = 16;

/** The number of threads to use, of those that were asked for, and why it is not that number. */
export function threadsFor(options: EngineOptions): { threads: number; warnings: string[] } {
  const { threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) {
    throw inputError(`threads is ${threads}`, `give from 1 to ${MOST_THREADS}`);
  }
  const isolated = globalThis.crossOriginIsolated;
  if (threads === undefined || threads === 1 || isolated) return { threads: threads ?? 1, warnings: [] };
  const problem = `${threads} threads were requested, but the page is not isolated; the file runs on one`;
  return { threads: 1, warnings: [problem] };
}
