import { type RandomBytes, randomId } from '@valetkey/core/base/random';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { Store } from '../store/collection.ts';
import type { EntraPerson, EntraRefusal } from './entra.ts';

export interface SingleFlightOptions {
  readonly store: Store;
  readonly random: RandomBytes;
}

type Renewal = Result<EntraPerson, EntraRefusal>;

/** Longer than an exchange with Entra may take. A replica that dies meanwhile holds the others up no longer. */
const turnSeconds = 15;
const pollMs = 50;
/** An answer is for those who waited for it, and they look every `pollMs`. */
const answerSeconds = 5;

/**
 * One renewal of a session at a time, over all replicas: two at once would each spend the refresh token of the other,
 * and Entra counts requests of one kind against the app (AADSTS90055, AADSTS50196).
 *
 * Who waited takes the answer of the one who asked; a refusal is shared by nobody, so that each hears Entra's own.
 */
export function createSingleFlight({ store, random }: SingleFlightOptions) {
  const turns = store.collection<{ readonly turn: string }>('entra.renewal');
  const answers = store.collection<EntraPerson>('entra.renewed');

  return async (sessionId: string, renew: () => Promise<Renewal>): Promise<Renewal> => {
    const turn = randomId(random, 9);
    const giveUpMs = Date.now() + turnSeconds * 1000;
    let hasWaited = false;
    while (!(await turns.create(sessionId, { turn }, { lifetimeSeconds: turnSeconds }))) {
      if (Date.now() > giveUpMs)
        return err({
          kind: 'unavailable',
          description: 'the same renewal is under way',
          retryAfterSeconds: 5,
        });
      hasWaited = true;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    try {
      const known = hasWaited ? await answers.get(sessionId) : undefined;
      if (known !== undefined) return ok(known);
      const renewed = await renew();
      if (renewed.ok) await answers.put(sessionId, renewed.value, { lifetimeSeconds: answerSeconds });
      // An earlier answer must not outlive a refusal.
      else await answers.delete(sessionId);
      return renewed;
    } finally {
      // Ours, unless it ran out and another replica has the turn now.
      if ((await turns.get(sessionId))?.turn === turn) await turns.delete(sessionId);
    }
  };
}
