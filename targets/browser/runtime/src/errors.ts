import { oneLine } from './text/text.js';

export type ErrorKind = 'input' | 'image' | 'missing' | 'device' | 'artefact';

const EXIT_CODES: Record<ErrorKind, number> = { input: 2, image: 2, missing: 3, device: 5, artefact: 6 };

/** An error that a user or a page can do something about; `message` and `hint` are one line each. */
export class EdgekdError extends Error {
  /** What to do about it; empty where nothing can be done. */
  readonly hint: string;
  /** The exit code of edgekd's commands for this kind, by which logs of all runtimes agree. */
  readonly exitCode: number;

  constructor(
    readonly kind: ErrorKind,
    message: string,
    hint: string,
    cause?: unknown,
  ) {
    super(oneLine(message), { cause });
    this.name = 'EdgekdError';
    this.hint = oneLine(hint);
    this.exitCode = EXIT_CODES[kind];
  }
}

/** A file, option or value that the page gave cannot be used. */
export const inputError = (message: string, hint: string, cause?: unknown): EdgekdError =>
  new EdgekdError('input', message, hint, cause);

/** A bundle or a model file is damaged, of an unknown version, or of the wrong kind. */
export const artefactError = (message: string, hint: string, cause?: unknown): EdgekdError =>
  new EdgekdError('artefact', message, hint, cause);
