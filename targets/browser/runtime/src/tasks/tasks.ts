import { CLASSIFICATION } from './classification.js';
import { MULTILABEL } from './multilabel.js';
import type { Task } from './task.js';

const TASKS: ReadonlyMap<string, Task> = new Map([
  ['classification', CLASSIFICATION],
  ['multilabel', MULTILABEL],
]);

/** The task of a name, or null. */
export const taskNamed = (name: string): Task | null => TASKS.get(name) ?? null;
