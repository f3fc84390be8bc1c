/** An MCP client's OAuth part, step by step, for tests that must do one step wrongly. */
import { createHash, randomBytes } from 'node:crypto';
import { createHttpBrowser, type HttpBrowser, signInOverHttp } from './http-person.ts';
import type { Person, Product } from './product.ts';

/** A running product, in this process or in another. */
export type Target = Pick<Product, 'url' | 'mcpUrl'> & {
  readonly emulator: Pick<Product['emulator'], 'httpOrigin'>;
};

export const redirectUri = 'http://127.0.0.1:33418/callback';

export interface JsonAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export async function postJson(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<JsonAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return readAnswer(response);
}

export async function postForm(
  url: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<JsonAnswer> {
  return readAnswer(await fetch(url, { method: 'POST', headers, body: new URLSearchParams(fields) }));
}

async function readAnswer(response: Response): Promise<JsonAnswer> {
  const text = await response.text();
  const isJson = (response.headers.get('content-type') ?? '').includes('json') && text !== '';
  return {
    status: response.status,
    headers: response.headers,
    body: isJson ? (JSON.parse(text) as Record<string, unknown>) : { text },
  };
}

export async function registerClient(
  product: Target,
  metadata: Record<string, unknown> = {},
): Promise<string> {
  const { status, body } = await postJson(`${product.url}/register`, {
    client_name: 'Test client',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
    ...metadata,
  });
  if (status !== 201) throw new Error(`registration: ${status} ${JSON.stringify(body)}`);
  return String(body['client_id']);
}

export interface AuthorizeRequest {
  readonly url: string;
  readonly verifier: string;
  readonly state: string;
}

/** @param overrides parameters to change; undefined leaves one out. */
export function authorizeRequest(
  product: Target,
  clientId: string,
  overrides: Record<string, string | undefined> = {},
): AuthorizeRequest {
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(8).toString('base64');
  const parameters: Record<string, string | undefined> = {
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    resource: product.mcpUrl,
    scope: 'snippets.use',
    state,
    ...overrides,
  };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.append(name, value);
  return { url: `${product.url}/authorize?${query}`, verifier, state: parameters['state'] ?? '' };
}

export interface Tokens {
  readonly clientId: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** The whole way to a pair of tokens. */
export async function obtainTokens(
  product: Target,
  person: Person,
  options: {
    readonly clientId?: string;
    readonly browser?: HttpBrowser;
    readonly resource?: string;
    readonly scope?: string;
    readonly onSecondFactor?: () => void;
  } = {},
): Promise<Tokens> {
  const clientId = options.clientId ?? (await registerClient(product));
  const resource = options.resource ?? product.mcpUrl;
  const request = authorizeRequest(product, clientId, {
    resource,
    ...(options.scope === undefined ? {} : { scope: options.scope }),
  });
  const left = await signInOverHttp(options.browser ?? createHttpBrowser(), request.url, {
    person,
    gateway: product.url,
    emulator: product.emulator.httpOrigin,
    ...(options.onSecondFactor === undefined ? {} : { onSecondFactor: options.onSecondFactor }),
  });
  const code = new URL(left.location ?? 'about:blank').searchParams.get('code');
  if (code === null) throw new Error(`no code: ${left.status} ${left.location ?? headingOf(left.text)}`);
  const { status, body } = await redeemCode(product, {
    clientId,
    code,
    verifier: request.verifier,
    resource,
  });
  if (status !== 200) throw new Error(`token: ${status} ${JSON.stringify(body)}`);
  return { clientId, accessToken: String(body['access_token']), refreshToken: String(body['refresh_token']) };
}

export function redeemCode(
  product: Target,
  parts: { clientId: string; code: string; verifier: string; resource?: string; redirectUri?: string },
): Promise<JsonAnswer> {
  return postForm(`${product.url}/token`, {
    grant_type: 'authorization_code',
    client_id: parts.clientId,
    code: parts.code,
    code_verifier: parts.verifier,
    redirect_uri: parts.redirectUri ?? redirectUri,
    resource: parts.resource ?? product.mcpUrl,
  });
}

export function refresh(
  product: Target,
  clientId: string,
  refreshToken: string,
  headers: Record<string, string> = {},
): Promise<JsonAnswer> {
  const fields = { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken };
  return postForm(`${product.url}/token`, { ...fields, resource: product.mcpUrl }, headers);
}

/** One JSON-RPC request of the 2025-11-25 era to the MCP endpoint; stateless, so no session is needed. */
export function callMcp(
  url: string,
  token: string | undefined,
  method: string,
  params: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
}

/** The JSON-RPC message of an answer, whether it came as JSON or as an event stream. */
export async function readMessage(response: Response): Promise<Record<string, unknown>> {
  const text = await response.text();
  if (!(response.headers.get('content-type') ?? '').includes('event-stream'))
    return JSON.parse(text) as Record<string, unknown>;
  const data = text.split('\n').find((line) => line.startsWith('data: {'));
  return JSON.parse((data ?? 'data: {}').slice(6)) as Record<string, unknown>;
}

function headingOf(page: string): string {
  return /<h1>(.*?)<\/h1>/s.exec(page)?.[1] ?? page.slice(0, 200);
}
