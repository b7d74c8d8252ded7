import { describe, expect, it } from 'vitest';

import { Bundle } from '../src/bundle/bundle.js';
import { isSigned, isSignedByNoble } from '../src/bundle/signature.js';
import { unpacked } from '../src/bundle/storage.js';
import { VECTORS, bytes } from './vectors.js';

/** The files of a bundle as a browser's picker of folders gives them. */
function picked(): Map<string, File> {
  const contents = unpacked(bytes('bundles/good.edgekd'), 'good');
  return new Map([...contents].map(([name, content]) => [name, fileOf(name, content)]));
}

/** A file as the picker gives it, below the folder's name; Node's files have no path. */
function fileOf(name: string, content: Uint8Array): File {
  const file = new File([content as Uint8Array<ArrayBuffer>], name);
  return Object.defineProperty(file, 'webkitRelativePath', { value: `melanoma/${name}` });
}

describe('a bundle as a folder', () => {
  it('opens as its zip does', async () => {
    const zip = await Bundle.open(bytes('bundles/good.edgekd'));
    expect((await Bundle.open(picked().values())).sha256).toBe(zip.sha256);
  });

  it('is refused where a file is changed by a byte', async () => {
    const files = picked();
    const model = files.get('model.onnx');
    const content = new Uint8Array((await model?.arrayBuffer()) ?? new ArrayBuffer(0));
    content[3] = 0;
    files.set('model.onnx', fileOf('model.onnx', content));
    await expect(Bundle.open(files.values())).rejects.toThrow('does not have the hash');
  });

  it('is refused where a file is missing, or all are', async () => {
    const files = picked();
    files.delete('model.onnx');
    await expect(Bundle.open(files.values())).rejects.toThrow('model.onnx is missing');
    await expect(Bundle.open([])).rejects.toMatchObject({ kind: 'input', exitCode: 2 });
  });
});

describe('a signature', () => {
  it.each([isSigned, isSignedByNoble])('is verified by %o', async (verify) => {
    const signed = VECTORS.bundles.find((each) => each.signature === 'verified');
    expect(signed).toBeDefined();
    const contents = unpacked(bytes(signed?.bundle ?? ''), 'signed');
    const manifest = contents.get('manifest.json') ?? new Uint8Array();
    const text = new TextDecoder().decode(contents.get('manifest.sig'));
    const signature = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
    const key = publicKey(bytes(signed?.public_key ?? ''));
    expect(await verify(key, manifest, signature)).toBe(true);
    const changed = manifest.slice();
    changed[10] = (changed[10] ?? 0) ^ 1;
    expect(await verify(key, changed, signature)).toBe(false);
    signature[3] = (signature[3] ?? 0) ^ 1;
    expect(await verify(key, manifest, signature)).toBe(false);
  });
});

/** The 32 bytes of a key, which a file of PEM ends with. */
function publicKey(file: Uint8Array): Uint8Array {
  if (file.length === 32) return file;
  const body = new TextDecoder().decode(file).replace(/-----[^-]+-----|\s/g, '');
  return Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0)).slice(-32);
}
