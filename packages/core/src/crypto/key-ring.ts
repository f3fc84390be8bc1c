import { createECDH, createHash, createSecretKey, generateKeyPairSync, hkdfSync } from 'node:crypto';
import { type RandomBytes, randomId } from '../base/random.ts';
import { err, ok, type Result } from '../base/result.ts';
import { isKid, type SealingKey } from './envelope.ts';

/** What a sealing key is for. Each purpose has a key of its own, so that one's output is noise to the others. */
export type KeyPurpose = 'store' | 'access-token' | 'cookie' | 'form';

const purposes: readonly KeyPurpose[] = ['store', 'access-token', 'cookie', 'form'];

/** The private EC P-256 key that signs (ES256), as a JWK with its id (RFC 7517). */
export interface SigningJwk {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  readonly d: string;
  readonly kid: string;
  readonly alg: 'ES256';
  readonly use: 'sig';
}

/** The ring as it is kept: JSON. It holds the secrets in the clear, so only its keeper may touch it. */
export interface KeyRingFile {
  readonly version: 1;
  /** Id of the key that seals; the others only open. */
  readonly current: string;
  /** When `current` became current: what the key before it sealed may be in use for a while after. */
  readonly currentSinceSeconds?: number;
  readonly keys: readonly KeyRingEntry[];
  readonly signing: SigningEntry;
  /** Published with it: the key that signs next, and those that signed before. */
  readonly otherSigning?: readonly SigningEntry[];
}

export interface SigningEntry {
  readonly kid: string;
  readonly jwk: EcPrivateJwk;
}

export interface KeyRingEntry {
  readonly kid: string;
  readonly createdAtSeconds: number;
  /** 32 bytes, base64url. */
  readonly secret: string;
}

/** The members of RFC 7518 §6.2 that a P-256 private key has. */
export interface EcPrivateJwk {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  readonly d: string;
}

/** The ring at work. Prints as key ids only, however it is turned into text. */
export interface KeyRing {
  /** The key that seals now. */
  current(purpose: KeyPurpose): SealingKey;
  /** The key that sealed earlier, or undefined when the ring does not have it (any more). */
  find(purpose: KeyPurpose, kid: string): SealingKey | undefined;
  /** Ids of all sealing keys, oldest first. */
  readonly kids: readonly string[];
  readonly signingJwk: SigningJwk;
  /** The public halves of all signing keys, the one that signs first (RFC 7517 §5). */
  readonly publicJwks: readonly Omit<SigningJwk, 'd'>[];
  toString(): string;
}

/** Makes an EC P-256 private key; passed in where a test wants a fixed one. */
export type GenerateSigningKey = () => EcPrivateJwk;

const secretBytes = 32;
const maxKeys = 64;
/** First byte of an elliptic curve point written as x and y (SEC 1 §2.3.3). */
const uncompressedPoint = 4;

/**
 * A new ring with one sealing key and one signing key.
 *
 * @param nowSeconds seconds since the epoch, noted as the key's age.
 */
export function createKeyRing(
  random: RandomBytes,
  nowSeconds: number,
  generateSigningKey: GenerateSigningKey = generateP256,
): KeyRingFile {
  const entry = createEntry(random, nowSeconds);
  const jwk = generateSigningKey();
  return { version: 1, current: entry.kid, keys: [entry], signing: { kid: thumbprint(jwk), jwk } };
}

/**
 * Rotation: the ring with one more key. Older keys stay, so everything sealed so far still opens (A28).
 *
 * @param options.makeCurrent default true. With several replicas first add the key with false, give the file to
 *   all of them, and only then seal with it (`withCurrent`): a replica cannot open what it has no key for.
 */
export function addKey(
  file: KeyRingFile,
  random: RandomBytes,
  nowSeconds: number,
  options: { readonly makeCurrent?: boolean } = {},
): KeyRingFile {
  const entry = createEntry(random, nowSeconds);
  const current = (options.makeCurrent ?? true) ? entry.kid : file.current;
  return { ...file, current, keys: [...file.keys, entry] };
}

/** The ring with another of its keys as the one that seals. @returns a message when it has no such key. */
export function withCurrent(file: KeyRingFile, kid: string): Result<KeyRingFile, string> {
  if (!file.keys.some((entry) => entry.kid === kid)) return err('the ring has no key of that id');
  return ok({ ...file, current: kid });
}

