/** What we add around oidc-provider's own steps: it sees each answer before it is sent. */
import { createHash } from 'node:crypto';
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { KeyRing } from '@valetkey/core/crypto/key-ring';
import type { ServerConfig } from '../config/config.ts';
import { findField } from '../http/body.ts';
import { refusals, sendRefusal } from '../http/refuse.ts';
import { applyPageHeaders } from '../http/security-headers.ts';
import { renderHeldBackRedirect } from './error-page.ts';
import { authorizationServerMetadata } from './metadata.ts';
import { sessionCookie } from './replayed-request.ts';
import { findFacts } from './request-facts.ts';
import type { Resources } from './resources.ts';

const retryAfterSeconds = 5;

type Step = (ctx: KoaContextWithOIDC) => Promise<void> | void;

/** Reads one of our access tokens; undefined when it is not one of ours, or no longer good. */
export type ReadAccessToken = (token: string) => Promise<{ clientId: string; sessionId: string } | undefined>;

export interface MiddlewareOptions {
  readonly config: ServerConfig;
  readonly resources: Resources;
  readonly keyRing: Pick<KeyRing, 'publicJwks'>;
  readonly readAccessToken: ReadAccessToken;
}

/** Registers the steps; each looks at the route and at the answer that oidc-provider made. */
export function addMiddleware(provider: Provider, options: MiddlewareOptions): void {
  const configuredClients = new Set(options.config.clients.preRegistered.map(({ clientId }) => clientId));
  const steps: readonly Step[] = [
    (ctx) => trimMetadata(ctx, options.resources),
    (ctx) => publishKeys(ctx, options.keyRing),
    nameRefusedRedirects,
    answerUnreachableDocument,
    answerUnknownClient,
    answerUnavailable,
    (ctx) => revokeAccessToken(ctx, provider, options.readAccessToken),
    (ctx) => spendFailedCode(ctx, provider),
    dropSessionCookie,
    protectFormPost,
    (ctx) => holdBackRedirect(ctx, configuredClients),
  ];
  provider.use(async (ctx, next) => {
    await next();
    const context = ctx as KoaContextWithOIDC;
    if (context.oidc === undefined) return answerUnrouted(context);
    for (const step of steps) await step(context);
  });
}

/** `consumed` is kept by oidc-provider and missing in its types. */
function isSpent(code: object): boolean {
  return 'consumed' in code && code.consumed !== undefined;
}

function errorOf(ctx: KoaContextWithOIDC): string | undefined {
  const body: unknown = ctx.body;
  if (ctx.status < 400 || typeof body !== 'object' || body === null || !('error' in body)) return undefined;
  return String(body.error);
}

function trimMetadata(ctx: KoaContextWithOIDC, { all }: Resources): void {
  if (ctx.oidc.route !== 'discovery' || ctx.status !== 200) return;
  ctx.body = authorizationServerMetadata(ctx.body as Record<string, unknown>, all);
}

/** oidc-provider took its keys at the start; those of the ring may have been rotated since. */
function publishKeys(ctx: KoaContextWithOIDC, { publicJwks }: Pick<KeyRing, 'publicJwks'>): void {
  if (ctx.oidc.route === 'jwks' && ctx.status === 200) ctx.body = { keys: publicJwks };
}

/** RFC 7591 §3.2.1 lets the server change what was asked for, and has it say so. */
function nameRefusedRedirects(ctx: KoaContextWithOIDC): void {
  if (ctx.oidc.route !== 'registration' || ctx.status !== 201) return;
  const refused = findFacts(ctx.req)?.refusedRedirectUris ?? [];
  if (refused.length > 0) Object.assign(ctx.body as object, { refused_redirect_uris: refused });
}

/**
 * A client whose document cannot be fetched just now is not an unknown one: told `invalid_client`, SDKs throw their
 * tokens away and the person signs in again.
 */
function answerUnreachableDocument(ctx: KoaContextWithOIDC): void {
  if (errorOf(ctx) !== 'invalid_client') return;
  const body = ctx.body as { readonly error_description?: unknown };
  if (body.error_description !== 'client_id metadata document fetch failed') return;
  ctx.body = {
    error: 'temporarily_unavailable',
    error_description: 'the client id metadata document cannot be fetched',
  };
}

/** 401 for every `invalid_client` (RFC 6749 §5.2): it is what makes a client with a stale id register again. */
function answerUnknownClient(ctx: KoaContextWithOIDC): void {
  if (ctx.oidc.route !== 'token' && ctx.oidc.route !== 'revocation') return;
  if (errorOf(ctx) === 'invalid_client' && ctx.status === 400) ctx.status = 401;
}

