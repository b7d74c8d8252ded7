import { type CompiledModel, Tensor as LiteRtTensor, type TensorDetails, loadAndCompile, loadLiteRt } from '@litertjs/core';

import { type Engine, type EngineSession, type Tensor, failedModel, requireContract, threadsFor, unreadableModel } from './engine.js';

const ENGINE = 'LiteRT.js';
const VERSION = '2.5.3';

let loading: Promise<unknown> | undefined;

/**
 * LiteRT files by LiteRT.js, on the CPU (WebAssembly); in a page, not in Node.
 *
 * @param wasm Folder of its wasm files.
 */
export const liteRt = (wasm: string): Engine => ({
  backend: 'tflite',

  async open(name, model, options) {
    const { threads, warnings } = threadsFor(options);
    loading ??= loadLiteRt(wasm, { threads: threads > 1 });
    try {
      await loading;
      const compiled = await loadAndCompile(model, { accelerator: 'wasm', cpuOptions: { numThreads: threads } });
      return sessionOf(name, compiled, threads, warnings);
    } catch (error) {
      if (compiledWrongly(error)) throw error;
      throw unreadableModel(name, ENGINE, error);
    }
  },
});

const compiledWrongly = (error: unknown): boolean => error instanceof Error && error.name === 'EdgekdError';

function sessionOf(name: string, model: CompiledModel, threads: number, warnings: readonly string[]): EngineSession {
  const input = described(model.getInputDetails());
  const output = described(model.getOutputDetails());
  try {
    requireContract(name, input, output);
  } catch (error) {
    model.delete();
    throw error;
  }
  return {
    inputShape: input.shape,
    outputShape: output.shape,
    facts: { engine: `litert.js ${VERSION}`, threads: String(threads), accelerator: 'cpu' },
    warnings,
    async run(image) {
      const tensor = new LiteRtTensor(image as Uint8Array<ArrayBuffer>, [...input.shape]);
      try {
        const [result] = await model.run(tensor);
        if (result === undefined) throw new Error('there is no output');
        const values = Float32Array.from(result.toTypedArray());
        result.delete();
        return values;
      } catch (error) {
        throw failedModel(name, error);
      } finally {
        tensor.delete();
      }
    },
    close: () => {
      model.delete();
    },
  };
}

function described(ports: readonly TensorDetails[]): Tensor {
  const [port] = ports;
  if (port === undefined || ports.length !== 1) return { type: `${ports.length} tensors`, shape: [] };
  return { type: port.dtype, shape: [...port.shape] };
}
