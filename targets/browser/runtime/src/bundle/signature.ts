import { verifyAsync } from '@noble/ed25519';

import { artefactError, inputError } from '../errors.js';
import { latin1 } from './bytes.js';

export const SIGNATURE = 'manifest.sig';
const MAX_SIGNATURE_BYTES = 1024;
const RAW_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const PEM = /-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----/;
/** What stands before the 32 bytes of a key (RFC 8410, section 4: SubjectPublicKeyInfo of id-Ed25519). */
const ED25519_INFO = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const ALGORITHM = { name: 'Ed25519' };

/** An Ed25519 public key, by which a bundle's signature is verified (RFC 8032). */
export class PublicKey {
  private readonly raw: Uint8Array;

  constructor(source: Uint8Array) {
    this.raw = source.length === RAW_KEY_BYTES ? source : ofPem(source);
  }

  /** Refuse a manifest that the owner of the key did not sign. */
  async verify(manifest: Uint8Array, signatureText: Uint8Array | null): Promise<void> {
    if (signatureText === null) {
      throw artefactError(
        `the bundle is not signed: it has no ${SIGNATURE}`,
        'sign it with `edgekd sign`, or take it from who signs it',
      );
    }
    if (!(await isSigned(this.raw, manifest, decoded(signatureText)))) {
      throw artefactError(
        'the signature does not belong to this manifest and this key',
        'do not use the bundle; take it from who signs it',
      );
    }
  }
}

/** By WebCrypto where the browser's has Ed25519, else by @noble/ed25519. */
export async function isSigned(key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const imported = await crypto.subtle
    .importKey('raw', key as Uint8Array<ArrayBuffer>, ALGORITHM, false, ['verify'])
    .catch(() => null);
  if (imported === null) return isSignedByNoble(key, message, signature);
  return crypto.subtle.verify(
    ALGORITHM,
    imported,
    signature as Uint8Array<ArrayBuffer>,
    message as Uint8Array<ArrayBuffer>,
  );
}

/** RFC 8032's strict rules, without those of ZIP 215. */
export const isSignedByNoble = (key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> =>
  verifyAsync(signature, message, key, { zip215: false }).catch(() => false);

function ofPem(source: Uint8Array): Uint8Array {
  const body = PEM.exec(latin1(source))?.[1];
  const info = body === undefined ? null : fromBase64(body.replace(/\s/g, ''));
  if (info?.[0] !== 0x30) {
    throw inputError(
      'the public key is not a public key in PEM',
      'give the .pub.pem that `edgekd sign --new-key` wrote',
    );
  }
  const known = ED25519_INFO.every((each, index) => info[index] === each);
  if (!known || info.length !== ED25519_INFO.length + RAW_KEY_BYTES) {
    throw inputError('the public key is not an Ed25519 key', 'make one with `edgekd sign --new-key`');
  }
  return info.slice(ED25519_INFO.length);
}

function decoded(text: Uint8Array): Uint8Array {
  const whole = text.length > MAX_SIGNATURE_BYTES ? text.subarray(0, MAX_SIGNATURE_BYTES) : text;
  const signature = fromBase64(latin1(whole).trim());
  if (signature?.length !== SIGNATURE_BYTES) {
    throw artefactError(
      `${SIGNATURE} is not ${SIGNATURE_BYTES} bytes in base64`,
      'copy the bundle again, or have it signed again',
    );
  }
  return signature;
}

function fromBase64(text: string): Uint8Array | null {
  if (/\s/.test(text)) return null;
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}
