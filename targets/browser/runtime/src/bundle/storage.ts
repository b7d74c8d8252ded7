import { type EdgekdError, artefactError, inputError } from '../errors.js';
import { first, isPrintable, lengthOf, quoted } from '../text/text.js';
import { OutsideError } from './bytes.js';
import { StoredZip, ZipError, type ZipMember } from './zip.js';

export const MAX_ARCHIVE_BYTES = 512 * 2 ** 20;
export const MAX_FILES = 64;
const MAX_DIRECTORY_BYTES = MAX_FILES * 1024;
const MAX_NAME_LENGTH = 255;
const BUILT = 'give the folder or .edgekd file that `edgekd build` wrote';

/** Files of a bundle by name. */
export interface Storage {
  /** Size of a file in bytes; null where there is none. */
  size(name: string): Promise<number | null>;
  /** The content of a file that is there. */
  read(name: string): Promise<Uint8Array>;
}

/** Files held in memory. */
export class MemoryStorage implements Storage {
  constructor(private readonly contents: ReadonlyMap<string, Uint8Array>) {}

  size(name: string): Promise<number | null> {
    return Promise.resolve(this.contents.get(name)?.length ?? null);
  }

  read(name: string): Promise<Uint8Array> {
    const content = this.contents.get(name);
    return content === undefined ? Promise.reject(new Error(`there is no ${name}`)) : Promise.resolve(content);
  }
}

/** A bundle folder as a browser's picker of folders gives it; each path begins with the folder's name. */
export class FolderStorage implements Storage {
  private readonly files: ReadonlyMap<string, File>;

  constructor(files: Iterable<File>) {
    this.files = new Map([...files].map((file) => [pathInside(file), file]));
    if (this.files.size === 0) throw inputError('the folder is empty', BUILT);
  }

  size(name: string): Promise<number | null> {
    return Promise.resolve(this.files.get(name)?.size ?? null);
  }

  async read(name: string): Promise<Uint8Array> {
    const file = this.files.get(name);
    if (file === undefined) throw new Error(`there is no ${name}`);
    return new Uint8Array(await file.arrayBuffer());
  }
}

const pathInside = (file: File): string =>
  file.webkitRelativePath === '' ? file.name : file.webkitRelativePath.split('/').slice(1).join('/');

/** Content of every member of a zip by name. */
export function unpacked(archive: Uint8Array, label: string): Map<string, Uint8Array> {
  if (archive.length > MAX_ARCHIVE_BYTES) {
    throw artefactError(
      `${label} is larger than ${MAX_ARCHIVE_BYTES / 2 ** 20} MiB, the most for one file`,
      'unzip it into a folder and open that',
    );
  }
  try {
    const zip = new StoredZip(archive);
    if (zip.count > MAX_FILES || zip.directoryBytes > MAX_DIRECTORY_BYTES) {
      throw damaged(label, `it has more than ${MAX_FILES} files, or overlong names`);
    }
    const members = zip.members();
    refuseMembers(members, archive.length, label);
    return new Map(members.map((each) => [each.name, zip.read(each)]));
  } catch (error) {
    if (error instanceof ZipError) throw artefactError(`${label} is not a bundle: ${error.message}`, BUILT, error);
    if (error instanceof OutsideError) throw artefactError(`${label} is not a bundle: it is cut off`, BUILT, error);
    throw error;
  }
}

function refuseMembers(members: readonly ZipMember[], archiveBytes: number, label: string): void {
  if (members.length > MAX_FILES) throw damaged(label, `it has more than ${MAX_FILES} files`);
  for (const each of members) refuseMember(each, archiveBytes, label);
  if (new Set(members.map((each) => each.name)).size < members.length) {
    throw damaged(label, 'two of its members have the same name');
  }
  const total = members.reduce((sum, each) => sum + each.size, 0);
  if (total > archiveBytes) throw damaged(label, 'its members overlap');
}

function refuseMember(member: ZipMember, archiveBytes: number, label: string): void {
  const name = quoted(member.name);
  if (!isPlainName(member.name)) {
    throw damaged(label, `the member ${quoted(first(member.name, 80))} leads out of the bundle`);
  }
  if (member.method !== 0 || member.size !== member.packed) {
    throw damaged(label, `the member ${name} is compressed or too large`);
  }
  if (member.header > archiveBytes) throw damaged(label, `the member ${name} lies outside of it`);
}

/** The error for a bundle whose parts do not belong together. */
export const damaged = (label: string, why: string): EdgekdError =>
  artefactError(`the bundle ${label} is damaged: ${why}`, 'copy it again, or build it again');

/** Whether a name is a relative path inside the bundle, with one meaning on every system. */
export const isPlainName = (name: string): boolean =>
  lengthOf(name) <= MAX_NAME_LENGTH &&
  isPrintable(name) &&
  !/[\\:]/.test(name) &&
  name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
