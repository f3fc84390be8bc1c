/**
 * Who may spend a refresh token, and what a spent one means, while several replicas may be at the same refresh.
 *
 * A replica that stood still in the middle of a refresh has lost its turn to another one without knowing it. Its token
 * must not be spent a second time, and that it finds the token spent is no replay, which would end the session. So a
 * refresh token carries the name of the turn that has it: written when it is spent, and when a turn is taken over. Who
 * finds another name there asks what became of that turn before it does or judges anything.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { AdapterPayload } from 'oidc-provider';
import { type Clock, nowSeconds } from '@valetkey/core/base/clock';
import type { Collection, Store } from '../store/collection.ts';
import type { Claim, Turn } from '../store/turns.ts';

/** The turn of the request that is under way. */
export interface RefreshTurn extends Pick<Turn<unknown>, 'name' | 'before' | 'isStillOurs'> {
  /** By which all replicas know the request. */
  readonly id: string;
  /** The turn of another request, once it is silent or over. @returns undefined while somebody is at it. */
  claimOther(id: string): Promise<Claim<unknown> | undefined>;
}

interface SpendablePayload extends AdapterPayload {
  readonly turn?: Pick<RefreshTurn, 'id' | 'name'>;
}

const current = new AsyncLocalStorage<RefreshTurn>();

/** For all that oidc-provider does in `work`: it calls the adapter and passes nothing on. */
export function inTurn<Value>(turn: RefreshTurn, work: () => Promise<Value>): Promise<Value> {
  return current.run(turn, work);
}

/** `lost`: the turn is another replica's; neither spend nor judge. `spent`: a replay. */
export type SpendingOutcome = 'done' | 'spent' | 'lost' | 'unknown';

export interface Spending {
  /**
   * What a token that was found spent is to this request.
   * @returns the token as it is to be judged: spent in a replay, or unspent again since nobody got an answer for it;
   *   undefined: it cannot be judged here and now.
   */
  examine(id: string, spent: SpendablePayload): Promise<SpendablePayload | undefined>;
  spend(id: string): Promise<SpendingOutcome>;
}

/** For codes too: no turn is ever named in them. */
export function createSpending(tokens: Collection<SpendablePayload>, clock: Clock): Spending {
  async function isLost({ turn: named }: SpendablePayload): Promise<boolean> {
    const turn = current.getStore();
    if (turn === undefined || named?.name === turn.name) return false;
    return !(await turn.isStillOurs());
  }

  return {
    async examine(id, spent) {
      const turn = current.getStore();
      if (turn === undefined) return spent;
      if (await isLost(spent)) return undefined;
      // What this very request has spent and not answered was made good when its turn was taken over.
      if (spent.turn === undefined || spent.turn.id === turn.id) return spent;
      const other = await turn.claimOther(spent.turn.id);
      if (other === undefined) return undefined;
      if (other.kind === 'settled') return spent;
      try {
        await makeGood(tokens, id, { ...turn, before: other.before });
      } catch (fault) {
        other.abandon();
        throw fault;
      }
      await other.end();
      return tokens.get(id);
    },

    async spend(id) {
      const turn = current.getStore();
      const name = turn === undefined ? {} : { turn: { id: turn.id, name: turn.name } };
      for (;;) {
        const found = await tokens.get(id);
        if (found === undefined) return 'unknown';
        // The turn that is named there may have been given back; or it is the one that ours was taken over by.
        if ((found.consumed !== undefined || found.turn !== undefined) && (await isLost(found)))
          return 'lost';
        if (found.consumed !== undefined)
          return turn !== undefined && found.turn?.name === turn.name ? 'done' : 'spent';
        const written = await tokens.update(id, (now) =>
          now.consumed === undefined && now.turn?.name === found.turn?.name
            ? { ...now, ...name, consumed: nowSeconds(clock) }
            : undefined,
        );
        if (written !== undefined) return 'done';
      }
    },
  };
}

/**
 * Makes good again what this turn has spent, or one that it was taken over from: nobody has got an answer, which would be
 * in the turn. For a turn that was taken over, before it does anything, and for one whose refresh broke off: the client,
 * told to come again, must find its token good.
 *
 * The token is written anew in any case, and with the name of this turn. So whoever had the turn before can spend it no
 * more; and a change that was sent to the store and not answered in time, by anybody, cannot take effect afterwards: each
 * is made only to the bytes that it saw.
 *
 * @throws StoreUnavailable, and the turn must not be ended: the next one has to do the same.
 */
export async function makeRefreshTokenGood(store: Store, id: string, turn: TurnOfToken): Promise<void> {
  await makeGood(store.collection<SpendablePayload>('oauth.refresh-token'), id, turn);
}

type TurnOfToken = Pick<RefreshTurn, 'id' | 'name' | 'before'>;

async function makeGood(
  tokens: Collection<SpendablePayload>,
  tokenId: string,
  { id, name, before }: TurnOfToken,
): Promise<void> {
  await tokens.update(tokenId, ({ consumed, ...unspent }) => {
    const spender = unspent.turn?.name;
    const isOurs = spender !== undefined && (spender === name || before.includes(spender));
    return consumed !== undefined && !isOurs ? undefined : { ...unspent, turn: { id, name } };
  });
}
