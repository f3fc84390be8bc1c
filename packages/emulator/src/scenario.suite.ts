/** A seed with one app per rule that a test wants to meet, and a person who walks through every page. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { createBrowser, type TestBrowser } from './browser.suite.ts';
import {
  type AppSeed,
  CONTOSO_TENANT_ID,
  createEmulator,
  defaultSeed,
  type Emulator,
  FACTOR_CODE,
  GRAPH_CLIENT_ID,
  PARTNER_TENANT_ID,
  type Seed,
  type UserSeed,
} from './emulator.ts';
import type { ConditionalAccessPolicy } from './seed.ts';

export const SECRET = 'scenario~secret';
export const REDIRECT = 'http://localhost:3001/auth/callback';
export const SPA_REDIRECT = 'http://localhost:3002/spa';
export const VERIFIER = 'dBjftJeZ4CVP-mBKQ1fqa1WJvYxRZQVBT9Nqk-93dQA';
export const S256 = {
  code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
  code_challenge_method: 'S256',
};

const guid = (digits: string) => `${digits.padStart(8, '0')}-1111-4222-8333-444444444444`;

/** Client ids, by what the app is there for. */
export const app = {
  web: guid('a1'),
  spa: guid('a2'),
  native: guid('a3'),
  /** An API that calls `guarded` and Graph on behalf of whoever calls it. */
  middle: guid('a4'),
  /** An API behind a policy that demands a second factor. */
  guarded: guid('a5'),
  blocked: guid('a6'),
  managed: guid('a7'),
  joined: guid('a8'),
  fresh: guid('a9'),
  /** Asks for consent, is multi-tenant. */
  consenting: guid('aa'),
  implicit: guid('ab'),
  disabled: guid('ac'),
  assigned: guid('ad'),
  unreachable: guid('ae'),
  blueprint: guid('af'),
  agent: guid('b0'),
  legacy: guid('b1'),
  /** An API with every optional claim, that understands claims challenges. */
  talkative: guid('b2'),
  noOnBehalf: guid('b3'),
} as const;

export const uri = (clientId: string) => `api://${clientId}`;
export const policy = { factor: guid('c1'), context: guid('c2') } as const;

function api(clientId: string, more: Partial<AppSeed> = {}): AppSeed {
  return {
    clientId,
    servicePrincipalId: clientId.replace('1111', '5555'),
    displayName: Object.entries(app).find(([, id]) => id === clientId)?.[0] ?? clientId,
    redirectUris: [],
    identifierUris: [uri(clientId)],
    scopes: ['use'],
    accessTokenVersion: 2,
    ...more,
  };
}

function client(clientId: string, more: Partial<AppSeed> = {}): AppSeed {
  const redirectUris = [{ uri: REDIRECT, platform: 'web' as const }];
  return api(clientId, { redirectUris, secrets: [{ value: SECRET }], ...more });
}

const optional = (...names: string[]) => names.map((name) => ({ name }));

const apps: readonly AppSeed[] = [
  client(app.web, {
    secrets: [{ value: SECRET }, { value: 'expired', expiresAtMs: 1 }],
    frontChannelLogoutUrl: 'http://localhost:3001/signed-out',
    delegatedPermissions: { [GRAPH_CLIENT_ID]: ['User.Read'] },
  }),
  api(app.spa, { redirectUris: [{ uri: SPA_REDIRECT, platform: 'spa' }] }),
  api(app.native, { redirectUris: [{ uri: 'http://localhost', platform: 'publicClient' }] }),
  client(app.middle, { delegatedPermissions: { [app.guarded]: ['use'], [GRAPH_CLIENT_ID]: ['User.Read'] } }),
  api(app.guarded),
  api(app.blocked),
  api(app.managed),
  api(app.joined),
  api(app.fresh),
  client(app.consenting, {
    multiTenant: true,
    consent: 'required',
    delegatedPermissions: { [GRAPH_CLIENT_ID]: ['User.Read'] },
    applicationPermissions: { [GRAPH_CLIENT_ID]: ['User.Read.All'] },
  }),
  client(app.implicit, { implicitGrant: { idTokens: true, accessTokens: true } }),
  client(app.disabled, { enabled: false }),
  client(app.assigned, { assignmentRequired: true }),
  api(app.unreachable),
  client(app.blueprint),
  client(app.agent, { secrets: [], agentIdentity: { blueprintClientId: app.blueprint } }),
  api(app.legacy, {
    accessTokenVersion: 1,
    optionalClaims: { accessToken: [{ name: 'aud', additionalProperties: ['use_guid'] }] },
  }),
  api(app.talkative, {
    optionalClaims: {
      accessToken: optional('idtyp', 'email', 'upn', 'login_hint', 'xms_cc', 'auth_time', 'acct'),
    },
  }),
  client(app.noOnBehalf, { onBehalfOfAllowed: false }),
];

