/** What Entra wants beyond an ordinary sign-in, kept from the call that needed it to the sign-in that brings it. */
import { type RandomBytes, randomId } from '@valetkey/core/base/random';
import type { Store } from '../store/collection.ts';

/** More than the last sign-in brought. */
export interface StepUp {
  /** Scopes of Entra's that the person has not consented to yet: `Mail.Read`. */
  readonly scopes: readonly string[];
  /** A claims challenge, JSON text: a second factor, a newer sign-in (Entra: Conditional Access, CAE). */
  readonly claims?: string;
}

export interface DemandedStepUp extends StepUp {
  /** New with every demand, so that a sign-in that began earlier does not count as its answer. */
  readonly id: string;
}

/** Whose next sign-in it is about. */
export interface StepUpKey {
  /** `personId`. */
  readonly person: string;
  readonly clientId: string;
}

export interface StepUps {
  /** Remembers it beside what was demanded before: scopes are joined, the newest claims count. */
  demand(key: StepUpKey, stepUp: StepUp): Promise<void>;
  find(key: StepUpKey): Promise<DemandedStepUp | undefined>;
  /** It was asked of Entra. What has been demanded since stays. */
  settle(key: StepUpKey, id: string): Promise<void>;
}

/** A person who does not come back within it finds the API asking again. */
const lifetimeSeconds = 3600;

export function createStepUps({
  store,
  random,
}: {
  readonly store: Store;
  readonly random: RandomBytes;
}): StepUps {
  const demands = store.collection<DemandedStepUp>('session.step-up');

  return {
    async demand(key, stepUp) {
      const id = randomId(random, 9);
      const write = { lifetimeSeconds };
      // Of two at once the second joins what the first wrote.
      if (await demands.create(recordId(key), { id, ...stepUp }, write)) return;
      const joined = await demands.update(recordId(key), (earlier) => ({ ...join(earlier, stepUp), id }));
      if (joined === undefined) await demands.put(recordId(key), { id, ...stepUp }, write);
    },

    find: (key) => demands.get(recordId(key)),

    async settle(key, id) {
      const now = await demands.get(recordId(key));
      if (now?.id === id) await demands.delete(recordId(key));
    },
  };
}

function join(earlier: StepUp, later: StepUp): StepUp {
  return { ...earlier, ...later, scopes: [...new Set([...earlier.scopes, ...later.scopes])] };
}

/** JSON of the list, as in `consents.ts`. */
function recordId({ person, clientId }: StepUpKey): string {
  return JSON.stringify([person, clientId]);
}
