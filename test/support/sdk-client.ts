/**
 * The official MCP clients with a real sign-in: their own OAuth code, a loopback redirect, a memory that a second
 * client can inherit, and a note of every HTTP request they send.
 */
import { randomBytes } from 'node:crypto';
import {
  Client,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  SSEClientTransport,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import {
  type OAuthClientProvider as OAuthClientProviderV1,
  UnauthorizedError as UnauthorizedErrorV1,
} from '@modelcontextprotocol/sdk/client/auth.js';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseTransportV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { LoopbackCallback } from './loopback-callback.ts';

/**
 * `v2 legacy` speaks 2025-11-25, `v2 modern` is pinned to 2026-07-28, `v1` is SDK 1.x; with `sse` they know only the
 * HTTP+SSE of 2024-11-05.
 */
export type SdkKind = 'v1' | 'v2 legacy' | 'v2 modern' | 'v1 sse' | 'v2 sse';

/** What a client writes to disk: give it to a second client, and that one is the first one, started again. */
export interface ClientMemory {
  client?: { readonly client_id: string };
  tokens?: { readonly access_token: string; readonly refresh_token?: string | undefined };
}

export interface SdkClientOptions {
  readonly kind: SdkKind;
  readonly mcpUrl: string;
  readonly callback: LoopbackCallback;
  /** Plays the person: opens the URL in a browser and goes through the pages. */
  readonly signIn: (authorizeUrl: URL) => Promise<void>;
  readonly memory: ClientMemory;
  /** Present: the client's id is this URL where the server takes such; otherwise it registers. */
  readonly metadataUrl?: string;
  /** Told of every answer as it comes: `POST /token 200`. */
  readonly onAnswer?: (line: string) => void;
}

export interface SdkClient {
  listTools(): Promise<string[]>;
  callTool(name: string, args?: Record<string, unknown>): Promise<SdkToolResult>;
  close(): Promise<void>;
}

export interface SdkToolResult {
  readonly isError?: boolean;
  readonly structuredContent?: Record<string, unknown>;
}

export interface Connected {
  readonly client: SdkClient;
  /** Every request so far: `GET /.well-known/… 200`. */
  readonly wire: readonly string[];
  /** How often a person was asked to sign in. */
  readonly signIns: () => number;
  /** What an application does when a call ended with UnauthorizedError: the person signs in, the client goes on. */
  signInAgain(): Promise<void>;
}

export const clientName = 'Test MCP client';

/** Connects as a person who has just added the server: a sign-in follows when the server asks for one. */
export async function connectSdkClient(options: SdkClientOptions): Promise<Connected> {
  const wire: string[] = [];
  const note = async (input: string | URL, init?: RequestInit): Promise<Response> => {
    const response = await fetch(input, init);
    const line = `${init?.method ?? 'GET'} ${new URL(input).pathname} ${response.status}`;
    wire.push(line);
    options.onAnswer?.(line);
    return response;
  };
  const attempt = { authorizeUrl: undefined as URL | undefined, state: '', signIns: 0 };
  const provider = createProvider(options, attempt);

  const open = () =>
    options.kind.startsWith('v1') ? openV1(options, provider, note) : openV2(options, provider, note);
  async function finishSignIn(client: OpenedClient): Promise<void> {
    if (attempt.authorizeUrl === undefined)
      throw new Error('the client gave up without an authorization URL');
    await options.signIn(attempt.authorizeUrl);
    const answer = new URLSearchParams(await options.callback.nextQuery());
    // The SDKs leave this check to the application.
    if (answer.get('state') !== attempt.state) throw new Error('the answer carries another state');
    await client.finish(answer);
  }
  const connected = (client: OpenedClient): Connected => ({
    client,
    wire,
    signIns: () => attempt.signIns,
    signInAgain: () => finishSignIn(client),
  });

  const first = open();
  try {
    await first.connect();
    return connected(first);
  } catch (error) {
    if (!(error instanceof UnauthorizedError || error instanceof UnauthorizedErrorV1)) throw error;
  }
  await finishSignIn(first);
  const second = open();
  await second.connect();
  return connected(second);
}

interface OpenedClient extends SdkClient {
  connect(): Promise<void>;
  finish(answer: URLSearchParams): Promise<void>;
}

type Fetch = (input: string | URL, init?: RequestInit) => Promise<Response>;

function openV2(
  { kind, mcpUrl }: SdkClientOptions,
  provider: OAuthClientProvider,
  fetch: Fetch,
): OpenedClient {
  const mode = kind === 'v2 modern' ? { pin: '2026-07-28' } : 'legacy';
  const client = new Client({ name: 'sdk-v2', version: '1' }, { versionNegotiation: { mode } });
  const Transport = kind === 'v2 sse' ? SSEClientTransport : StreamableHTTPClientTransport;
  const transport = new Transport(new URL(mcpUrl), { authProvider: provider, fetch });
  return {
    connect: () => client.connect(transport),
    finish: (answer) => transport.finishAuth(answer),
    listTools: async () => (await client.listTools()).tools.map(({ name }) => name).toSorted(),
    callTool: async (name, args = {}) => (await client.callTool({ name, arguments: args })) as SdkToolResult,
    close: () => client.close(),
  };
}

function openV1(
  { kind, mcpUrl }: SdkClientOptions,
  provider: OAuthClientProvider,
  fetch: Fetch,
): OpenedClient {
  const client = new ClientV1({ name: 'sdk-v1', version: '1' });
  const authProvider = provider as OAuthClientProviderV1;
  const Transport = kind === 'v1 sse' ? SseTransportV1 : TransportV1;
  const transport = new Transport(new URL(mcpUrl), { authProvider, fetch });
  return {
    connect: () => client.connect(transport),
    finish: (answer) => transport.finishAuth(answer.get('code') ?? ''),
    listTools: async () => (await client.listTools()).tools.map(({ name }) => name).toSorted(),
    callTool: async (name, args = {}) => (await client.callTool({ name, arguments: args })) as SdkToolResult,
    close: () => client.close(),
  };
}

function createProvider(
  { callback, memory, metadataUrl }: SdkClientOptions,
  attempt: { authorizeUrl: URL | undefined; state: string; signIns: number },
): OAuthClientProvider {
  let verifier = '';
  let discovered: OAuthDiscoveryState | undefined;
  return {
    redirectUrl: callback.url,
    ...(metadataUrl === undefined ? {} : { clientMetadataUrl: metadataUrl }),
    clientMetadata: {
      client_name: clientName,
      redirect_uris: [callback.url],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    state() {
      attempt.state = randomBytes(12).toString('base64');
      return attempt.state;
    },
    clientInformation: () => memory.client,
    saveClientInformation(client) {
      memory.client = client;
    },
    tokens: () => memory.tokens as ReturnType<OAuthClientProvider['tokens']>,
    saveTokens(tokens) {
      memory.tokens = tokens;
    },
    redirectToAuthorization(url) {
      attempt.signIns += 1;
      attempt.authorizeUrl = url;
    },
    saveCodeVerifier(value) {
      verifier = value;
    },
    codeVerifier: () => verifier,
    saveDiscoveryState(state) {
      discovered = state;
    },
    discoveryState: () => discovered,
    invalidateCredentials(scope) {
      if (scope === 'all' || scope === 'discovery') discovered = undefined;
      if (scope === 'all' || scope === 'client') delete memory.client;
      if (scope === 'all' || scope === 'tokens') delete memory.tokens;
    },
  };
}