/**
 * First step of a rotation: a new sealing key and a new signing key join the ring, and neither is used yet.
 * Every replica must know them before one of them uses them.
 */
export function stageKeys(
  file: KeyRingFile,
  random: RandomBytes,
  nowSeconds: number,
  generateSigningKey: GenerateSigningKey = generateP256,
): KeyRingFile {
  const jwk = generateSigningKey();
  const otherSigning = [...(file.otherSigning ?? []), { kid: thumbprint(jwk), jwk }];
  return { ...addKey(file, random, nowSeconds, { makeCurrent: false }), otherSigning };
}

/** Second step: the keys that joined last are used from now on, and those before them only open and verify. */
export function useStagedKeys(file: KeyRingFile, nowSeconds: number): KeyRingFile {
  const newest = file.keys.at(-1);
  const signing = file.otherSigning?.at(-1);
  if (newest === undefined || newest.kid === file.current) return file;
  return {
    ...file,
    current: newest.kid,
    currentSinceSeconds: nowSeconds,
    ...(signing === undefined
      ? {}
      : { signing, otherSigning: [file.signing, ...(file.otherSigning ?? []).slice(0, -1)] }),
  };
}

/** Last step: these keys leave, and with them every signing key that signs no more. Never the current key. */
export function removeKeys(file: KeyRingFile, kids: ReadonlySet<string>): KeyRingFile {
  const keys = file.keys.filter(({ kid }) => kid === file.current || !kids.has(kid));
  const { otherSigning: _retired, ...rest } = file;
  return { ...rest, keys };
}

/**
 * Reads a ring from JSON and derives its keys: HKDF-SHA256 per purpose (RFC 5869), all of them here and once, so
 * that no request pays for it.
 *
 * @returns the ring, or what is wrong with the file and where. The message never contains key material.
 */
export function parseKeyRing(json: unknown): Result<KeyRing, string> {
  if (!isRecord(json)) return err('key ring: expected an object');
  if (json['version'] !== 1) return err('key ring: `version` must be 1');
  const keys = parseEntries(json['keys']);
  if (!keys.ok) return keys;
  const signing = parseSigning(json['signing']);
  if (!signing.ok) return signing;
  const current = json['current'];
  if (typeof current !== 'string' || !keys.value.some((key) => key.kid === current)) {
    return err('key ring: `current` must be the `kid` of one of `keys`');
  }
  const others: SigningJwk[] = [];
  const listed = json['otherSigning'] ?? [];
  if (!Array.isArray(listed) || listed.length > maxKeys)
    return err('key ring: `otherSigning` must be a list');
  for (const item of listed) {
    const other = parseSigning(item);
    if (!other.ok) return other;
    others.push(other.value);
  }
  return ok(openRing(keys.value, current, [signing.value, ...others]));
}

interface ParsedEntry {
  readonly kid: string;
  readonly createdAtSeconds: number;
  readonly secret: Uint8Array;
}

function parseEntries(value: unknown): Result<ParsedEntry[], string> {
  if (!Array.isArray(value) || value.length === 0) return err('key ring: `keys` must be a non-empty list');
  if (value.length > maxKeys) return err(`key ring: more than ${maxKeys} \`keys\``);
  const entries: ParsedEntry[] = [];
  for (const [index, item] of value.entries()) {
    const entry = parseEntry(item, `key ring: keys[${index}]`);
    if (!entry.ok) return entry;
    if (entries.some(({ kid }) => kid === entry.value.kid)) {
      return err(`key ring: keys[${index}].kid occurs twice`);
    }
    entries.push(entry.value);
  }
  return ok(entries);
}

function parseEntry(item: unknown, path: string): Result<ParsedEntry, string> {
  if (!isRecord(item)) return err(`${path}: expected an object`);
  const { kid, createdAtSeconds, secret } = item;
  if (typeof kid !== 'string' || !isKid(kid))
    return err(`${path}.kid: expected 1 to 64 base64url characters`);
  if (!isSeconds(createdAtSeconds)) return err(`${path}.createdAtSeconds: expected whole seconds`);
  const bytes = parseBase64url(secret, secretBytes);
  if (bytes === undefined) return err(`${path}.secret: expected ${secretBytes} bytes in base64url`);
  return ok({ kid, createdAtSeconds, secret: bytes });
}

