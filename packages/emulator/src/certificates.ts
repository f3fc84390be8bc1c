/**
 * Room `certificates`: the local certificate authority, because Microsoft's libraries refuse an http authority.
 * Knows no HTTP and no OAuth. Also makes the self-signed certificates that an app signs its client assertions with.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as der from './der.ts';

export interface Certificate {
  readonly certificatePem: string;
  readonly privateKey: KeyObject;
}

interface CertificateRequest {
  readonly commonName: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly issuer?: Certificate & { readonly commonName: string };
  readonly authority?: boolean;
  readonly serverNames?: readonly Buffer[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const DAY_MS = 86_400_000;
const AUTHORITY_NAME = 'Valetkey emulator local CA (development only)';
const SERVER_NAMES: readonly Buffer[] = [
  der.choice(2, Buffer.from('localhost')),
  der.choice(7, Buffer.from([127, 0, 0, 1])),
  der.choice(7, Buffer.from([...Array.from({ length: 15 }, () => 0), 1])),
];

/** A fresh authority for localhost, 127.0.0.1 and ::1. Browsers refuse a leaf that outlives 825 days; this one has 397. */
export function createServerCertificate(authority: Certificate, nowMs: number): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = { ...authority, commonName: AUTHORITY_NAME };
  const validity = { notBeforeMs: nowMs - DAY_MS, notAfterMs: nowMs + 397 * DAY_MS };
  return {
    privateKey,
    certificatePem: issue({
      commonName: 'localhost',
      publicKey,
      privateKey,
      issuer,
      serverNames: SERVER_NAMES,
      ...validity,
    }),
  };
}

export function createAuthority(nowMs: number): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const validity = { notBeforeMs: nowMs - DAY_MS, notAfterMs: nowMs + 3650 * DAY_MS };
  return {
    privateKey,
    certificatePem: issue({
      commonName: AUTHORITY_NAME,
      publicKey,
      privateKey,
      authority: true,
      ...validity,
    }),
  };
}

/** A self-signed certificate around a key pair: the JWKS carries one per key, an app registers one as its credential. */
export function createSelfSigned(
  commonName: string,
  keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  nowMs: number,
  lifetimeDays = 365,
): string {
  return issue({
    commonName,
    ...keys,
    notBeforeMs: nowMs - DAY_MS,
    notAfterMs: nowMs + lifetimeDays * DAY_MS,
  });
}

/** A certificate that an authority of `createAuthority` issues to a name: what an app with a trusted subject signs with. */
export function createIssued(
  commonName: string,
  keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  authority: Certificate,
  nowMs: number,
  lifetimeDays = 90,
): string {
  return issue({
    commonName,
    ...keys,
    issuer: { ...authority, commonName: AUTHORITY_NAME },
    notBeforeMs: nowMs - DAY_MS,
    notAfterMs: nowMs + lifetimeDays * DAY_MS,
  });
}

/**
 * The authority kept in `directory` (`ca.pem`, `ca-key.pem` mode 0600), so that a browser has to trust it only once.
 * A missing, unreadable or expiring one is made anew.
 */
export async function openAuthority(directory: string, nowMs: number): Promise<Certificate> {
  const certificatePath = join(directory, 'ca.pem');
  const keyPath = join(directory, 'ca-key.pem');
  const kept = await readAuthority(certificatePath, keyPath, nowMs);
  if (kept !== undefined) return kept;
  const made = createAuthority(nowMs);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(keyPath, made.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  await writeFile(certificatePath, made.certificatePem);
  return made;
}

async function readAuthority(
  certificatePath: string,
  keyPath: string,
  nowMs: number,
): Promise<Certificate | undefined> {
  try {
    const certificatePem = await readFile(certificatePath, 'utf8');
    const privateKey = createPrivateKey(await readFile(keyPath));
    const certificate = new X509Certificate(certificatePem);
    const usable =
      certificate.checkPrivateKey(privateKey) && certificate.validToDate.getTime() > nowMs + 30 * DAY_MS;
    return usable ? { certificatePem, privateKey } : undefined;
  } catch {
    return undefined;
  }
}

function issue(request: CertificateRequest): string {
  const signer = request.issuer?.privateKey ?? request.privateKey;
  const algorithm = signatureAlgorithm(signer);
  const body = der.sequence(
    der.tagged(0, der.integer(Buffer.from([2]))),
    der.integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    name(request.issuer?.commonName ?? request.commonName),
    der.sequence(der.time(request.notBeforeMs), der.time(request.notAfterMs)),
    name(request.commonName),
    request.publicKey.export({ type: 'spki', format: 'der' }),
    der.tagged(3, der.sequence(...extensions(request))),
  );
  const certificate = der.sequence(body, algorithm, der.bits(sign('sha256', body, signer)));
  return `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END CERTIFICATE-----\n`;
}

function signatureAlgorithm(key: KeyObject): Buffer {
  return key.asymmetricKeyType === 'ec'
    ? der.sequence(der.objectId('1.2.840.10045.4.3.2'))
    : der.sequence(der.objectId('1.2.840.113549.1.1.11'), der.nothing());
}

function name(commonName: string): Buffer {
  return der.sequence(der.set(der.sequence(der.objectId('2.5.4.3'), der.utf8(commonName))));
}

/** RFC 5280 §4.2.1: basic constraints, key usage, and for a server its names and its purpose. */
function extensions(request: CertificateRequest): readonly Buffer[] {
  const critical = (oid: string, value: Buffer) =>
    der.sequence(der.objectId(oid), der.boolean(true), der.octets(value));
  const plain = (oid: string, value: Buffer) => der.sequence(der.objectId(oid), der.octets(value));
  if (request.authority) {
    return [
      critical('2.5.29.19', der.sequence(der.boolean(true), der.integer(Buffer.from([0])))),
      critical('2.5.29.15', der.bits(Buffer.from([0x06]), 1)),
    ];
  }
  const common = [
    critical('2.5.29.19', der.sequence()),
    critical('2.5.29.15', der.bits(Buffer.from([0x80]), 7)),
  ];
  if (request.serverNames === undefined) return common;
  return [
    ...common,
    plain('2.5.29.17', der.sequence(...request.serverNames)),
    plain('2.5.29.37', der.sequence(der.objectId('1.3.6.1.5.5.7.3.1'))),
  ];
}

/** The public half of a certificate, to verify a client assertion with. */
export function publicKeyOf(certificatePem: string): KeyObject {
  return createPublicKey(certificatePem);
}
