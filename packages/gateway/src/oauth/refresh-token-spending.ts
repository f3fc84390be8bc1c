/**
 * Who may spend a refresh token, and what a spent one means, while several replicas may be at the same refresh.
 *
 * A replica that stood still in the middle of a refresh has lost its turn to another one without knowing it. Its token
 * must not be spent a second time, and that it finds the token spent is no replay, which would end the session. So a
 * refresh token carries the name of the turn that has it (`turn`): written when it is spent, and when a turn is taken
 * over. Who finds another name there asks whether the turn is still its own before it does or judges anything.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { AdapterPayload } from 'oidc-provider';
import { type Clock, nowSeconds } from '@valetkey/core/base/clock';
import type { Collection, Store } from '../store/collection.ts';
import type { Turn } from '../store/turns.ts';

type RefreshTurn = Pick<Turn<unknown>, 'name' | 'before' | 'isStillOurs'>;

interface SpendablePayload extends AdapterPayload {
  readonly turn?: string;
}

const current = new AsyncLocalStorage<RefreshTurn>();

/** For all that oidc-provider does in `work`: it calls the adapter and passes nothing on. */
export function inTurn<Value>(turn: RefreshTurn, work: () => Promise<Value>): Promise<Value> {
  return current.run(turn, work);
}

/** `lost`: the turn is another replica's; neither spend nor judge. `spent`: a replay. */
export type SpendingOutcome = 'done' | 'spent' | 'lost' | 'unknown';

export interface Spending {
  /** Whether the token, found spent, was spent by whoever has this request's turn now, and not in a replay. */
  isLost(payload: SpendablePayload): Promise<boolean>;
  spend(id: string): Promise<SpendingOutcome>;
}

/** For codes too: no turn is ever named in them. */
export function createSpending(tokens: Collection<SpendablePayload>, clock: Clock): Spending {
  async function isLost(payload: SpendablePayload): Promise<boolean> {
    const turn = current.getStore();
    if (turn === undefined || payload.turn === turn.name) return false;
    return !(await turn.isStillOurs());
  }

  return {
    isLost,
    async spend(id) {
      const name = current.getStore()?.name;
      const spent = nameTurn(name);
      for (;;) {
        const found = await tokens.get(id);
        if (found === undefined) return 'unknown';
        // The turn that is named there may have been given back; or it is the one that ours was taken over by.
        if ((found.consumed !== undefined || found.turn !== undefined) && (await isLost(found)))
          return 'lost';
        if (found.consumed !== undefined) return name !== undefined && found.turn === name ? 'done' : 'spent';
        const isAsFound = (now: SpendablePayload) => now.consumed === undefined && now.turn === found.turn;
        const written = await tokens.update(id, (now) =>
          isAsFound(now) ? { ...now, ...spent, consumed: nowSeconds(clock) } : undefined,
        );
        if (written !== undefined) return 'done';
      }
    },
  };
}

/**
 * What a turn does first that was taken over: it names itself, so that the one that was silent can spend nothing any more,
 * and makes good what that one spent. Nobody has got an answer: it would be in the turn.
 *
 * @throws StoreUnavailable
 */
export async function takeOverRefreshToken(store: Store, id: string, turn: RefreshTurn): Promise<void> {
  await refreshTokens(store).update(id, ({ consumed, ...unspent }) => {
    const isHalfDone = unspent.turn !== undefined && turn.before.includes(unspent.turn);
    const isSpent = consumed !== undefined && !isHalfDone;
    return isSpent ? undefined : { ...unspent, turn: turn.name };
  });
}

/**
 * Makes good again what this turn has spent, since its refresh broke off: the client, told to come again, must find it so.
 *
 * @throws StoreUnavailable
 */
export async function unspendRefreshToken(store: Store, id: string, turn: RefreshTurn): Promise<void> {
  await refreshTokens(store).update(id, ({ consumed, ...unspent }) =>
    consumed === undefined || unspent.turn !== turn.name ? undefined : unspent,
  );
}

function nameTurn(name: string | undefined): Pick<SpendablePayload, 'turn'> {
  return name === undefined ? {} : { turn: name };
}

function refreshTokens(store: Store): Collection<SpendablePayload> {
  return store.collection<SpendablePayload>('oauth.refresh-token');
}
