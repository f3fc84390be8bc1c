/**
 * Room `client-auth`: who is asking at the token endpoint, and how it proved that. Secret by post or basic, a certificate's
 * assertion, or a federated one. Knows no grant: whether proof was needed at all is for the grant to say.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose';
import { publicKeyOf } from './certificates.ts';
import { type App, findApp } from './directory.ts';
import { AadstsError, entraTimestamp } from './errors.ts';
import { verifyFederatedAssertion } from './federation.ts';
import { judgeJwt } from './judge-jwt.ts';
import type { Realm } from './realm.ts';
import type { EmulatorRequest } from './request.ts';
import { isSameSecret } from './same-secret.ts';
import type { ClientProof } from './tokens.ts';

export interface AuthenticatedClient {
  readonly app: App;
  readonly proof: ClientProof;
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
/** Clocks differ, and MSAL rounds `nbf` into the future. */
const CLOCK_SKEW_SECONDS = 300;
const MAX_ASSERTION_SECONDS = 600;

/** @throws AADSTS700016, 7000215, 7000222, 700023, 700024, 700027, 50027, 700211..700213, 700229, 900144 */
export async function authenticateClient(
  realm: Realm,
  request: EmulatorRequest,
  segment: string,
): Promise<AuthenticatedClient> {
  const presented = readCredentials(request);
  const app = findApp(realm.directory, segment, presented.clientId);
  if (presented.assertion !== undefined) {
    await verifyAssertion(realm, segment, app, presented.assertion);
    return { app, proof: 'assertion' };
  }
  if (presented.secret === undefined) return { app, proof: 'none' };
  checkSecret(realm, app, presented.secret);
  return { app, proof: 'secret' };
}

interface Presented {
  readonly clientId: string;
  readonly secret?: string;
  readonly assertion?: string;
}

function readCredentials(request: EmulatorRequest): Presented {
  const { form } = request;
  const basic = readBasic(request.headers.authorization);
  const assertion = form.get('client_assertion') ?? undefined;
  const secret = form.get('client_secret') ?? basic?.secret;
  const clientId = form.get('client_id') ?? basic?.clientId ?? readSubject(assertion);
  if (clientId === undefined || clientId === '') throw new AadstsError(900144, { name: 'client_id' });
  if (basic !== undefined && basic.clientId !== clientId) throw new AadstsError(9002313);
  if (assertion !== undefined) {
    if (secret !== undefined) throw new AadstsError(9002313);
    if (form.get('client_assertion_type') !== ASSERTION_TYPE)
      throw new AadstsError(900144, { name: 'client_assertion_type' });
    return { clientId, assertion };
  }
  return secret === undefined ? { clientId } : { clientId, secret };
}

/** RFC 6749 §2.3.1: both halves are form-encoded before they are joined. */
function readBasic(header: string | undefined): { clientId: string; secret: string } | undefined {
  const encoded = /^basic ([A-Za-z0-9+/=]+)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) throw new AadstsError(9002313);
  try {
    const decode = (part: string) => decodeURIComponent(part.replaceAll('+', ' '));
    return { clientId: decode(text.slice(0, colon)), secret: decode(text.slice(colon + 1)) };
  } catch {
    throw new AadstsError(9002313);
  }
}

function readSubject(assertion: string | undefined): string | undefined {
  return assertion === undefined ? undefined : decodeAssertion(assertion).payload.sub;
}

function checkSecret(realm: Realm, app: App, given: string): void {
  const { clientId, secrets = [] } = app.seed;
  const isPublicOnly =
    app.redirectUris.length > 0 && app.redirectUris.every(({ platform }) => platform !== 'web');
  if (secrets.length === 0 && isPublicOnly) throw new AadstsError(700025);
  const matching = secrets.filter((secret) => isSameSecret(given, secret.value));
  if (matching.length === 0) throw new AadstsError(7000215, { clientId });
  const isValid = matching.some(
    (secret) => secret.expiresAtMs === undefined || secret.expiresAtMs > realm.nowMs(),
  );
  if (!isValid) throw new AadstsError(7000222, { clientId });
}

