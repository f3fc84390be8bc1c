/**
 * The same refresh, sent more than once, is done once: all senders get one answer, on whichever replica they are.
 *
 * When an access token expires while a model calls three tools at once, each call is refused and each refreshes:
 * both official SDKs send the same refresh token three times. And when an answer is lost on its way, the client
 * sends its request again. Judged by the letter (OAuth 2.1 §4.3.1), all of these are replays, and a replay ends the
 * session: people would sign in again for nothing.
 *
 * What it forgives is bounded: the request must be alike to the last field, client authentication included; it must
 * come within `replaySeconds`; the tokens that it was answered with must not have been used for a refresh yet; and
 * there is one new pair, however many ask. A thief who is as quick as that gets a pair that the client has too, and
 * the next refresh of either gives both away. Any other use of a spent token still ends the family.
 *
 * Clients that authenticate with `private_key_jwt` sign each request anew, so no two of theirs are alike.
 */
import { createHash } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { type Clock, nowSeconds } from '@valetkey/core/base/clock';
import { type RandomBytes, randomId } from '@valetkey/core/base/random';
import type { Audit } from '../audit/event.ts';
import { findField } from '../http/body.ts';
import type { Collection, Store } from '../store/collection.ts';
import { StoreUnavailable } from '../store/driver.ts';
import { unspendRefreshToken } from './adapter.ts';
import { findFacts } from './request-facts.ts';

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Readonly<OutgoingHttpHeaders>;
  readonly clientId: string | undefined;
}

/** A refresh in the store: under way on some replica, or answered. Sealed, under a hash of the whole request. */
interface Refresh {
  /** Who is at it, so that nobody ends somebody else's turn. */
  readonly turn: string;
  readonly untilSeconds: number;
  readonly answer?: Answer & { readonly atSeconds: number };
}

export interface SharedRefreshOptions {
  readonly provider: Provider;
  readonly store: Store;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** 0: nothing is shared, and each use of a spent token ends the family. */
  readonly replaySeconds: number;
}

/** Each answer's own, never the other's. */
const ownHeaders = new Set(['x-request-id', 'set-cookie', 'content-length', 'date']);

/** Longer than Entra may take. A replica that dies meanwhile keeps the others waiting no longer than this. */
const turnSeconds = 15;
const pollMs = 50;

