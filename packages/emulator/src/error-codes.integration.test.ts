/** Every AADSTS code the emulator can return, and the request that provokes it at Entra. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { createBrowser } from './browser.suite.ts';
import { createSelfSigned } from './certificates.ts';
import { GATEWAY_CLIENT_ID, GATEWAY_IDENTITY_PRINCIPAL_ID } from './emulator.ts';
import { faultOnlyCodes, knownCodes } from './errors.ts';
import {
  actOnBehalf,
  app,
  type Arrived,
  askToken,
  type Asked,
  authorize,
  CONTOSO,
  PARTNER,
  readAnswer,
  REDIRECT,
  redeem,
  refresh,
  S256,
  SECRET,
  signIn,
  SPA_REDIRECT,
  type TokenReply,
  uri,
  VERIFIER,
  walk,
  useScenario,
} from './scenario.suite.ts';

const scenario = useScenario();

const HOUR_MS = 3_600_000;
const at = (params: Record<string, string>, asked: Asked = {}) => authorize(scenario.emulator, params, asked);
const token = (form: Record<string, string>) =>
  askToken(scenario.emulator, { client_secret: SECRET, ...form });
const appToken = (more: Record<string, string>) =>
  askToken(scenario.emulator, {
    grant_type: 'client_credentials',
    scope: `${uri(app.legacy)}/.default`,
    ...more,
  });
const getCode = async (params: Record<string, string> = {}, asked: Asked = {}) =>
  readAnswer(await at(params, asked))['code'] ?? '';
const getRefreshToken = async (params: Record<string, string> = {}) =>
  (await signIn(scenario.emulator, params)).refresh_token;
const getAssertion = async () =>
  (await signIn(scenario.emulator, { scope: `openid ${uri(app.middle)}/use` })).access_token;
const silently = (scope: string, asked: Asked = {}) => silent({ scope }, asked);
const fetchJson = async (path: string, init?: RequestInit): Promise<TokenReply> => {
  const response = await fetch(scenario.emulator.httpOrigin + path, init);
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as TokenReply['body'],
  };
};

async function silent(params: Record<string, string>, asked: Asked = {}): Promise<Arrived> {
  const browser = createBrowser();
  await at({}, { ...asked, browser });
  return at({ ...params, prompt: 'none' }, { ...asked, browser });
}

async function askDevice(client = app.native): Promise<{ deviceCode: string; userCode: string }> {
  const body = new URLSearchParams({ client_id: client, scope: 'openid offline_access' });
  const { body: answer } = await fetchJson(`/${CONTOSO}/oauth2/v2.0/devicecode`, { method: 'POST', body });
  return { deviceCode: String(answer['device_code']), userCode: String(answer['user_code']) };
}

const poll = (deviceCode: string) =>
  askToken(scenario.emulator, { grant_type: 'device_code', client_id: app.native, device_code: deviceCode });

async function typeUserCode(otc: string): Promise<Arrived> {
  const browser = createBrowser();
  return walk(await browser.post(`${scenario.emulator.httpOrigin}/devicelogin`, { otc }), browser);
}

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });

function signAssertion(claims: Record<string, unknown>): Promise<string> {
  const seconds = Math.floor(Date.now() / 1000);
  return new SignJWT({ exp: seconds + 300, ...claims })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', x5t: 'unknown' })
    .sign(keys.privateKey);
}

const proveBy = async (clientAssertion: string, client: string = GATEWAY_CLIENT_ID) =>
  askToken(scenario.emulator, {
    grant_type: 'client_credentials',
    client_id: client,
    scope: `${uri(app.legacy)}/.default`,
    client_assertion: clientAssertion,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  });

const identityToken = (subject: string, audience: string) =>
  scenario.emulator.control.createManagedIdentityToken(subject, audience);
const SPA = { client_id: app.spa, redirect_uri: SPA_REDIRECT };

/** The text of the page after each wrong password, the last one counts. */
async function tryPasswords(times: number): Promise<Arrived> {
  let last = await at({}, { username: 'cora@contoso.example', password: 'wrong' });
  for (let tries = 1; tries < times; tries += 1)
    last = await at({}, { username: 'cora@contoso.example', password: 'wrong' });
  return last;
}

