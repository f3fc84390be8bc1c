import type { RandomBytes } from '@valetkey/core/base/random';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { Store } from '../store/collection.ts';
import { createTurns, type TurnRecord, type TurnsOptions } from '../store/turns.ts';
import type { EntraPerson, EntraRefusal } from './entra.ts';

export interface SingleFlightOptions extends Pick<TurnsOptions<never>, 'monotonicMs' | 'patienceMs'> {
  readonly store: Store;
  readonly random: RandomBytes;
}

type Renewal = Result<EntraPerson, EntraRefusal>;

/** Of a turn whose replica died and that nobody asked for since; far more than clocks of replicas may differ. */
const forgottenSeconds = 3600;
/** An answer is for those who waited for it, and they look many times a second. */
const answerSeconds = 5;

/**
 * One renewal of a session at a time, over all replicas: two at once would each spend the refresh token of the other,
 * and Entra counts requests of one kind against the app (AADSTS90055, AADSTS50196).
 *
 * Who waited takes the answer of the one who asked; a refusal is shared by nobody, so that each hears Entra's own.
 */
export function createSingleFlight({ store, random, ...options }: SingleFlightOptions) {
  const records = store.collection<TurnRecord<never>>('entra.renewal-turn');
  const answers = store.collection<EntraPerson>('entra.renewed');
  const turns = createTurns({ records, random, ...options });

  return async (sessionId: string, renew: () => Promise<Renewal>): Promise<Renewal> => {
    const turn = await turns.claim(sessionId, forgottenSeconds);
    if (turn?.kind !== 'ours') return err(isUnderWay);
    try {
      const known = turn.hasWaited ? await answers.get(sessionId) : undefined;
      if (known !== undefined) return ok(known);
      const renewed = await renew();
      if (renewed.ok) await answers.put(sessionId, renewed.value, { lifetimeSeconds: answerSeconds });
      // An earlier answer must not outlive a refusal.
      else await answers.delete(sessionId);
      return renewed;
    } finally {
      await turn.end();
    }
  };
}

const isUnderWay: EntraRefusal = {
  kind: 'unavailable',
  description: 'the same renewal is under way',
  retryAfterSeconds: 5,
};
