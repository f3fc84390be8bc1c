/**
 * The requests that record-entra.ts asks a tenant: harmless ones, that change nothing there. What most of them get is a refusal,
 * and the form of refusals is what the emulator must have right.
 */

/** Where to ask, and as whom. Nothing of it may be in a recording. */
export interface Target {
  /** `https://login.microsoftonline.com` */
  readonly authority: string;
  /** `https://graph.microsoft.com` */
  readonly graph: string;
  /** Other origins of the same two, in the answers. */
  readonly aliases: readonly string[];
  readonly tenant: string;
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
  readonly redirectUri: string;
  /** A Graph token of a person, for `/me`. */
  readonly userToken?: string | undefined;
}

export interface Probe {
  readonly name: string;
  readonly method: 'GET' | 'POST';
  /** @returns undefined where the target lacks what the probe needs */
  url(target: Target): string;
  form?(target: Target): Readonly<Record<string, string>>;
  headers?(target: Target): Readonly<Record<string, string>>;
  needs?: 'clientSecret' | 'userToken';
}

const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const at = (path: string) => (target: Target) => `${target.authority}/${target.tenant}${path}`;

function token(
  name: string,
  form: (target: Target) => Record<string, string>,
  needs?: Probe['needs'],
): Probe {
  const probe: Probe = { name: `token: ${name}`, method: 'POST', url: at('/oauth2/v2.0/token'), form };
  return needs === undefined ? probe : { ...probe, needs };
}

function authorize(name: string, params: (target: Target) => Record<string, string>): Probe {
  return {
    name: `authorize: ${name}`,
    method: 'GET',
    url: (target) =>
      `${at('/oauth2/v2.0/authorize')(target)}?${new URLSearchParams(params(target)).toString()}`,
  };
}

const client = ({ clientId, clientSecret = '' }: Target) => ({
  client_id: clientId,
  client_secret: clientSecret,
});
const signIn = ({ clientId, redirectUri }: Target) => ({
  client_id: clientId,
  redirect_uri: redirectUri,
  response_type: 'code',
  scope: 'openid',
  state: 'the-state',
});
const everything = 'https://graph.microsoft.com/.default';

export const probes: readonly Probe[] = [
  { name: 'metadata v2', method: 'GET', url: at('/v2.0/.well-known/openid-configuration') },
  { name: 'metadata v1', method: 'GET', url: at('/.well-known/openid-configuration') },
  {
    name: 'metadata v2, common',
    method: 'GET',
    url: (target) => `${target.authority}/common/v2.0/.well-known/openid-configuration`,
  },
  {
    name: 'metadata v2, unknown tenant',
    method: 'GET',
    url: (target) => `${target.authority}/${UNKNOWN}/v2.0/.well-known/openid-configuration`,
  },
  { name: 'keys', method: 'GET', url: at('/discovery/v2.0/keys') },
  {
    name: 'instance discovery',
    method: 'GET',
    url: (target) =>
      `${target.authority}/common/discovery/instance?${new URLSearchParams({ 'api-version': '1.1', authorization_endpoint: `${target.authority}/common/oauth2/v2.0/authorize` }).toString()}`,
  },
  {
    name: 'instance discovery, unknown host',
    method: 'GET',
    url: (target) =>
      `${target.authority}/common/discovery/instance?${new URLSearchParams({ 'api-version': '1.1', authorization_endpoint: 'https://login.example.com/common/oauth2/v2.0/authorize' }).toString()}`,
  },
  token('empty', () => ({})),
  token('unknown grant', (target) => ({ ...client(target), grant_type: 'nothing' })),
  token('unknown client', () => ({
    grant_type: 'client_credentials',
    client_id: UNKNOWN,
    client_secret: 'x',
    scope: everything,
  })),
  token('no credential', ({ clientId }) => ({
    grant_type: 'client_credentials',
    client_id: clientId,
    scope: everything,
  })),
  token('wrong secret', ({ clientId }) => ({
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: 'a-wrong-secret',
    scope: everything,
  })),
  token(
    'scope without .default',
    (target) => ({ ...client(target), grant_type: 'client_credentials', scope: 'User.Read' }),
    'clientSecret',
  ),
  token(
    'unknown resource',
    (target) => ({ ...client(target), grant_type: 'client_credentials', scope: `api://${UNKNOWN}/.default` }),
    'clientSecret',
  ),
  token(
    'code that never was',
    (target) => ({
      ...client(target),
      grant_type: 'authorization_code',
      code: '0.not-a-code',
      redirect_uri: target.redirectUri,
    }),
    'clientSecret',
  ),
  token(
    'refresh token that never was',
    (target) => ({ ...client(target), grant_type: 'refresh_token', refresh_token: '0.not-a-token' }),
    'clientSecret',
  ),
  token(
    'client credentials',
    (target) => ({ ...client(target), grant_type: 'client_credentials', scope: everything }),
    'clientSecret',
  ),
  authorize('unknown client', (target) => ({ ...signIn(target), client_id: UNKNOWN })),
  authorize('foreign redirect', (target) => ({
    ...signIn(target),
    redirect_uri: 'https://redirect.example/',
  })),
  authorize('unknown response type', (target) => ({ ...signIn(target), response_type: 'nothing' })),
  authorize('no session, no prompt', (target) => ({ ...signIn(target), prompt: 'none' })),
  { name: 'graph: no token', method: 'GET', url: (target) => `${target.graph}/v1.0/me` },
  {
    name: 'graph: a token that is none',
    method: 'GET',
    url: (target) => `${target.graph}/v1.0/me`,
    headers: () => ({ authorization: 'Bearer nonsense' }),
  },
  {
    name: 'graph: me',
    method: 'GET',
    url: (target) => `${target.graph}/v1.0/me`,
    headers: ({ userToken = '' }) => ({ authorization: `Bearer ${userToken}` }),
    needs: 'userToken',
  },
];
