/** Tokens as Entra makes them for an API, of both versions; and every way to get one wrong. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CONTOSO_TENANT_ID,
  createEmulator,
  defaultSeed,
  DESKTOP_CLIENT_ID,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
  PARTNER_TENANT_ID,
  SNIPPETS_API_CLIENT_ID,
  SNIPPETS_API_URI,
} from '@valetkey/entra-emulator';
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createAuthorities } from '../entra/authority.ts';
import { createKeySets } from '../entra/key-sets.ts';
import { openOutbound, type Outbound } from '../entra/outbound.ts';
import { createEntraTokenVerifier, type EntraTokenVerifierOptions } from './verify-entra-token.ts';

const time = { aheadMs: 0 };
const clock = { nowMs: () => Date.now() + time.aheadMs };
const resource = SNIPPETS_API_URI;
interface Opened {
  readonly emulator: Emulator;
  readonly outbound: Outbound;
}
const opened: Opened[] = [];
let folder: string;
let second: Opened;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'valetkey-direct-'));
  second = await open(2);
});
afterEach(() => {
  time.aheadMs = 0;
  second.emulator.control.reset();
});
afterAll(async () => {
  for (const { emulator, outbound } of opened) {
    await outbound.close();
    await emulator.close();
  }
  await rm(folder, { recursive: true });
});

/** @param version of the access tokens of the API. */
async function open(version: 1 | 2): Promise<Opened> {
  const tenants = defaultSeed.tenants.map((tenant) => ({
    ...tenant,
    apps: tenant.apps.map((app) =>
      app.clientId === SNIPPETS_API_CLIENT_ID ? { ...app, accessTokenVersion: version } : app,
    ),
  }));
  const emulator = await createEmulator({ seed: { tenants } });
  const caFile = join(folder, `${opened.length}.pem`);
  await writeFile(caFile, emulator.caCertificatePem);
  const one = { emulator, outbound: openOutbound({ caFile }) };
  opened.push(one);
  return one;
}

function createVerifier(
  options: Partial<EntraTokenVerifierOptions> = {},
  { emulator, outbound }: Opened = second,
) {
  const hosts = { authorityHost: emulator.authorityHost, graphHost: emulator.httpsOrigin };
  const cloud = { name: 'custom', ...hosts, tokenExchangeAudience: 'api://AzureADTokenExchange' } as const;
  let fetched = 0;
  const counted: Outbound = {
    ...outbound,
    send(request) {
      fetched += 1;
      return outbound.send(request);
    },
  };
  const verifier = createEntraTokenVerifier({
    cloud,
    tenants: [CONTOSO_TENANT_ID],
    audience: [SNIPPETS_API_CLIENT_ID, SNIPPETS_API_URI],
    allowsApplications: false,
    keysOf: createKeySets(createAuthorities({ cloud, outbound: counted, clock }), counted),
    clock,
    ...options,
  });
  return { verify: (token: string) => verifier.verify(token, resource), fetched: () => fetched };
}

async function askToken(form: Record<string, string>, { emulator }: Opened = second): Promise<string> {
  const url = `${emulator.httpOrigin}/${CONTOSO_TENANT_ID}/oauth2/v2.0/token`;
  const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form) });
  const body = (await answer.json()) as { access_token?: string };
  if (body.access_token === undefined) throw new Error(JSON.stringify(body));
  return body.access_token;
}

const personToken = (from?: Opened, scope = `${SNIPPETS_API_URI}/snippets.use`) =>
  askToken(
    {
      grant_type: 'password',
      client_id: DESKTOP_CLIENT_ID,
      username: 'rita@contoso.example',
      password: 'Rita-Passw0rd',
      scope,
    },
    from,
  );
const applicationToken = () =>
  askToken({
    grant_type: 'client_credentials',
    client_id: GATEWAY_CLIENT_ID,
    client_secret: GATEWAY_CLIENT_SECRET,
    scope: `${SNIPPETS_API_URI}/.default`,
  });

const rita = {
  tenantId: CONTOSO_TENANT_ID,
  objectId: '10000000-0000-4000-8000-000000000001',
  username: 'rita@contoso.example',
  roles: ['Snippets.Reader'],
  scopes: ['snippets.use'],
  clientId: DESKTOP_CLIENT_ID,
};