/** Not the client's fault, so not a 4xx: 503 and when to come back (RFC 9110 §15.6.4). */
function answerUnavailable(ctx: KoaContextWithOIDC): void {
  if (errorOf(ctx) !== 'temporarily_unavailable') return;
  ctx.status = 503;
  ctx.set('Retry-After', String(retryAfterSeconds));
}

/**
 * oidc-provider authenticates the client and then refuses a structured token, since it keeps no record of it.
 * Ours can be read, so its session ends here. A token of another client, or none of ours, is answered as success
 * and changes nothing (RFC 7009 §2.1, §2.2).
 */
async function revokeAccessToken(
  ctx: KoaContextWithOIDC,
  provider: Provider,
  read: ReadAccessToken,
): Promise<void> {
  if (ctx.oidc.route !== 'revocation' || errorOf(ctx) !== 'unsupported_token_type') return;
  const form = findFacts(ctx.req)?.form;
  const token = form === undefined ? undefined : findField(form, 'token');
  const client = ctx.oidc.client;
  const found = token === undefined ? undefined : await read(token);
  if (found !== undefined && client !== undefined && found.clientId === client.clientId) {
    await provider.RefreshToken.revokeByGrantId(found.sessionId);
    await (await provider.Grant.find(found.sessionId))?.destroy();
  }
  ctx.status = 200;
  ctx.body = '';
}

/**
 * A code that was presented in vain is spent: with a wrong verifier, client, redirect or resource, whoever holds
 * it must not be able to try again (RFC 6749 §10.5). The answer is not sent before the code is gone.
 */
async function spendFailedCode(ctx: KoaContextWithOIDC, provider: Provider): Promise<void> {
  if (ctx.oidc.route !== 'token' || ctx.status < 400 || ctx.status >= 500) return;
  const form = findFacts(ctx.req)?.form;
  if (form === undefined || findField(form, 'grant_type') !== 'authorization_code') return;
  for (const code of form.get('code') ?? []) {
    const found = await provider.AuthorizationCode.find(code);
    if (found !== undefined && !isSpent(found)) await found.destroy();
  }
}

/** `/authorize/x/y`: ours by its prefix, and no route of oidc-provider's. */
function answerUnrouted(ctx: KoaContextWithOIDC): void {
  const facts = findFacts(ctx.req);
  if (facts === undefined || ctx.status !== 404) return;
  ctx.respond = false;
  sendRefusal(facts.exchange, refusals.notFound);
}

/** It would never be read again: see `replayRequest`. */
function dropSessionCookie(ctx: KoaContextWithOIDC): void {
  const set = [ctx.response.headers['set-cookie'] ?? []].flat();
  const kept = set.filter((line) => !line.startsWith(sessionCookie));
  if (kept.length === set.length) return;
  ctx.remove('Set-Cookie');
  if (kept.length > 0) ctx.set('Set-Cookie', kept);
}

/** oidc-provider's page of `response_mode=form_post` carries a code and one script: nothing else may run or frame it. */
function protectFormPost(ctx: KoaContextWithOIDC): void {
  if (typeof ctx.body !== 'string' || !ctx.response.is('html')) return;
  const script = /<script>(.*?)<\/script>/s.exec(ctx.body)?.[1];
  if (script === undefined) return;
  const hash = `sha256-${createHash('sha256').update(script).digest('base64')}`;
  applyPageHeaders(ctx.res, hash);
  ctx.set(
    'Content-Security-Policy',
    `default-src 'none'; script-src '${hash}'; base-uri 'none'; frame-ancestors 'none'`,
  );
  // The post goes to the client, which has no business with the address it came from.
  ctx.set('Referrer-Policy', 'no-referrer');
}

/**
 * Whoever registers a client chooses where an error goes, and a request that fails before the person was asked would
 * send them there unasked: an open redirector under our name. So the error of a client that nobody has checked is
 * shown first; loopback and listed private-use addresses cannot be somebody else's website (OAuth 2.1 §7.12.2).
 */
function holdBackRedirect(ctx: KoaContextWithOIDC, configuredClients: ReadonlySet<string>): void {
  const { route, client, params, entities } = ctx.oidc;
  const isUnasked = route === 'authorization' && entities.Interaction === undefined && ctx.respond !== false;
  if (!isUnasked || client === undefined || !String(params?.['redirect_uri']).startsWith('https:')) return;
  if (configuredClients.has(client.clientId) || client.clientId.startsWith('https:')) return;
  const location = ctx.response.get('Location');
  ctx.remove('Location');
  ctx.status = 400;
  renderHeldBackRedirect(ctx, location === '' ? undefined : location);
}
