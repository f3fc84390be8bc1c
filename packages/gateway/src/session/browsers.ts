/** Who last signed in with this browser: a hint for the next sign-in, never a proof of who is there. */
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import type { RandomBytes } from '@valetkey/core/base/random';
import { randomId } from '@valetkey/core/base/random';
import type { Store } from '../store/collection.ts';

export interface Browsers {
  /** `personId` of who last signed in here; undefined for an id that is unknown, expired or made up. */
  find(browserId: string | undefined): Promise<string | undefined>;
  /**
   * Call after a completed sign-in.
   *
   * The answer is always a new id and the presented one ends. Were any presented id kept, even one that we
   * issued, whoever planted theirs in a victim's browser would be taken for the victim afterwards (session
   * fixation).
   *
   * @param presentedId what the cookie said, if anything.
   * @returns the id to set as the cookie.
   */
  remember(presentedId: string | undefined, person: string): Promise<string>;
  /** Forgets a person in all browsers. */
  forgetPerson(person: string): Promise<void>;
}

/** Also the `Max-Age` of the cookie. */
export const BROWSER_LIFETIME_SECONDS = 90 * 24 * 3600;

interface Browser {
  readonly person: string;
  readonly expiresAtSeconds: number;
}

export interface BrowsersOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

export function createBrowsers({ store, clock, random }: BrowsersOptions): Browsers {
  const browsers = store.collection<Browser>('session.browser');

  return {
    async find(browserId) {
      if (browserId === undefined || browserId === '') return undefined;
      const browser = await browsers.get(browserId);
      if (browser === undefined || browser.expiresAtSeconds <= nowSeconds(clock)) return undefined;
      return browser.person;
    },

    async remember(presentedId, person) {
      const id = randomId(random);
      const expiresAtSeconds = nowSeconds(clock) + BROWSER_LIFETIME_SECONDS;
      await browsers.put(
        id,
        { person, expiresAtSeconds },
        { lifetimeSeconds: BROWSER_LIFETIME_SECONDS, groups: [person] },
      );
      if (presentedId !== undefined && presentedId !== '') await browsers.delete(presentedId);
      return id;
    },

    async forgetPerson(person) {
      await browsers.deleteGroup(person);
    },
  };
}
