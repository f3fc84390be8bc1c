import type Provider from 'oidc-provider';
import type { Audit } from '../audit/event.ts';
import { type Form, findField, parseForm, parseJson, readBody } from '../http/body.ts';
import type { CheckClientLimit } from '../http/client-limit.ts';
import type { Exchange, Handler } from '../http/exchange.ts';
import { sendJson } from '../http/respond.ts';
import { applySecurityHeaders } from '../http/security-headers.ts';
import { keepRegistration } from './adapter.ts';
import { auditProvider } from './audit-events.ts';
import { normalizeClientMetadata } from './client-metadata.ts';
import { createInteractions, type Interactions } from './interactions.ts';
import { addMiddleware, type ReadAccessToken } from './middleware.ts';
import { createProvider, type ProviderOptions, privateUseRedirects } from './provider.ts';
import { replayRequest } from './replayed-request.ts';
import { noteFacts, type RequestFacts } from './request-facts.ts';
import { shareRefreshes } from './shared-refresh.ts';

export interface AuthorizationServer {
  /** `/authorize` and its continuation, `/jwks`, the metadata documents: no body. */
  readonly serve: Handler;
  readonly register: Handler;
  /** `/token` and `/revoke`. */
  readonly submit: Handler;
  readonly interactions: Interactions;
}

export interface AuthorizationServerOptions extends ProviderOptions {
  readonly audit: Audit;
  readonly readAccessToken: ReadAccessToken;
  readonly checkClientLimit: CheckClientLimit;
}

const maxFormBytes = 32 * 1024;
const maxRegistrationBytes = 32 * 1024;

/** Sets up oidc-provider and gives its endpoints as handlers of our route table. */
export function createAuthorizationServer(options: AuthorizationServerOptions): AuthorizationServer {
  const provider = createProvider(options);
  // Outermost first: the audit sees the answers that the other steps have made.
  auditProvider(provider, options.audit);
  const { clock, random } = options.world;
  const { store, audit } = options;
  const { refreshReplaySeconds: replaySeconds, refreshTokenSeconds } = options.config.lifetimes;
  shareRefreshes({ provider, store, audit, clock, random, replaySeconds, refreshTokenSeconds });
  addMiddleware(provider, options);
  const { registrationSeconds } = options.config.lifetimes;
  if (registrationSeconds > 0) {
    provider.on('grant.success', (ctx) => {
      const clientId = ctx.oidc.client?.clientId ?? '';
      // Missed while the store is away: the next refresh does it.
      void keepRegistration(store, clientId, registrationSeconds).catch(() => {});
    });
  }
  provider.on('server_error', (_ctx, error) =>
    options.world.log.error({ err: error }, 'authorization server fault'),
  );
  const play = createPlayer(provider, options);

  return {
    interactions: createInteractions({
      provider,
      resources: options.resources,
      publicUrl: options.config.publicUrl,
      configuredClients: new Set(options.config.clients.preRegistered.map(({ clientId }) => clientId)),
      clock: options.world.clock,
      random: options.world.random,
    }),

    async serve(exchange) {
      const clientId = exchange.url.searchParams.get('client_id');
      if (clientId !== null && !passesLimit(exchange, options.checkClientLimit('authorize', clientId)))
        return;
      await play(exchange, new Uint8Array(), { exchange });
    },

    async register(exchange) {
      const body = await readBody(exchange, maxRegistrationBytes);
      if (!body.ok) return answerUnreadable(exchange, body.error);
      const parsed = parseJson(exchange.req.headers['content-type'], body.value);
      const metadata = parsed.ok && isRecord(parsed.value) ? parsed.value : undefined;
      if (metadata === undefined) {
        return refuse(exchange, 400, 'invalid_client_metadata', 'send client metadata as one JSON object');
      }
      const privateUse = privateUseRedirects(options.config);
      const client = normalizeClientMetadata(metadata, {
        privateUse,
        defaultAuthMethod: 'client_secret_basic',
      });
      if (!client.ok) return refuse(exchange, 400, client.error.error, client.error.description);
      const played = Buffer.from(JSON.stringify(client.value.metadata));
      await play(exchange, played, { exchange, refusedRedirectUris: client.value.refusedRedirectUris });
    },

    async submit(exchange) {
      const body = await readBody(exchange, maxFormBytes);
      if (!body.ok) return answerUnreadable(exchange, body.error);
      const form = parseForm(exchange.req.headers['content-type'], body.value);
      if (!form.ok)
        return refuse(
          exchange,
          400,
          'invalid_request',
          'send the parameters as application/x-www-form-urlencoded',
        );
      const clientId = namedClient(exchange, form.value);
      if (clientId !== undefined && !passesLimit(exchange, options.checkClientLimit('token', clientId)))
        return;
      await play(exchange, body.value, { exchange, form: form.value });
    },
  };
}

function createPlayer(provider: Provider, { config, cookieKeys }: AuthorizationServerOptions) {
  const callback = provider.callback();
  const publicUrl = new URL(config.publicUrl);
  return async (exchange: Exchange, body: Uint8Array, facts: RequestFacts): Promise<void> => {
    const request = replayRequest(exchange.req, {
      body,
      host: publicUrl.host,
      isSecure: publicUrl.protocol === 'https:',
    });
    noteFacts(request, facts);
    if (typeof cookieKeys === 'function') provider.keys = [...cookieKeys()];
    applySecurityHeaders(exchange.res);
    await callback(request, exchange.res);
  };
}

/** For the rate limit only: nobody is authenticated by it. */
function namedClient(exchange: Exchange, form: Form): string | undefined {
  const basic = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(exchange.req.headers.authorization ?? '')?.[1];
  if (basic !== undefined) return Buffer.from(basic, 'base64').toString('utf8').split(':', 1)[0];
  return findField(form, 'client_id');
}

function passesLimit(exchange: Exchange, limit: ReturnType<CheckClientLimit>): boolean {
  if (limit.ok) return true;
  exchange.res.setHeader('Retry-After', String(limit.error.retryAfterSeconds));
  refuse(exchange, 429, 'temporarily_unavailable', 'too many requests of this client; try again later');
  return false;
}

function answerUnreadable(exchange: Exchange, why: 'too-large' | 'aborted' | 'timeout'): void {
  if (why === 'aborted') return;
  const status = why === 'too-large' ? 413 : 408;
  refuse(
    exchange,
    status,
    'invalid_request',
    why === 'too-large' ? 'the body is too large' : 'the body did not arrive in time',
  );
}

function refuse(exchange: Exchange, status: number, error: string, description: string): void {
  sendJson(exchange, status, { error, error_description: description });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
