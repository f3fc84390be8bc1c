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
/** Whoever waited for an answer looks many times a second. */
const answerSeconds = 5;

/** Taken by those only who waited for it: to others it is old, by whatever clock. */
interface RenewalAnswer {
  /** The holder of the turn in which Entra was asked. */
  readonly by: string;
  readonly person: EntraPerson;
}

/**
 * One renewal of a session at a time, over all replicas: two at once would each spend the refresh token of the other,
 * and Entra counts requests of one kind against the app (AADSTS90055, AADSTS50196).
 *
 * Who waited takes the answer of the one who asked; a refusal is shared by nobody, so that each hears Entra's own.
 */
export function createSingleFlight({ store, random, ...options }: SingleFlightOptions) {
  const records = store.collection<TurnRecord<never>>('entra.renewal-turn');
  const answers = store.collection<RenewalAnswer>('entra.renewed');
  const turns = createTurns({ records, random, ...options });

  return async (sessionId: string, renew: () => Promise<Renewal>): Promise<Renewal> => {
    const turn = await turns.claim(sessionId, forgottenSeconds);
    if (turn?.kind !== 'ours') return err(isUnderWay);
    try {
      const known = turn.waitedFor.length === 0 ? undefined : await answers.get(sessionId);
      if (known !== undefined && turn.waitedFor.includes(known.by)) return ok(known.person);
      const renewed = await renew();
      const lifetimeSeconds = answerSeconds;
      if (renewed.ok)
        await answers.put(sessionId, { by: turn.name, person: renewed.value }, { lifetimeSeconds });
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