const demand = (
  id: string,
  more: Omit<ConditionalAccessPolicy, 'id' | 'displayName'>,
): ConditionalAccessPolicy => ({
  id,
  displayName: `Policy ${id}`,
  ...more,
});

const conditionalAccess: readonly ConditionalAccessPolicy[] = [
  demand(policy.factor, { resources: [app.guarded], demand: 'mfa' }),
  demand(policy.context, { contexts: ['c1'], demand: 'mfa' }),
  demand(guid('c3'), { resources: [app.blocked], demand: 'block' }),
  demand(guid('c4'), { resources: [app.managed], demand: 'compliantDevice' }),
  demand(guid('c5'), { resources: [app.joined], demand: 'domainJoinedDevice' }),
  demand(guid('c6'), { resources: [app.fresh], signInFrequencySeconds: 3600 }),
];

function person(name: string, index: number, more: Partial<UserSeed>): UserSeed {
  const username = `${name.toLowerCase()}@contoso.example`;
  return {
    objectId: `30000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    username,
    password: `${name}-Passw0rd`,
    displayName: name,
    givenName: name,
    surname: name,
    mail: username,
    hint: '',
    ...more,
  };
}

const people = [
  person('Mona', 1, { secondFactor: 'none' }),
  person('Carl', 2, { device: 'registered' }),
  person('Cora', 3, { device: 'compliant' }),
  person('Agent', 4, { isAgent: true }),
];

/** Contoso and Partner of the default seed, with the apps and policies above. */
export const scenarioSeed: Seed = {
  tenants: defaultSeed.tenants.map((tenant) =>
    tenant.tenantId === CONTOSO_TENANT_ID
      ? {
          ...tenant,
          apps: [...tenant.apps, ...apps],
          users: [...tenant.users, ...people],
          conditionalAccess,
        }
      : { ...tenant, userConsent: 'adminRequest' },
  ),
};

export interface Scenario {
  readonly emulator: Emulator;
  /** By how much the emulator's clock is ahead; 0 again before each test. */
  aheadMs: number;
}

/** One emulator with this seed for the tests of a file, as new before each of them. */
export function useScenario(): Scenario {
  let emulator: Emulator | undefined;
  const scenario = {
    aheadMs: 0,
    get emulator(): Emulator {
      if (emulator === undefined) throw new Error('the emulator runs only inside tests');
      return emulator;
    },
  };
  beforeAll(async () => {
    emulator = await createEmulator({ seed: scenarioSeed, nowMs: () => Date.now() + scenario.aheadMs });
  });
  beforeEach(() => {
    scenario.aheadMs = 0;
    scenario.emulator.control.reset();
  });
  afterAll(() => emulator?.close());
  return scenario;
}

export const CONTOSO = CONTOSO_TENANT_ID;
export const PARTNER = PARTNER_TENANT_ID;

export interface Arrived {
  readonly response: Response;
  readonly text: string;
  /** The names of the pages on the way. */
  readonly pages: readonly string[];
}

export interface Walk {
  readonly username?: string;
  readonly password?: string;
  readonly declines?: boolean;
  readonly forAll?: boolean;
  /** Default: the right one. */
  readonly factorCode?: string;
}

const STEPS = [
  ['consent', /name="consent"/],
  ['confirm', /name="confirm"/],
  ['enrol', /name="enrol"/],
  ['request', /name="requestApproval"/],
  ['factor', /id="idTxtBx_SAOTCC_OTC"/],
  ['login', /name="loginfmt"/],
] as const;

/** Goes from page to page as a person would, until something else comes. Stops at a page it has seen. */
export async function walk(
  first: Response,
  browser: TestBrowser,
  { username = 'rita@contoso.example', ...how }: Walk = {},
): Promise<Arrived> {
  const pages: string[] = [];
  let response = first;
  for (;;) {
    const text = response.headers.has('location') ? '' : await response.text();
    const step = STEPS.find(([, mark]) => mark.test(text))?.[0];
    const ctx = /name="ctx" value="([^"]+)"/.exec(text)?.[1];
    const action = /action="([^"]+)"/.exec(text)?.[1];
    const isSeen = step !== undefined && pages.includes(step);
    if (step === undefined || ctx === undefined || action === undefined || isSeen)
      return { response, text, pages };
    pages.push(step);
    response = await browser.post(action, { ctx, ...answerPage(step, text, username, how) });
  }
}

function answerPage(step: string, text: string, username: string, how: Walk): Record<string, string> {
  if (step === 'login') {
    const hasTile = text.includes(`data-username="${username}"`) && how.password === undefined;
    return hasTile
      ? { account: username }
      : { loginfmt: username, passwd: how.password ?? passwordOf(username) };
  }
  if (step === 'factor') return { otc: how.factorCode ?? FACTOR_CODE };
  if (how.declines) return { cancel: '1' };
  const button = { consent: 'consent', confirm: 'confirm', enrol: 'enrol', request: 'requestApproval' }[step];
  return { [button ?? 'next']: '1', ...(how.forAll ? { forAll: '1' } : {}) };
}

function passwordOf(username: string): string {
  const users = scenarioSeed.tenants.flatMap((tenant) => tenant.users);
  return users.find((user) => user.username === username)?.password ?? '';
}

export interface Asked extends Walk {
  readonly client?: string;
  readonly tenant?: string;
  readonly version?: 1 | 2;
  readonly browser?: TestBrowser;
}

/** An authorize request of the web app, or of another, walked to its end. */
export async function authorize(
  emulator: Emulator,
  params: Record<string, string> = {},
  asked: Asked = {},
): Promise<Arrived> {
  const { client: clientId = app.web, tenant = CONTOSO, version = 2, browser = createBrowser() } = asked;
  const query = new URLSearchParams({
    client_id: clientId,
    response_type: 'code',
    redirect_uri: REDIRECT,
    ...(version === 2 ? { scope: 'openid profile offline_access' } : {}),
    ...params,
  });
  const path = version === 2 ? 'oauth2/v2.0/authorize' : 'oauth2/authorize';
  return walk(
    await browser.get(`${emulator.httpOrigin}/${tenant}/${path}?${query.toString()}`),
    browser,
    asked,
  );
}

/** What came back on the redirect URI, whichever way. */
export function readAnswer({ response, text }: Arrived): Record<string, string> {
  const location = response.headers.get('location');
  if (location === null) {
    const fields = [...text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)];
    return Object.fromEntries(fields.map(([, name = '', value = '']) => [name, value]));
  }
  const url = new URL(location);
  return {
    ...Object.fromEntries(url.searchParams),
    ...Object.fromEntries(new URLSearchParams(url.hash.slice(1))),
  };
}

export type TokenAnswer = Record<string, unknown> & {
  readonly access_token: string;
  readonly id_token: string;
  readonly refresh_token: string;
  readonly error_codes?: readonly number[];
};

export interface TokenReply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: TokenAnswer;
}

/** The token endpoint, as the web app unless the form says otherwise. */
export async function askToken(
  emulator: Emulator,
  form: Record<string, string>,
  options: {
    readonly tenant?: string;
    readonly headers?: Record<string, string>;
    readonly version?: 1 | 2;
  } = {},
): Promise<TokenReply> {
  const { tenant = CONTOSO, headers = {}, version = 2 } = options;
  const path = version === 2 ? 'oauth2/v2.0/token' : 'oauth2/token';
  const response = await fetch(`${emulator.httpOrigin}/${tenant}/${path}`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: app.web, ...form }),
    headers,
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? {} : JSON.parse(text)) as TokenAnswer,
  };
}

/** From the page to the tokens of the web app (or of another confidential client). */
export async function signIn(
  emulator: Emulator,
  params: Record<string, string> = {},
  asked: Asked = {},
): Promise<TokenAnswer> {
  const { code = '' } = readAnswer(await authorize(emulator, params, asked));
  const { body } = await redeem(emulator, code, asked);
  if (body.access_token === undefined)
    throw new Error(`no token but ${JSON.stringify(body)} for the code '${code}'`);
  return body;
}

export function redeem(
  emulator: Emulator,
  code: string,
  asked: Asked = {},
  more: Record<string, string> = {},
) {
  const { client: clientId = app.web, tenant = CONTOSO, version = 2 } = asked;
  const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT };
  return askToken(
    emulator,
    { ...form, client_id: clientId, client_secret: SECRET, ...more },
    { tenant, version },
  );
}

export function refresh(
  emulator: Emulator,
  refreshToken: string,
  more: Record<string, string> = {},
  tenant = CONTOSO,
): Promise<TokenReply> {
  const form = { grant_type: 'refresh_token', refresh_token: refreshToken, client_secret: SECRET };
  return askToken(emulator, { ...form, ...more }, { tenant });
}

/** On behalf of whoever the assertion is of, as the middle API. */
export function actOnBehalf(
  emulator: Emulator,
  assertion: string,
  more: Record<string, string> = {},
): Promise<TokenReply> {
  return askToken(emulator, {
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    requested_token_use: 'on_behalf_of',
    client_id: app.middle,
    client_secret: SECRET,
    scope: 'https://graph.microsoft.com/User.Read',
    assertion,
    ...more,
  });
}