const provocations: Readonly<Record<number, () => Promise<Arrived | TokenReply>>> = {
  28000: async () => {
    const scope = `${uri(app.legacy)}/use User.Read`;
    return redeem(scenario.emulator, await getCode({ scope }), {}, { scope });
  },
  50011: () => at({ redirect_uri: 'https://evil.example/' }),
  50013: async () => actOnBehalf(scenario.emulator, await signAssertion({ aud: app.middle })),
  50020: () => at({}, { username: 'pia@partner.example', password: 'Pia-Passw0rd' }),
  50027: () => proveBy('no.jwt'),
  50034: () => at({}, { username: 'nobody@contoso.example' }),
  50049: () => fetchJson('/common/discovery/instance?authorization_endpoint=https%3A%2F%2Fevil.example%2F'),
  50053: () => tryPasswords(11),
  50057: () => at({}, { username: 'dora@contoso.example' }),
  50058: () => at({ prompt: 'none' }),
  50059: () =>
    askToken(
      scenario.emulator,
      {
        grant_type: 'client_credentials',
        client_id: app.consenting,
        client_secret: SECRET,
        scope: 'x/.default',
      },
      { tenant: 'common' },
    ),
  50076: async () =>
    refresh(scenario.emulator, await getRefreshToken(), { scope: `${uri(app.guarded)}/use` }),
  50079: () => silently(`${uri(app.guarded)}/use`, { username: 'mona@contoso.example' }),
  50089: async () => {
    const browser = createBrowser();
    const response = await browser.post(`${scenario.emulator.httpOrigin}/${CONTOSO}/login`, {
      ctx: 'f.unknown',
    });
    return { response, text: await response.text(), pages: [] };
  },
  50105: () => at({}, { client: app.assigned }),
  50126: () => tryPasswords(1),
  50173: async () => {
    const refreshToken = await getRefreshToken();
    scenario.emulator.control.revokeSessions('rita@contoso.example');
    return refresh(scenario.emulator, refreshToken);
  },
  50194: () => at({}, { tenant: 'common' }),
  53000: () => at({ scope: `${uri(app.managed)}/use` }, { username: 'carl@contoso.example' }),
  53001: () => at({ scope: `${uri(app.joined)}/use` }),
  53003: () => at({ scope: `${uri(app.blocked)}/use` }),
  54005: async () => {
    const code = await getCode();
    await redeem(scenario.emulator, code);
    return redeem(scenario.emulator, code);
  },
  65001: () => silently('openid User.Read', { client: app.consenting }),
  65004: () => at({}, { client: app.consenting, declines: true }),
  70000: () => redeem(scenario.emulator, 'made up'),
  70003: () => token({ grant_type: 'dance' }),
  70007: () =>
    at({ response_type: 'id_token', response_mode: 'query', nonce: 'n' }, { client: app.implicit }),
  70008: async () => {
    const code = await getCode();
    scenario.aheadMs = HOUR_MS;
    return redeem(scenario.emulator, code);
  },
  70011: () => at({ scope: 'open"id' }),
  70016: async () => poll((await askDevice()).deviceCode),
  70018: () => poll('d.unknown'),
  70019: async () => {
    const { userCode } = await askDevice();
    scenario.aheadMs = HOUR_MS;
    return typeUserCode(userCode);
  },
  70020: async () => {
    const { deviceCode } = await askDevice();
    scenario.aheadMs = HOUR_MS;
    return poll(deviceCode);
  },
  70043: async () => {
    const refreshToken = await getRefreshToken();
    scenario.aheadMs = 2 * HOUR_MS;
    return refresh(scenario.emulator, refreshToken, { scope: `${uri(app.fresh)}/use` });
  },
  70044: async () => {
    const browser = createBrowser();
    await at({}, { browser });
    scenario.aheadMs = 2 * HOUR_MS;
    return at({ scope: `${uri(app.fresh)}/use`, prompt: 'none' }, { browser });
  },
  90002: () => at({}, { tenant: 'nowhere.example' }),
  90009: async () => refresh(scenario.emulator, await getRefreshToken(), { scope: `${uri(app.web)}/use` }),
  90014: () => token({ grant_type: 'password', password: 'x' }),
  90023: () => at({ prompt: 'dance' }),
  90072: async () => {
    const params = { scope: 'openid offline_access User.Read' };
    const { refresh_token } = await signIn(scenario.emulator, params, { client: app.consenting });
    return refresh(scenario.emulator, refresh_token, { client_id: app.consenting }, PARTNER);
  },
  90094: () => at({ prompt: 'admin_consent' }, { client: app.consenting }),
  90095: () => at({}, { client: app.consenting, tenant: PARTNER, username: 'gus@partner.example' }),
  500011: () => at({ scope: 'api://nobody/use' }),
  500112: async () => redeem(scenario.emulator, await getCode(), {}, { redirect_uri: `${REDIRECT}/other` }),
  500113: () => at({}, { client: app.unreachable }),
  500121: () => at({ scope: `${uri(app.guarded)}/use` }, { factorCode: '000000' }),
  500131: async () => actOnBehalf(scenario.emulator, (await signIn(scenario.emulator)).access_token),
  500133: async () => {
    const assertion = await getAssertion();
    scenario.aheadMs = 2 * HOUR_MS;
    return actOnBehalf(scenario.emulator, assertion);
  },
  501051: () => appToken({ client_secret: SECRET, scope: `${uri(app.assigned)}/.default` }),
  501481: async () => redeem(scenario.emulator, await getCode(S256), {}, { code_verifier: 'x'.repeat(43) }),
  501491: () => at({ code_challenge: 'short' }),
  530003: () => at({ scope: `${uri(app.managed)}/use` }),
  650053: () => at({ scope: 'mcp.read' }),
  700016: () => at({}, { client: '00000000-0000-4000-8000-000000000000' }),
  700023: async () => proveBy(await signCertificateAssertion('https://elsewhere.example')),
  700024: async () => {
    const assertion = await identityToken(GATEWAY_IDENTITY_PRINCIPAL_ID, 'api://AzureADTokenExchange');
    scenario.aheadMs = 48 * HOUR_MS;
    return proveBy(assertion);
  },
  700025: async () => {
    const redirect = { redirect_uri: 'http://localhost' };
    const code = await getCode(redirect, { client: app.native });
    return redeem(scenario.emulator, code, { client: app.native }, { ...redirect, client_secret: SECRET });
  },
  700027: async () => proveBy(await signAssertion({ iss: GATEWAY_CLIENT_ID, sub: GATEWAY_CLIENT_ID })),
  700051: () => at({ response_type: 'token' }),
  700054: () => at({ response_type: 'id_token', nonce: 'n' }),
  700082: async () => {
    const refreshToken = await getRefreshToken();
    scenario.aheadMs = 90 * 24 * HOUR_MS;
    return refresh(scenario.emulator, refreshToken);
  },
  700084: async () => {
    const code = await getCode({ ...SPA, ...S256 });
    const headers = { origin: 'http://localhost:3002' };
    const form = { grant_type: 'authorization_code', code, code_verifier: VERIFIER, ...SPA };
    const { body } = await askToken(scenario.emulator, form, { headers });
    scenario.aheadMs = 25 * HOUR_MS;
    const again = { grant_type: 'refresh_token', refresh_token: body.refresh_token, client_id: app.spa };
    return askToken(scenario.emulator, again, { headers });
  },
  700211: async () => proveBy(await signAssertion({ iss: 'https://issuer.example', sub: 'x', aud: 'y' })),
  700212: async () => proveBy(await identityToken(GATEWAY_IDENTITY_PRINCIPAL_ID, 'api://other')),
  700213: async () => proveBy(await identityToken('somebody', 'api://AzureADTokenExchange')),
  700229: async () => {
    const issuer = `${scenario.emulator.httpsOrigin}/${CONTOSO}/v2.0`;
    const { access_token } = await signIn(scenario.emulator, { scope: `${uri(app.middle)}/use` });
    const claims = JSON.parse(Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString()) as {
      sub: string;
    };
    const credential = { issuer, subject: claims.sub, audience: app.middle };
    scenario.emulator.control.addFederatedCredential(GATEWAY_CLIENT_ID, credential);
    return proveBy(access_token);
  },
  900144: () => token({}),
  900561: () => fetchJson(`/${CONTOSO}/oauth2/v2.0/token`),
  901002: () => at({ resource: uri(app.web) }, { client: app.consenting, tenant: 'consumers' }),
  1002012: () => appToken({ client_secret: SECRET, scope: `${uri(app.legacy)}/use` }),
  7000112: () => at({}, { client: app.disabled }),
  7000114: async () => {
    const { body } = await appToken({ client_secret: SECRET, scope: `${uri(app.middle)}/.default` });
    return actOnBehalf(scenario.emulator, body.access_token);
  },
  7000215: () => token({ grant_type: 'client_credentials', client_secret: 'wrong' }),
  7000216: () => appToken({}),
  7000218: async () => {
    const code = await getCode();
    return askToken(scenario.emulator, { grant_type: 'authorization_code', code, redirect_uri: REDIRECT });
  },
  7000222: () => token({ grant_type: 'client_credentials', client_secret: 'expired' }),
  9002313: () =>
    fetchJson(`/${CONTOSO}/oauth2/v2.0/token`, {
      method: 'POST',
      body: new URLSearchParams('grant_type=a&grant_type=b'),
    }),
  9002325: () => at(SPA),
  9002326: async () =>
    askToken(
      scenario.emulator,
      {
        grant_type: 'authorization_code',
        code: await getCode(),
        redirect_uri: REDIRECT,
        client_secret: SECRET,
      },
      { headers: { origin: 'http://localhost:3001' } },
    ),
  9002327: async () => {
    const code = await getCode({ ...SPA, ...S256 });
    return askToken(scenario.emulator, {
      grant_type: 'authorization_code',
      code,
      code_verifier: VERIFIER,
      ...SPA,
    });
  },
  9010010: () => at({ resource: `${uri(app.middle)}/`, scope: `${uri(app.middle)}/use` }),
};

