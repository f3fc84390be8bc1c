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
 * An answer is in the store before it is sent, or it is not sent: a turn without an answer is one that nobody got tokens
 * from, however long ago it was left. So whoever comes next, after seconds or after a day without a store, may undo it
 * and begin anew (`refresh-token-spending.ts`).
 *
 * Clients that authenticate with `private_key_jwt` sign each request anew, so no two of theirs are alike.
 */
import { createHash } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { CLOCK_DIFFERENCE_SECONDS, type Clock, nowSeconds } from '@valetkey/core/base/clock';
import type { RandomBytes } from '@valetkey/core/base/random';
import type { Audit } from '../audit/event.ts';
import { findField } from '../http/body.ts';
import type { Store } from '../store/collection.ts';
import { StoreUnavailable } from '../store/driver.ts';
import { createTurns, type Turn, type TurnRecord } from '../store/turns.ts';
import { createAdmission } from './admission.ts';
import { inTurn, makeRefreshTokenGood, type RefreshTurn } from './refresh-token-spending.ts';
import { findFacts } from './request-facts.ts';

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Readonly<OutgoingHttpHeaders>;
  readonly clientId: string | undefined;
}

/** In the store, sealed, under a hash of the whole request. */
type KeptAnswer = Answer & { readonly atSeconds: number };

export interface SharedRefreshOptions {
  readonly provider: Provider;
  readonly store: Store;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** 0: nothing is shared, and each use of a spent token ends the family. */
  readonly replaySeconds: number;
  /** As long as a refresh token lives: so long a refresh that broke off can be begun anew. */
  readonly refreshTokenSeconds: number;
}

/** Refreshes of one process that are under way together: each asks Entra once, and the store a dozen times. */
const atOnce = 64;
/** In line for no longer than a client waits. */
const patienceMs = 20_000;

/** Each answer's own, never the other's. */
const ownHeaders = new Set(['x-request-id', 'set-cookie', 'content-length', 'date']);

export function shareRefreshes(options: SharedRefreshOptions): void {
  const { provider, store, audit, clock, random, replaySeconds } = options;
  if (replaySeconds === 0) return;
  const records = store.collection<TurnRecord<KeptAnswer>>('oauth.refresh-turn');
  const turns = createTurns({ records, random });
  const underWay = new Map<string, Promise<Answer>>();
  const admission = createAdmission({ atOnce, patienceMs });

  provider.use(async (ctx, next) => {
    const context = ctx as KoaContextWithOIDC;
    const key = refreshKey(context);
    if (key === undefined) return next();
    const first = underWay.get(key);
    if (first !== undefined) return repeat(context, await first, audit, 'same_request_under_way');
    const answer = refreshAdmitted(context, key, next);
    underWay.set(key, answer);
    try {
      await answer;
    } finally {
      underWay.delete(key);
    }
  });

  async function refreshAdmitted(
    ctx: KoaContextWithOIDC,
    key: string,
    next: () => Promise<void>,
  ): Promise<Answer> {
    return (await admission.admit(() => refreshOnce(ctx, key, next))) ?? answerLater(ctx);
  }

  const claimTurn = (key: string) => turns.claim(key, options.refreshTokenSeconds + CLOCK_DIFFERENCE_SECONDS);

  async function refreshOnce(
    ctx: KoaContextWithOIDC,
    key: string,
    next: () => Promise<void>,
  ): Promise<Answer> {
    const claim = await orUndefined(claimTurn(key));
    if (claim === undefined) return answerLater(ctx);
    if (claim.kind === 'ours') return refreshInTurn(ctx, key, claim, next);
    const shared = await stillGood(claim.outcome);
    if (shared !== undefined) {
      repeat(ctx, shared, audit, 'answered_before');
      return shared;
    }
    await next();
    return answerOf(ctx);
  }

  async function refreshInTurn(
    ctx: KoaContextWithOIDC,
    key: string,
    turn: Turn<KeptAnswer>,
    next: () => Promise<void>,
  ): Promise<Answer> {
    const refreshToken = refreshTokenOf(ctx);
    const held = { ...turn, id: key, claimOther: claimTurn };
    try {
      if (turn.before.length > 0) await makeRefreshTokenGood(store, refreshToken, held);
      await inTurn(held, next);
    } catch (fault) {
      await giveBack(refreshToken, held);
      if (fault instanceof StoreUnavailable) return answerLater(ctx);
      throw fault;
    }
    const answer = answerOf(ctx);
    if (answer.status !== 200) await giveBack(refreshToken, held);
    else if (!(await keep(key, turn, answer))) return answerLater(ctx);
    return answer;
  }

  /** Where the store is away for this too, the turn falls silent, and the client takes it over. */
  async function giveBack(refreshToken: string, turn: Turn<KeptAnswer> & RefreshTurn): Promise<void> {
    try {
      await makeRefreshTokenGood(store, refreshToken, turn);
    } catch {
      return turn.abandon();
    }
    await turn.end();
  }

  /** @returns whether it may be sent. What another replica does in this turn by now is what counts. */
  async function keep(key: string, turn: Turn<KeptAnswer>, answer: Answer): Promise<boolean> {
    const kept = { ...answer, atSeconds: nowSeconds(clock) };
    // The window is closed by the process that opened it: clocks of replicas may differ by more than its length.
    const lifetimeSeconds = replaySeconds + CLOCK_DIFFERENCE_SECONDS;
    const isKept = (await orUndefined(turn.settle(kept, lifetimeSeconds))) ?? false;
    if (isKept) setTimeout(() => void records.delete(key).catch(() => {}), replaySeconds * 1000).unref();
    return isKept;
  }

  /** The successor must be unused: whoever used it has received it, and who asks again then is not that client. */
  async function stillGood(answer: KeptAnswer): Promise<Answer | undefined> {
    const body = answer.body as { refresh_token?: string; expires_in?: number };
    const successor = await provider.RefreshToken.find(body.refresh_token ?? '');
    if (successor === undefined || ('consumed' in successor && successor.consumed !== undefined))
      return undefined;
    const elapsedSeconds = Math.max(0, nowSeconds(clock) - answer.atSeconds);
    const expiresIn = Math.max(0, (body.expires_in ?? 0) - elapsedSeconds);
    return { ...answer, body: { ...body, expires_in: expiresIn } };
  }
}

/** Not spent, not judged: the client asks again. Set here, since oidc-provider's own answers are made further in. */
function answerLater(ctx: KoaContextWithOIDC): Answer {
  ctx.status = 503;
  ctx.set('Retry-After', '5');
  ctx.body = { error: 'temporarily_unavailable', error_description: 'try again in a few seconds' };
  return answerOf(ctx);
}

async function orUndefined<Value>(work: Promise<Value>): Promise<Value | undefined> {
  try {
    return await work;
  } catch (fault) {
    if (!(fault instanceof StoreUnavailable)) throw fault;
    return undefined;
  }
}

/** A request without one is refused further in. */
function refreshTokenOf({ req }: KoaContextWithOIDC): string {
  const form = findFacts(req)?.form;
  return (form === undefined ? undefined : findField(form, 'refresh_token')) ?? '';
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
