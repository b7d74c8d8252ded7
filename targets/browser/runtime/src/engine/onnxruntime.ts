import * as ort from 'onnxruntime-web/wasm';

import { type Engine, type EngineOptions, type EngineSession, type Tensor, failedModel, requireContract, threadsFor, unreadableModel } from './engine.js';

const ENGINE = 'ONNX Runtime';

/**
 * ONNX files by onnxruntime-web, on the CPU (WebAssembly).
 *
 * @param wasm Folder of its wasm files as an absolute address; left out: those beside the script.
 */
export const onnxRuntime = (wasm?: string): Engine => ({
  backend: 'onnx',

  async open(name, model, options) {
    const { threads, warnings } = threadsFor(options);
    if (wasm !== undefined) ort.env.wasm.wasmPaths = wasm;
    ort.env.wasm.numThreads = threads;
    ort.env.logLevel = 'error';
    return sessionOf(name, model, { threads }, warnings);
  },
});

async function sessionOf(
  name: string,
  model: Uint8Array,
  options: EngineOptions,
  warnings: readonly string[],
): Promise<EngineSession> {
  let session: ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'], logSeverityLevel: 3 });
  } catch (error) {
    throw unreadableModel(name, ENGINE, error);
  }
  const input = described(session.inputMetadata);
  const output = described(session.outputMetadata);
  try {
    requireContract(name, input, output);
  } catch (error) {
    await session.release();
    throw error;
  }
  const [inputName = ''] = session.inputNames;
  const [outputName = ''] = session.outputNames;
  return {
    inputShape: input.shape,
    outputShape: output.shape,
    facts: { engine: `onnxruntime-web ${ort.env.versions.common}`, threads: String(options.threads), accelerator: 'cpu' },
    warnings,
    async run(image) {
      try {
        const tensor = new ort.Tensor('uint8', image, input.shape);
        const outputs = await session.run({ [inputName]: tensor });
        return Float32Array.from((await outputs[outputName]?.getData()) as Float32Array);
      } catch (error) {
        throw failedModel(name, error);
      }
    },
    close: () => void session.release(),
  };
}

function described(ports: readonly ort.InferenceSession.ValueMetadata[]): Tensor {
  const [port] = ports;
  if (ports.length !== 1 || !port?.isTensor) return { type: `${ports.length} tensors`, shape: [] };
  return { type: port.type, shape: port.shape.map((each) => (typeof each === 'number' ? each : -1)) };
}