function parseSigning(value: unknown): Result<SigningJwk, string> {
  if (!isRecord(value) || !isRecord(value['jwk'])) {
    return err('key ring: `signing` must have a `kid` and a `jwk`');
  }
  const { kid } = value;
  if (typeof kid !== 'string' || !isKid(kid))
    return err('key ring: signing.kid: expected base64url characters');
  const jwk = parseEcPrivateJwk(value['jwk']);
  if (jwk === undefined) return err('key ring: signing.jwk: expected an EC P-256 private key');
  return ok({ ...jwk, kid, alg: 'ES256', use: 'sig' });
}

/**
 * A key whose public half does not belong to `d` would sign what nobody can verify. Importing the JWK does not
 * find that out (OpenSSL keeps the stated point), so the point is computed from `d` and compared.
 */
function parseEcPrivateJwk(jwk: Record<string, unknown>): EcPrivateJwk | undefined {
  const { kty, crv, x, y, d } = jwk;
  if (kty !== 'EC' || crv !== 'P-256') return undefined;
  const [xBytes, yBytes, dBytes] = [x, y, d].map((part) => parseBase64url(part, secretBytes));
  if (xBytes === undefined || yBytes === undefined || dBytes === undefined) return undefined;
  const ecdh = createECDH('prime256v1');
  try {
    ecdh.setPrivateKey(dBytes);
  } catch {
    return undefined;
  }
  const stated = Buffer.concat([Uint8Array.of(uncompressedPoint), xBytes, yBytes]);
  return ecdh.getPublicKey().equals(stated)
    ? { kty, crv, x: String(x), y: String(y), d: String(d) }
    : undefined;
}

function openRing(
  entries: readonly ParsedEntry[],
  current: string,
  signingJwks: readonly [SigningJwk, ...SigningJwk[]],
): KeyRing {
  const [signingJwk] = signingJwks;
  const derived = new Map(purposes.map((purpose) => [purpose, deriveAll(entries, purpose)]));
  const find = (purpose: KeyPurpose, kid: string): SealingKey | undefined => derived.get(purpose)?.get(kid);
  const kids = entries.toSorted((a, b) => a.createdAtSeconds - b.createdAtSeconds).map(({ kid }) => kid);
  const ring = {
    find,
    current(purpose: KeyPurpose): SealingKey {
      const key = find(purpose, current);
      if (key === undefined) throw new RangeError('no such key purpose');
      return key;
    },
    kids,
    signingJwk,
    publicJwks: signingJwks.map(({ d: _private, ...publicJwk }) => publicJwk),
    toJSON: () => ({ current, kids }),
    toString: () => `[key ring ${current}]`,
  };
  // Not enumerable: JSON, spreading and util.inspect of the ring, or of anything that holds it, pass it by.
  Object.defineProperty(ring, 'signingJwk', { enumerable: false });
  return Object.freeze(ring);
}

function deriveAll(entries: readonly ParsedEntry[], purpose: KeyPurpose): Map<string, SealingKey> {
  return new Map(entries.map(({ kid, secret }) => [kid, { kid, key: deriveKey(secret, purpose) }]));
}

function deriveKey(secret: Uint8Array, purpose: KeyPurpose) {
  const bytes = hkdfSync('sha256', secret, new Uint8Array(0), `valetkey/v1/${purpose}`, secretBytes);
  return createSecretKey(new Uint8Array(bytes));
}

function createEntry(random: RandomBytes, nowSeconds: number): KeyRingEntry {
  const secret = random(secretBytes);
  if (secret.length !== secretBytes) throw new RangeError(`the generator must give ${secretBytes} bytes`);
  return {
    kid: randomId(random, 9),
    createdAtSeconds: nowSeconds,
    secret: Buffer.from(secret).toString('base64url'),
  };
}

function generateP256(): EcPrivateJwk {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = parseEcPrivateJwk({ ...privateKey.export({ format: 'jwk' }) });
  if (jwk === undefined) throw new TypeError('the platform made no P-256 key');
  return jwk;
}

/** RFC 7638: the id follows from the key, so two machines name one key alike. */
function thumbprint({ crv, kty, x, y }: EcPrivateJwk): string {
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Canonical only: a stray character that a lenient decoder skips would hide a damaged file. */
function parseBase64url(value: unknown, bytes: number): Uint8Array | undefined {
  if (typeof value !== 'string') return undefined;
  const decoded = Buffer.from(value, 'base64url');
  return decoded.length === bytes && decoded.toString('base64url') === value ? decoded : undefined;
}
