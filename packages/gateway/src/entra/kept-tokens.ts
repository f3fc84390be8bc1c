/** Access tokens in memory: handed out at once, renewed ahead of their end, asked for by one caller at a time. */
import { type Clock, nowSeconds } from '@valetkey/core/base/clock';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { Secret } from '@valetkey/core/base/secret';

export interface KeptToken {
  readonly accessToken: Secret;
  readonly expiresAtSeconds: number;
}

export type Acquired<Refusal> = Result<KeptToken, Refusal>;

export interface TokenWanted<Refusal> {
  /** Whose token: `forget` drops all of an owner. */
  readonly owner: string;
  /** Which of the owner's. */
  readonly name: string;
  readonly acquire: () => Promise<Acquired<Refusal>>;
  /** One that its API refused: another is wanted, unless it has only just been made. */
  readonly rejected?: Secret | undefined;
  /** What the API asks for beyond an ordinary token (a claims challenge): the one that is there does not do. */
  readonly demand?: string | undefined;
}

export interface KeptTokens<Refusal> {
  /** @returns without a promise where the token is there. Rejects with what `acquire` throws. */
  get(wanted: TokenWanted<Refusal>): Acquired<Refusal> | Promise<Acquired<Refusal>>;
  forget(owner: string): void;
}

export interface KeptTokensOptions {
  readonly clock: Clock;
  /** Above it the oldest owner goes, which costs one request. Default 10,000. */
  readonly maxOwners?: number;
}

/** Azure advises half the life of a token that lives for hours: then an outage of Entra is felt by nobody. */
const longLifeSeconds = 7200;
const renewAheadSeconds = 300;
/** So short before its end a token is not sent out: it could expire on its way. */
const lastSeconds = 30;
/** A token that is refused although it is this new has another fault than its age, which asking again would not mend. */
const tooNewSeconds = 30;
/** An API that is content with none of so many answers to its demands, in that time, is not asked about again. */
const maxDemands = 4;
/** After a refusal without a `Retry-After`: an API that is called a thousand times a second asks Entra once. */
const holdSeconds = 5;

interface Entry<Refusal> {
  token?: KeptToken;
  acquiredAtSeconds: number;
  renewAtSeconds: number;
  refusal?: Refusal;
  notBeforeSeconds: number;
  /** What the token was made for, where its API asked for more; and how often that was lately. */
  demands: { readonly met?: string | undefined; readonly sinceSeconds: number; readonly count: number };
  /** By demand: who needs more than others does not share their answer. */
  readonly pending: Map<string | undefined, Promise<Acquired<Refusal>>>;
}

export function createKeptTokens<Refusal extends { readonly retryAfterSeconds?: number }>(
  options: KeptTokensOptions,
): KeptTokens<Refusal> {
  const { clock, maxOwners = 10_000 } = options;
  const owners = new Map<string, Map<string, Entry<Refusal>>>();

  function find({ owner, name }: TokenWanted<Refusal>): Entry<Refusal> {
    const own = owners.get(owner) ?? new Map<string, Entry<Refusal>>();
    owners.set(owner, own);
    const entry = own.get(name) ?? {
      acquiredAtSeconds: 0,
      renewAtSeconds: 0,
      notBeforeSeconds: 0,
      demands: { sinceSeconds: 0, count: 0 },
      pending: new Map(),
    };
    own.set(name, entry);
    for (const oldest of owners.keys()) {
      if (owners.size <= maxOwners) break;
      owners.delete(oldest);
    }
    return entry;
  }

  function note(entry: Entry<Refusal>, acquired: Acquired<Refusal>): Acquired<Refusal> {
    const now = nowSeconds(clock);
    if (acquired.ok) {
      const life = acquired.value.expiresAtSeconds - now;
      const ahead = life >= longLifeSeconds ? life / 2 : Math.min(renewAheadSeconds, life / 2);
      entry.token = acquired.value;
      entry.acquiredAtSeconds = now;
      entry.renewAtSeconds = acquired.value.expiresAtSeconds - ahead;
      delete entry.refusal;
    } else {
      entry.refusal = acquired.error;
      entry.notBeforeSeconds = now + (acquired.error.retryAfterSeconds ?? holdSeconds);
    }
    return acquired;
  }

  function start(
    entry: Entry<Refusal>,
    { acquire, demand }: TokenWanted<Refusal>,
  ): Promise<Acquired<Refusal>> {
    const { pending } = entry;
    const running =
      pending.get(demand) ??
      acquire()
        .then((acquired) => {
          if (acquired.ok) noteDemand(entry, demand);
          return note(entry, acquired);
        })
        .finally(() => pending.delete(demand));
    pending.set(demand, running);
    return running;
  }

  function noteDemand(entry: Entry<Refusal>, demand: string | undefined): void {
    const now = nowSeconds(clock);
    const { sinceSeconds, count } = entry.demands;
    const isNew = now - sinceSeconds >= tooNewSeconds;
    const added = demand === undefined ? 0 : 1;
    entry.demands = isNew
      ? { met: demand, sinceSeconds: now, count: added }
      : { met: demand, sinceSeconds, count: count + added };
  }

  /** An API that demands the same again of the very token that was made for it would have Entra asked at every call. */
  function isInsatiable({ demands }: Entry<Refusal>, demand: string, now: number): boolean {
    if (now - demands.sinceSeconds >= tooNewSeconds) return false;
    return demands.met === demand || demands.count >= maxDemands;
  }

  /** While the old one is still good, nobody waits for the next, and nobody hears that it could not be had. */
  function renewAhead(entry: Entry<Refusal>, wanted: TokenWanted<Refusal>, now: number): void {
    if (now < entry.renewAtSeconds || now < entry.notBeforeSeconds || entry.pending.size > 0) return;
    start(entry, { ...wanted, demand: undefined }).catch(() => {
      entry.notBeforeSeconds = now + holdSeconds;
    });
  }

  return {
    get(wanted) {
      const entry = find(wanted);
      const { token, refusal } = entry;
      const { rejected, demand } = wanted;
      const now = nowSeconds(clock);
      if (token !== undefined && now < token.expiresAtSeconds - lastSeconds) {
        const isRejected = rejected?.reveal() === token.accessToken.reveal();
        const isTooNew = now - entry.acquiredAtSeconds < tooNewSeconds;
        if (demand === undefined && !isRejected) renewAhead(entry, wanted, now);
        // Another caller may have met the demand meanwhile.
        const isOther = rejected !== undefined && !isRejected;
        if (demand === undefined ? !isRejected || isTooNew : isOther) return ok(token);
        if (demand !== undefined && isRejected && isInsatiable(entry, demand, now)) return ok(token);
      }
      const isHeld = demand === undefined && now < entry.notBeforeSeconds;
      return refusal !== undefined && isHeld ? err(refusal) : start(entry, wanted);
    },
    forget: (owner) => void owners.delete(owner),
  };
}
