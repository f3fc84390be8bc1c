import { randomBytes } from 'node:crypto';
import type { RandomBytes } from '@valetkey/core/base/random';
import { createSystemKeychain, type Keychain } from './cache/keychain.ts';
import { isContainer, type Machine } from './find-way.ts';
import { type LoadBroker, loadBroker } from './methods/broker.ts';
import { type OpenBrowser, openBrowser } from './open-browser.ts';

/** Everything outside: replaced by tests, and by who brings a keychain or a browser of their own. */
export interface Surroundings {
  readonly fetch: typeof fetch;
  readonly nowMs: () => number;
  readonly random: RandomBytes;
  readonly machine: Machine;
  readonly keychain: Keychain;
  readonly openBrowser: OpenBrowser;
  readonly loadBroker: LoadBroker;
}

export function createSurroundings(given: Partial<Surroundings> = {}): Surroundings {
  return {
    fetch: (...request) => fetch(...request),
    nowMs: Date.now,
    random: (size) => randomBytes(size),
    machine: { platform: process.platform, env: process.env, isContainer: () => isContainer(process.env) },
    keychain: createSystemKeychain(),
    openBrowser,
    loadBroker,
    ...given,
  };
}
