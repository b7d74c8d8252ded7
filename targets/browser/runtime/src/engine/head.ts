import type { Head } from '../bundle/manifest.js';
import { artefactError } from '../errors.js';
import type { EngineSession } from './engine.js';

/**
 * The session that gives a bundle's outputs: itself where there is no head.
 *
 * @throws EdgekdError The file does not give the features that the head takes; it is closed then.
 */
export function withHead(session: EngineSession, head: Head | null): EngineSession {
  if (head === null) return session;
  const size = head.weights[0]?.length ?? 0;
  const { inputShape, outputShape, facts, warnings } = session;
  if (String(outputShape) !== String([1, size])) {
    session.close();
    const given = `[${outputShape.join(', ')}]`;
    throw artefactError(`the model file gives ${given}, the head takes features [1, ${size}]`, 'enrol the bundle again');
  }
  return {
    inputShape,
    outputShape: [1, head.bias.length],
    facts,
    warnings,
    run: async (image) => outputsOf(await session.run(image), head),
    close: () => {
      session.close();
    },
  };
}

/** W·f/‖f‖ + b in double precision, rounded to float; features of length 0 stay as they are. */
function outputsOf(features: Float32Array, { weights, bias }: Head): Float32Array {
  const length = Math.sqrt(features.reduce((sum, each) => sum + each * each, 0));
  const unit = Array.from(features, (each) => (length > 0 ? each / length : each));
  return Float32Array.from(bias, (shift, row) =>
    unit.reduce((sum, each, place) => sum + each * (weights[row]?.[place] ?? NaN), 0) + shift,
  );
}
