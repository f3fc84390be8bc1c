import { createHash, generateKeyPairSync } from 'node:crypto';
import { exportJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createAuthority, createIssued, createSelfSigned } from './certificates.ts';
import {
  CONTOSO_TENANT_ID as TENANT,
  createEmulator,
  defaultSeed,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_IDENTITY_PRINCIPAL_ID,
} from './emulator.ts';

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const strangerKeys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const certificate = createSelfSigned('gateway', keys, Date.now());
const raw = Buffer.from(certificate.replace(/-----[^-]+-----|\s/g, ''), 'base64');
const thumbprint = (hash: string) => createHash(hash).update(raw).digest('base64url');
const now = () => Math.floor(Date.now() / 1000);
let emulator: Emulator;

beforeAll(async () => {
  emulator = await createEmulator();
});
beforeEach(() => {
  emulator.control.reset();
  emulator.control.addCertificate(GATEWAY_CLIENT_ID, certificate);
});
afterAll(() => emulator.close());

async function present(assertion: string, more: Record<string, string> = {}): Promise<unknown> {
  const form = {
    grant_type: 'client_credentials',
    scope: 'https://graph.microsoft.com/.default',
    client_id: GATEWAY_CLIENT_ID,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
    ...more,
  };
  const response = await fetch(`${emulator.httpOrigin}/${TENANT}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams(form),
  });
  const body = (await response.json()) as { error?: string; error_codes?: number[] };
  if (response.status === 200) return 200;
  expect([response.status, body.error]).toEqual([401, 'invalid_client']);
  return body.error_codes?.[0];
}

interface Assertion {
  readonly header?: Record<string, unknown>;
  readonly claims?: Record<string, unknown>;
  readonly alg?: string;
  readonly key?: typeof keys.privateKey;
}

function signAssertion({ header, claims, alg = 'PS256', key = keys.privateKey }: Assertion): Promise<string> {
  const standard = {
    iss: GATEWAY_CLIENT_ID,
    sub: GATEWAY_CLIENT_ID,
    aud: `${emulator.httpsOrigin}/${TENANT}/oauth2/v2.0/token`,
  };
  const times = { nbf: now(), exp: now() + 600, jti: 'x' };
  return new SignJWT({ ...standard, ...times, ...claims })
    .setProtectedHeader({ typ: 'JWT', 'x5t#S256': thumbprint('sha256'), ...header, alg })
    .sign(key);
}

test.each<[string, () => Assertion, number]>([
  ['PS256 with x5t#S256', () => ({}), 200],
  [
    'RS256 with x5t',
    () => ({ alg: 'RS256', header: { 'x5t#S256': undefined, x5t: thumbprint('sha1') } }),
    200,
  ],
  ['a clock four minutes fast', () => ({ claims: { nbf: now() + 240, exp: now() + 840 } }), 200],
  ['the v2 issuer as audience', () => ({ claims: { aud: `${emulator.httpsOrigin}/${TENANT}/v2.0` } }), 200],
  ['an unknown thumbprint', () => ({ header: { 'x5t#S256': 'AAAA' } }), 700027],
  ['no thumbprint', () => ({ header: { 'x5t#S256': undefined } }), 700027],
  ['somebody else’s key', () => ({ key: strangerKeys.privateKey }), 700027],
  ['another algorithm', () => ({ alg: 'RS512' }), 700027],
  [
    'another audience',
    () => ({ claims: { aud: 'https://login.microsoftonline.com/common/oauth2/v2.0/token' } }),
    700023,
  ],
  ['expired', () => ({ claims: { nbf: now() - 1200, exp: now() - 400 } }), 700024],
  ['not yet valid', () => ({ claims: { nbf: now() + 400, exp: now() + 800 } }), 700024],
  ['valid for a day', () => ({ claims: { exp: now() + 86_400 } }), 700024],
  ['another subject', () => ({ claims: { sub: TENANT } }), 700027],
])('certificate assertion: %s', async (_, assertion, expected) => {
  expect(await present(await signAssertion(assertion()))).toBe(expected);
});

test('an expired certificate is refused', async () => {
  const expired = createSelfSigned('gateway', keys, Date.now() - 400 * 86_400_000);
  emulator.control.reset();
  emulator.control.addCertificate(GATEWAY_CLIENT_ID, expired);
  const digest = createHash('sha256').update(
    Buffer.from(expired.replace(/-----[^-]+-----|\s/g, ''), 'base64'),
  );
  expect(await present(await signAssertion({ header: { 'x5t#S256': digest.digest('base64url') } }))).toBe(
    700027,
  );
});

test('the client id may come from the assertion alone', async () => {
  const assertion = await signAssertion({});
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    scope: 'https://graph.microsoft.com/.default',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  });
  expect(
    (await fetch(`${emulator.httpOrigin}/${TENANT}/oauth2/v2.0/token`, { method: 'POST', body: form }))
      .status,
  ).toBe(200);
});

test('managed identity: subject and audience must equal the federated credential’s', async () => {
  const token = (principal: string, audience: string) =>
    emulator.control.createManagedIdentityToken(principal, audience);
  expect(await present(await token(GATEWAY_IDENTITY_PRINCIPAL_ID, 'api://AzureADTokenExchange'))).toBe(200);
  expect(await present(await token(GATEWAY_IDENTITY_PRINCIPAL_ID, 'api://AzureADTokenExchangeUSGov'))).toBe(
    700212,
  );
  expect(
    await present(await token(GATEWAY_IDENTITY_PRINCIPAL_ID.toUpperCase(), 'api://AzureADTokenExchange')),
  ).toBe(700213);
});

test('a foreign issuer is believed by the keys registered with it, and only for its own subject', async () => {
  const claims = {
    iss: 'https://issuer.example',
    sub: 'system:serviceaccount:mcp:gateway',
    aud: 'api://AzureADTokenExchange',
  };
  const sign = (changes = {}, key = keys.privateKey) =>
    signAssertion({ claims: { ...claims, ...changes }, header: { kid: 'k1' }, alg: 'RS256', key });
  expect(await present(await sign())).toBe(700211);
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'RS256' };
  const { iss: issuer, sub: subject, aud: audience } = claims;
  emulator.control.addFederatedCredential(GATEWAY_CLIENT_ID, {
    issuer,
    subject,
    audience,
    jwks: { keys: [jwk] },
  });
  expect(await present(await sign())).toBe(200);
  expect(await present(await sign({ sub: 'system:serviceaccount:other:gateway' }))).toBe(700213);
  expect(await present(await sign({}, strangerKeys.privateKey))).toBe(700027);
  expect(await present(await sign({ nbf: now() - 1200, exp: now() - 600 }))).toBe(700024);
});

test('subject name and issuer: the certificate comes along, and only a trusted authority’s for that name will do', async () => {
  const authority = createAuthority(Date.now());
  const trustedSubjects = [{ subjectName: 'gateway', authorityPem: authority.certificatePem }];
  const tenants = defaultSeed.tenants.map((tenant) => ({
    ...tenant,
    apps: tenant.apps.map((app) => (app.clientId === GATEWAY_CLIENT_ID ? { ...app, trustedSubjects } : app)),
  }));
  const before = emulator;
  emulator = await createEmulator({ seed: { tenants } });
  try {
    const bring = async (subject: string, issuer = authority, madeAtMs = Date.now()) => {
      const pem = createIssued(subject, keys, issuer, madeAtMs);
      const x5c = [pem.replace(/-----[^-]+-----|\s/g, '')];
      return present(await signAssertion({ header: { 'x5t#S256': 'unregistered', x5c } }));
    };
    expect(await bring('gateway')).toBe(200);
    expect(await bring('somebody')).toBe(700027);
    expect(await bring('gateway', createAuthority(Date.now()))).toBe(700027);
    expect(await bring('gateway', authority, Date.now() - 200 * 86_400_000)).toBe(700027);
    const broken = { header: { 'x5t#S256': 'unregistered', x5c: ['AAAA'] } };
    expect(await present(await signAssertion(broken))).toBe(700027);
  } finally {
    await emulator.close();
    emulator = before;
  }
});