/** A certificate's assertion names the app itself as issuer; any other issuer is a federated one. */
async function verifyAssertion(realm: Realm, segment: string, app: App, assertion: string): Promise<void> {
  const { header, payload } = decodeAssertion(assertion);
  if (payload.iss !== app.seed.clientId) return verifyFederatedAssertion(realm, app, assertion, payload);
  const certificate = findCertificate(app, header) ?? findTrustedSubject(realm, app, header);
  if (certificate === undefined) throw new AadstsError(700027, { reason: 'The key was not found.' });
  if (new X509Certificate(certificate).validToDate.getTime() < realm.nowMs()) {
    throw new AadstsError(700027, { reason: 'The key used is expired.' });
  }
  await verifyWithCertificate(realm, segment, app, assertion, certificate);
}

function findCertificate(app: App, header: Record<string, unknown>): string | undefined {
  const isNamed = (pem: string) => {
    const { raw } = new X509Certificate(pem);
    const thumbprint = (hash: string) => createHash(hash).update(raw).digest('base64url');
    return header['x5t#S256'] === undefined
      ? header['x5t'] === thumbprint('sha1')
      : header['x5t#S256'] === thumbprint('sha256');
  };
  return app.certificates.find(isNamed);
}

/**
 * Subject name and issuer (SNI): the assertion brings its certificate along (`x5c`), and any that a trusted authority
 * issued to the registered name will do. That is how certificates roll over without touching the app.
 */
function findTrustedSubject(realm: Realm, app: App, header: Record<string, unknown>): string | undefined {
  const leaf = readLeaf(header['x5c']);
  if (leaf === undefined) return undefined;
  const isIssuedBy = (pem: string) => {
    const authority = new X509Certificate(pem);
    return leaf.checkIssued(authority) && leaf.verify(authority.publicKey);
  };
  const trusted = app.seed.trustedSubjects?.find(
    ({ subjectName, authorityPem }) => leaf.subject === `CN=${subjectName}` && isIssuedBy(authorityPem),
  );
  if (trusted === undefined) return undefined;
  if (leaf.validFromDate.getTime() > realm.nowMs())
    throw new AadstsError(700027, { reason: 'The key is not valid yet.' });
  return leaf.toString();
}

function readLeaf(x5c: unknown): X509Certificate | undefined {
  const first: unknown = Array.isArray(x5c) ? x5c[0] : x5c;
  if (typeof first !== 'string') return undefined;
  try {
    return new X509Certificate(Buffer.from(first, 'base64'));
  } catch {
    return undefined;
  }
}

async function verifyWithCertificate(
  realm: Realm,
  segment: string,
  app: App,
  assertion: string,
  pem: string,
): Promise<void> {
  const { payload } = await judgeJwt(realm, () =>
    jwtVerify(assertion, publicKeyOf(pem), {
      algorithms: ['PS256', 'RS256'],
      issuer: app.seed.clientId,
      subject: app.seed.clientId,
      audience: acceptedAudiences(realm, segment, app),
      requiredClaims: ['exp'],
      clockTolerance: CLOCK_SKEW_SECONDS,
      currentDate: new Date(realm.nowMs()),
    }),
  );
  const limit = Math.floor(realm.nowMs() / 1000) + MAX_ASSERTION_SECONDS + CLOCK_SKEW_SECONDS;
  if ((payload.exp ?? Number.POSITIVE_INFINITY) > limit)
    throw new AadstsError(700024, { now: entraTimestamp(realm.nowMs()) });
}

function acceptedAudiences(realm: Realm, segment: string, app: App): string[] {
  const { tenantId, domain } = app.tenant.seed;
  const names = [tenantId, domain, segment];
  const paths = names.flatMap((name) => [
    `/${name}/oauth2/v2.0/token`,
    `/${name}/oauth2/token`,
    `/${name}/v2.0`,
  ]);
  return [realm.httpsOrigin, realm.httpOrigin].flatMap((origin) => paths.map((path) => origin + path));
}

function decodeAssertion(assertion: string): { header: Record<string, unknown>; payload: JWTPayload } {
  try {
    const payload = decodeJwt(assertion);
    const texts = [payload.iss, payload.sub].every(
      (claim) => claim === undefined || typeof claim === 'string',
    );
    if (!texts) throw new TypeError('not text');
    return { header: { ...decodeProtectedHeader(assertion) }, payload };
  } catch {
    throw new AadstsError(50027);
  }
}