test.each([1, 2] as const)(
  'D1: a token of version %s gives its person, roles, scopes and client',
  async (version) => {
    const from = await open(version);
    const token = await personToken(from);
    expect(decodeJwt(token)).toMatchObject(
      version === 2
        ? { ver: '2.0', aud: SNIPPETS_API_CLIENT_ID, azp: DESKTOP_CLIENT_ID }
        : { ver: '1.0', aud: SNIPPETS_API_URI, appid: DESKTOP_CLIENT_ID },
    );
    expect(await createVerifier({}, from).verify(token)).toMatchObject({
      ok: true,
      value: { principal: rita },
    });
  },
);

test('D1: Entra is asked for its keys once, and for no token', async () => {
  const verifier = createVerifier();
  const token = await personToken();
  for (let call = 0; call < 5; call += 1) expect((await verifier.verify(token)).ok).toBe(true);
  expect((await verifier.verify(await personToken())).ok).toBe(true);
  expect(verifier.fetched(), 'the discovery document and the keys').toBe(2);
});

test('a new signing key is found', async () => {
  const verifier = createVerifier();
  expect((await verifier.verify(await personToken())).ok).toBe(true);
  await second.emulator.control.rotateKeys();
  // The keys are asked for again at most every half a minute, by the machine's own time.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
  try {
    expect((await verifier.verify(await personToken())).ok).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});

test('A13: it is good until it expires, remembered or not', async () => {
  const verifier = createVerifier();
  const token = await personToken();
  expect((await verifier.verify(token)).ok).toBe(true);
  time.aheadMs += 2 * 3600_000;
  expect(await verifier.verify(token)).toEqual({ ok: false, error: 'expired' });
  expect(await createVerifier().verify(token)).toEqual({ ok: false, error: 'expired' });
});

test('an application is let in where that is wanted, and is known as one', async () => {
  const token = await applicationToken();
  expect(decodeJwt(token)).toMatchObject({ idtyp: 'app', roles: ['Snippets.Service'] });
  expect(await createVerifier().verify(token)).toEqual({ ok: false, error: 'application' });
  const allowed = await createVerifier({ allowsApplications: true }).verify(token);
  expect(allowed).toMatchObject({
    ok: true,
    value: {
      principal: {
        isApplication: true,
        roles: ['Snippets.Service'],
        scopes: [],
        clientId: GATEWAY_CLIENT_ID,
      },
    },
  });
  const person = await createVerifier({ allowsApplications: true }).verify(await personToken());
  expect(person.ok && person.value.principal).not.toHaveProperty('isApplication');
});

test.each<[string, string, Partial<EntraTokenVerifierOptions>, () => Promise<string>]>([
  ['for another API', 'wrong_audience', { audience: ['api://another'] }, () => personToken()],
  ['of a tenant that is not listed', 'wrong_tenant', { tenants: [PARTNER_TENANT_ID] }, () => personToken()],
  ['for Microsoft Graph', 'forged', {}, () => personToken(undefined, 'User.Read')],
  ['signed by somebody else', 'forged', {}, () => forge({})],
  ['signed by somebody else, with a known key id', 'forged', {}, async () => forge({}, await keyIdOf())],
  [
    'that says its tenant in capitals',
    'malformed',
    {},
    () => forge({ tid: CONTOSO_TENANT_ID.toUpperCase() }),
  ],
  [
    'of a look-alike issuer',
    'wrong_issuer',
    {},
    () => forge({ iss: `https://evil.example/${CONTOSO_TENANT_ID}/v2.0` }),
  ],
  ['without a tenant', 'malformed', {}, () => forge({ tid: undefined })],
  ['that is none', 'malformed', {}, async () => 'a.b.c'],
  ['without a signature', 'malformed', {}, async () => unsigned(await personToken())],
])('A13 D17: a token %s is refused as %s', async (_what, fault, options, make) => {
  const outcome = await createVerifier({ allowsApplications: true, ...options }).verify(await make());
  expect(outcome).toEqual({ ok: false, error: fault });
});

async function keyIdOf(): Promise<string> {
  const [header = ''] = (await personToken()).split('.');
  return (JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string }).kid;
}

/** The claims of a good token under a key of our own. */
async function forge(changes: Record<string, unknown>, kid?: string): Promise<string> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const { n } = await exportJWK(publicKey);
  const claims = JSON.parse(JSON.stringify({ ...decodeJwt(await personToken()), ...changes })) as object;
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: kid ?? String(n).slice(0, 8) })
    .sign(privateKey);
}

function unsigned(token: string): string {
  const [, payload] = token.split('.');
  return `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
}
