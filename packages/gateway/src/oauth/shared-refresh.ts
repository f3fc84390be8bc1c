import { createHash } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Audit } from '../audit/event.ts';
import { findField } from '../http/body.ts';
import { findFacts } from './request-facts.ts';

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Readonly<OutgoingHttpHeaders>;
  readonly clientId: string | undefined;
}

/** Each answer's own, never the other's. */
const ownHeaders = new Set(['x-request-id', 'set-cookie', 'content-length', 'date']);

/**
 * The same refresh, sent several times at the same moment, is done once; all senders get its answer.
 *
 * When an access token expires while a model calls three tools at once, each call is refused and each refreshes:
 * both official SDKs send the same refresh token three times. Two of the three would be replays, and a replay ends
 * the session (OAuth 2.1 §4.3.1), so people would sign in again once an hour.
 *
 * This forgives nothing: the requests must be alike to the last field and under way together, there is one new
 * pair, and the first use of a spent token after that still ends the family. A thief who hits this very moment gets
 * a pair that the client has too, and the next refresh of either gives them away.
 *
 * Per process: behind several replicas, requests that reach two of them are judged as replays.
 */
export function shareRefreshes(provider: Provider, audit: Audit): void {
  const underWay = new Map<string, Promise<Answer>>();

  provider.use(async (ctx, next) => {
    const context = ctx as KoaContextWithOIDC;
    const key = refreshKey(context);
    if (key === undefined) return next();
    const first = underWay.get(key);
    if (first !== undefined) return repeat(context, await first, audit);
    const answer = next().then(() => answerOf(context));
    underWay.set(key, answer);
    try {
      await answer;
    } finally {
      underWay.delete(key);
    }
  });
}

/** Undefined for every request but a refresh. Hashed, so that no token is the key of a map. */
function refreshKey({ req }: KoaContextWithOIDC): string | undefined {
  const form = findFacts(req)?.form;
  if (form === undefined || findField(form, 'grant_type') !== 'refresh_token') return undefined;
  const { authorization, origin } = req.headers;
  const request = JSON.stringify([req.url, authorization, origin, ...form]);
  return createHash('sha256').update(request).digest('base64');
}

function answerOf(ctx: KoaContextWithOIDC): Answer {
  const { status, body, response, oidc } = ctx;
  return { status, body, headers: { ...response.headers }, clientId: oidc?.client?.clientId };
}

function repeat(ctx: KoaContextWithOIDC, answer: Answer, audit: Audit): void {
  ctx.status = answer.status;
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined && !ownHeaders.has(name)) ctx.set(name, [value].flat().map(String));
  }
  ctx.body = answer.body;
  const facts = findFacts(ctx.req);
  if (facts === undefined) return;
  audit.record({
    event: 'token.refresh',
    outcome: answer.status < 400 ? 'success' : 'denied',
    reason: 'same_request_under_way',
    correlationId: facts.exchange.id,
    ip: facts.exchange.ip,
    ...(answer.clientId === undefined ? {} : { clientId: answer.clientId }),
  });
}
