import { EdgekdError, artefactError } from '../errors.js';
import { first, quoted } from '../text/text.js';
import { sha256 } from './bytes.js';
import { type FileEntry, type Manifest, decodeManifest } from './manifest.js';
import { PublicKey, SIGNATURE } from './signature.js';
import { FolderStorage, MAX_FILES, MemoryStorage, type Storage, damaged, isPlainName, unpacked } from './storage.js';

const MANIFEST = 'manifest.json';
const UNLISTED = new Set([MANIFEST, SIGNATURE, 'provenance.json']);
const MAX_MANIFEST_BYTES = 4 * 2 ** 20;
const MAX_FILE_BYTES = 2 ** 30;

/** What is known about a bundle's signature. */
export type SignatureState = 'none' | 'not checked' | 'verified';

/** Bytes of an `.edgekd` file, or the files of a bundle folder. */
export type BundleSource = Uint8Array | Iterable<File>;

/** An opened bundle: its manifest and its files, checked before any content is used. */
export class Bundle {
  private constructor(
    private readonly storage: Storage,
    readonly label: string,
    /** Hex SHA-256 of the manifest, which has the hash of every other file: that of the bundle. */
    readonly sha256: string,
    readonly manifest: Manifest,
    readonly signature: SignatureState,
  ) {}

  /** Open and check a bundle; with a public key (PEM or 32 bytes) only one that its owner signed. */
  static async open(source: BundleSource, publicKey?: Uint8Array): Promise<Bundle> {
    const key = publicKey === undefined ? null : new PublicKey(publicKey); // a bad key is reported first
    const [storage, label] =
      source instanceof Uint8Array
        ? [new MemoryStorage(unpacked(source, '<bytes>')), '<bytes>']
        : [new FolderStorage(source), '<folder>'];
    const raw = await readManifest(storage, label);
    let bundle: Bundle;
    try {
      const state = await signatureState(storage, raw, key);
      bundle = new Bundle(storage, label, await sha256(raw), decodeManifest(raw), state);
    } catch (error) {
      throw named(error, label);
    }
    await bundle.checkFiles();
    return bundle;
  }

  /** Content of a file that the manifest lists, as it was hashed. */
  async read(name: string): Promise<Uint8Array> {
    const entry = this.manifest.files.get(name);
    if (entry === undefined || (await this.storage.size(name)) === null) {
      throw damaged(this.label, `${name} is missing`);
    }
    const content = await this.storage.read(name);
    this.refuseSize(name, entry, content.length);
    if ((await sha256(content)) !== entry.sha256) {
      throw damaged(this.label, `${name} does not have the hash that the manifest says`);
    }
    return content;
  }

  private async checkFiles(): Promise<void> {
    const { files } = this.manifest;
    if (files.size > MAX_FILES) throw damaged(this.label, `its manifest lists more than ${MAX_FILES} files`);
    for (const [name, entry] of files) {
      if (!isPlainName(name)) {
        throw damaged(this.label, `the name ${quoted(first(name, 80))} leads out of the bundle`);
      }
      if (UNLISTED.has(name)) throw damaged(this.label, `its manifest lists ${name}, which cannot be hashed`);
      const size = await this.storage.size(name);
      if (size === null) throw damaged(this.label, `${name} is missing`);
      this.refuseSize(name, entry, size);
      await this.read(name);
    }
  }

  private refuseSize(name: string, entry: FileEntry, size: number): void {
    if (size === entry.size && size <= MAX_FILE_BYTES) return;
    throw damaged(this.label, `${name} does not have the size that the manifest says`);
  }
}

/** An error about the manifest or the signature with the bundle's name, since there may be several. */
function named(error: unknown, label: string): unknown {
  if (!(error instanceof EdgekdError) || error.kind !== 'artefact') return error;
  return artefactError(`${label}: ${error.message}`, error.hint, error);
}

async function readManifest(storage: Storage, label: string): Promise<Uint8Array> {
  const size = await storage.size(MANIFEST);
  if (size === null) {
    throw artefactError(
      `${label} is not a bundle: it has no ${MANIFEST}`,
      'give the folder or .edgekd file that `edgekd build` wrote',
    );
  }
  if (size > MAX_MANIFEST_BYTES) {
    throw damaged(label, `${MANIFEST} is larger than ${MAX_MANIFEST_BYTES} bytes`);
  }
  return storage.read(MANIFEST);
}

async function signatureState(storage: Storage, raw: Uint8Array, key: PublicKey | null): Promise<SignatureState> {
  const there = (await storage.size(SIGNATURE)) !== null;
  if (key === null) return there ? 'not checked' : 'none';
  await key.verify(raw, there ? await storage.read(SIGNATURE) : null);
  return 'verified';
}
