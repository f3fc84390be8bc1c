/** What a key does with bytes: RFC 7518 §3.3, §3.5, §4.2, §4.3. Signing takes a digest, as the service does, not the message. */
import {
  constants,
  createHash,
  privateDecrypt,
  privateEncrypt,
  publicDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { badParameter } from './key-vault-error.ts';
import type { KeyVersion } from './key-vault-keys.ts';

const PADDINGS: Readonly<Record<string, { readonly padding: number; readonly oaepHash?: string }>> = {
  RSA1_5: { padding: constants.RSA_PKCS1_PADDING },
  'RSA-OAEP': { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
  'RSA-OAEP-256': { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
};

/** @throws VaultError 400 for another algorithm, or more bytes than the key can hold */
export function seal(key: KeyVersion, algorithm: string, plain: Buffer): Buffer {
  const padding = findPadding(algorithm);
  try {
    return publicEncrypt({ key: key.publicKey, ...padding }, plain);
  } catch {
    throw badParameter('The parameter is incorrect: the value is too long for this key and algorithm.');
  }
}

/** @throws VaultError 400, the same for whatever is wrong with the ciphertext */
export function unseal(key: KeyVersion, algorithm: string, sealed: Buffer): Buffer {
  const padding = findPadding(algorithm);
  try {
    return privateDecrypt({ key: key.privateKey, ...padding }, sealed);
  } catch {
    throw badParameter('The parameter is incorrect.');
  }
}

function findPadding(algorithm: string) {
  const padding = Object.hasOwn(PADDINGS, algorithm) ? PADDINGS[algorithm] : undefined;
  if (padding === undefined)
    throw badParameter(`Invalid algorithm for an RSA key: '${algorithm.slice(0, 30)}'.`);
  return padding;
}

interface SignatureAlgorithm {
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  readonly isPss: boolean;
  /** RFC 8017 §9.2: what stands before the digest inside a PKCS#1 v1.5 signature. */
  readonly digestInfo: string;
}

const DIGEST_INFO = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
} as const;
const DIGEST_BYTES = { sha256: 32, sha384: 48, sha512: 64 } as const;

/** @throws VaultError 400 */
export function signDigest(key: KeyVersion, algorithm: string, digest: Buffer): Buffer {
  const chosen = findSignature(algorithm, digest);
  if (!chosen.isPss) {
    const encoded = Buffer.concat([Buffer.from(chosen.digestInfo, 'hex'), digest]);
    return privateEncrypt({ key: key.privateKey, padding: constants.RSA_PKCS1_PADDING }, encoded);
  }
  const encoded = encodePss(chosen.hash, digest, key.keySize);
  return privateEncrypt({ key: key.privateKey, padding: constants.RSA_NO_PADDING }, encoded);
}

/** @throws VaultError 400 for a wrong algorithm or digest; a wrong signature is false */
export function verifyDigest(key: KeyVersion, algorithm: string, digest: Buffer, signature: Buffer): boolean {
  const chosen = findSignature(algorithm, digest);
  try {
    if (chosen.isPss) {
      const encoded = publicDecrypt({ key: key.publicKey, padding: constants.RSA_NO_PADDING }, signature);
      return isPss(chosen.hash, digest, encoded, key.keySize);
    }
    const encoded = publicDecrypt({ key: key.publicKey, padding: constants.RSA_PKCS1_PADDING }, signature);
    return encoded.equals(Buffer.concat([Buffer.from(chosen.digestInfo, 'hex'), digest]));
  } catch {
    return false;
  }
}

function findSignature(algorithm: string, digest: Buffer): SignatureAlgorithm {
  const [, family, bits] = /^(RS|PS)(256|384|512)$/.exec(algorithm) ?? [];
  if (family === undefined)
    throw badParameter(
      `Key and signing algorithm are incompatible. Key RSA and algorithm ${algorithm.slice(0, 30)}`,
    );
  const hash = `sha${bits ?? ''}` as SignatureAlgorithm['hash'];
  if (digest.length !== DIGEST_BYTES[hash])
    throw badParameter(
      `Invalid length of 'value': ${digest.length} bytes. Required length of digest: ${DIGEST_BYTES[hash]} bytes.`,
    );
  return { hash, isPss: family === 'PS', digestInfo: DIGEST_INFO[hash] };
}

/** EMSA-PSS, RFC 8017 §9.1.1, by hand: Node signs messages with it, not digests. The salt is as long as the digest. */
function encodePss(hash: SignatureAlgorithm['hash'], digest: Buffer, keySize: number): Buffer {
  const length = keySize / 8;
  const salt = randomBytes(digest.length);
  const hashed = hashPss(hash, digest, salt);
  const block = Buffer.concat([
    Buffer.alloc(length - salt.length - hashed.length - 2),
    Buffer.from([1]),
    salt,
  ]);
  const masked = xor(block, mask(hash, hashed, block.length));
  masked.writeUInt8(masked.readUInt8(0) & 0x7f, 0);
  return Buffer.concat([masked, hashed, Buffer.from([0xbc])]);
}

/** RFC 8017 §9.1.2. */
function isPss(hash: SignatureAlgorithm['hash'], digest: Buffer, encoded: Buffer, keySize: number): boolean {
  const blockLength = keySize / 8 - digest.length - 1;
  const hashed = encoded.subarray(blockLength, -1);
  if (encoded.at(-1) !== 0xbc) return false;
  const block = xor(encoded.subarray(0, blockLength), mask(hash, hashed, blockLength));
  block.writeUInt8(block.readUInt8(0) & 0x7f, 0);
  const salt = block.subarray(-digest.length);
  const padding = block.subarray(0, -digest.length);
  const isPadded = padding.at(-1) === 1 && padding.subarray(0, -1).every((byte) => byte === 0);
  return isPadded && hashPss(hash, digest, salt).equals(hashed);
}

function hashPss(hash: string, digest: Buffer, salt: Buffer): Buffer {
  return createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest();
}

/** MGF1, RFC 8017 §B.2.1. */
function mask(hash: string, seed: Buffer, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let made = 0, counter = 0; made < length; counter += 1) {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(counter);
    const block = createHash(hash).update(seed).update(number).digest();
    blocks.push(block);
    made += block.length;
  }
  return Buffer.concat(blocks).subarray(0, length);
}

function xor(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, index) => byte ^ (other[index] ?? 0)));
}