async function signCertificateAssertion(aud: string): Promise<string> {
  const pem = createSelfSigned('test', keys, Date.now());
  scenario.emulator.control.addCertificate(GATEWAY_CLIENT_ID, pem);
  const raw = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const x5t = createHash('sha1').update(raw).digest('base64url');
  const seconds = Math.floor(Date.now() / 1000);
  return new SignJWT({ iss: GATEWAY_CLIENT_ID, sub: GATEWAY_CLIENT_ID, aud, exp: seconds + 300 })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', x5t })
    .sign(keys.privateKey);
}

/** The code in a token answer, on the redirect URI, or on the page. */
function readCode(answer: Arrived | TokenReply): number | undefined {
  if ('body' in answer) return answer.body.error_codes?.[0];
  const text = readAnswer(answer)['error_description'] ?? answer.text;
  const code = /AADSTS(\d+)/.exec(text)?.[1];
  return code === undefined ? undefined : Number(code);
}

const provoked = Object.entries(provocations).map(([code, provoke]) => [Number(code), provoke] as const);

test.each(provoked)('AADSTS%i comes of the request that provokes it', async (code, provoke) => {
  expect(readCode(await provoke())).toBe(code);
});

test('every code has a provocation, or says that only a fault brings it; none has both', () => {
  const codes = provoked.map(([code]) => code);
  const faults = faultOnlyCodes();
  expect(knownCodes().filter((code) => !codes.includes(code) && !faults.includes(code))).toEqual([]);
  expect(codes.filter((code) => faults.includes(code) || !knownCodes().includes(code))).toEqual([]);
});

test.each(faultOnlyCodes())('AADSTS%i comes of a fault', async (code) => {
  const fault = { kind: 'aadsts', code } as const;
  scenario.emulator.control.setFault({ endpoint: 'token' }, fault, 1);
  expect(readCode(await token({ grant_type: 'client_credentials' }))).toBe(code);
});