export function shareRefreshes(options: SharedRefreshOptions): void {
  const { provider, audit, clock, random, replaySeconds } = options;
  if (replaySeconds === 0) return;
  const refreshes = options.store.collection<Refresh>('oauth.refresh-shared');
  const underWay = new Map<string, Promise<Answer>>();

  provider.use(async (ctx, next) => {
    const context = ctx as KoaContextWithOIDC;
    const key = refreshKey(context);
    if (key === undefined) return next();
    const first = underWay.get(key);
    if (first !== undefined) return repeat(context, await first, audit, 'same_request_under_way');
    const answer = refreshOnce(context, key, next);
    underWay.set(key, answer);
    try {
      await answer;
    } finally {
      underWay.delete(key);
    }
  });

  async function refreshOnce(
    ctx: KoaContextWithOIDC,
    key: string,
    next: () => Promise<void>,
  ): Promise<Answer> {
    const turn = randomId(random, 9);
    const beganAtSeconds = nowSeconds(clock);
    const claim = await claimTurn(refreshes, key, turn).catch(notInTime);
    if (claim === undefined) return answerLater(ctx);
    if (claim.kind === 'answered') {
      const shared = await stillGood(claim.answer);
      if (shared !== undefined) {
        repeat(ctx, shared, audit, 'answered_before');
        return shared;
      }
    }
    if (claim.kind === 'taken_over') await unspendRefreshToken(options.store, refreshTokenOf(ctx) ?? '');
    try {
      await next();
    } catch (fault) {
      await giveBack(ctx, key, { turn, beganAtSeconds, claim });
      throw fault;
    }
    const answer = answerOf(ctx);
    if (answer.status >= 500) await giveBack(ctx, key, { turn, beganAtSeconds, claim });
    else if (claim.kind !== 'answered') await note(key, turn, answer);
    return answer;
  }

  /**
   * The refresh broke off, perhaps after the token was spent: the client, told to come again, must find it good. Where
   * the store is away for this too, the turn is left to run out, and the client takes it over.
   */
  async function giveBack(
    ctx: KoaContextWithOIDC,
    key: string,
    { turn, beganAtSeconds, claim }: { turn: string; beganAtSeconds: number; claim: Claim },
  ): Promise<void> {
    if (claim.kind === 'answered') return;
    try {
      await unspendRefreshToken(options.store, refreshTokenOf(ctx) ?? '', beganAtSeconds);
    } catch {
      return;
    }
    await endTurn(key, turn);
  }

  /** The successor must be unused: whoever used it has received it, and who asks again then is not that client. */
  async function stillGood(answer: NonNullable<Refresh['answer']>): Promise<Answer | undefined> {
    const body = answer.body as { refresh_token?: string; expires_in?: number };
    const successor = await provider.RefreshToken.find(body.refresh_token ?? '');
    if (successor === undefined || ('consumed' in successor && successor.consumed !== undefined))
      return undefined;
    const elapsedSeconds = nowSeconds(clock) - answer.atSeconds;
    const expiresIn = Math.max(0, (body.expires_in ?? 0) - elapsedSeconds);
    return { ...answer, body: { ...body, expires_in: expiresIn } };
  }

  async function note(key: string, turn: string, answer: Answer): Promise<void> {
    if (answer.status !== 200) return endTurn(key, turn);
    const atSeconds = nowSeconds(clock);
    const refresh = { turn, untilSeconds: atSeconds, answer: { ...answer, atSeconds } };
    // The answer is made: a store that fails now costs the replay, not the refresh.
    await refreshes.put(key, refresh, { lifetimeSeconds: replaySeconds }).catch(() => {});
  }

  async function endTurn(key: string, turn: string): Promise<void> {
    const current = await refreshes.get(key).catch(() => undefined);
    if (current?.turn === turn) await refreshes.delete(key).catch(() => false);
  }

  type Claim =
    | { readonly kind: 'ours' | 'taken_over' }
    | { readonly kind: 'answered'; readonly answer: NonNullable<Refresh['answer']> };

  /**
   * Waits until the refresh is ours to do, or has been answered elsewhere. One that was begun and never answered,
   * because its replica died, is taken over: the token it may have spent is unspent again, since nobody got an answer.
   */
  async function claimTurn(
    shared: Collection<Refresh>,
    key: string,
    turn: string,
  ): Promise<Claim | undefined> {
    const waitUntilMs = Date.now() + 2 * turnSeconds * 1000;
    while (Date.now() < waitUntilMs) {
      const mine = { turn, untilSeconds: nowSeconds(clock) + turnSeconds };
      const lifetimeSeconds = Math.max(replaySeconds, 2 * turnSeconds);
      if (await shared.create(key, mine, { lifetimeSeconds })) return { kind: 'ours' };
      const current = await shared.get(key);
      if (current?.answer !== undefined) return { kind: 'answered', answer: current.answer };
      if (current !== undefined && current.untilSeconds <= nowSeconds(clock)) {
        const taken = await shared.update(key, (now) => (now.turn === current.turn ? mine : undefined));
        if (taken !== undefined) return { kind: 'taken_over' };
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    return undefined;
  }
}

/** Not spent, not judged: the client asks again. Set here, since oidc-provider's own answers are made further in. */
function answerLater(ctx: KoaContextWithOIDC): Answer {
  ctx.status = 503;
  ctx.set('Retry-After', '5');
  ctx.body = { error: 'temporarily_unavailable', error_description: 'try again in a few seconds' };
  return answerOf(ctx);
}

function notInTime(fault: unknown): undefined {
  if (!(fault instanceof StoreUnavailable)) throw fault;
  return undefined;
}

function refreshTokenOf({ req }: KoaContextWithOIDC): string | undefined {
  const form = findFacts(req)?.form;
  return form === undefined ? undefined : findField(form, 'refresh_token');
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

function repeat(ctx: KoaContextWithOIDC, answer: Answer, audit: Audit, reason: string): void {
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
    reason,
    correlationId: facts.exchange.id,
    ip: facts.exchange.ip,
    ...(answer.clientId === undefined ? {} : { clientId: answer.clientId }),
  });
}
