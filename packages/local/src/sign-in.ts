/**
 * Room `local`: signs the person of this machine in for a stdio MCP server, and gives tokens. Knows MSAL, the keychain
 * and the browser; knows no MCP beyond the shape of an elicitation, and writes nothing to stdout.
 */
import type { AuthenticationResult } from '@azure/msal-node';
import { Secret } from '@valetkey/core/base/secret';
import { type Account, describeAccount, findAccount, mustChoose } from './accounts.ts';
import { createSessionCache } from './cache/session-cache.ts';
import { describeFailure } from './entra-failure.ts';
import { openKeptSession } from './kept-session.ts';
import { checkOptions, type SignInOptions } from './options.ts';
import { parsePerson, type SignedInPerson } from './person.ts';
import { createSurroundings, type Surroundings } from './surroundings.ts';
import { createTokenSource, type TokenOptions } from './token-source.ts';

export interface AccessToken {
  readonly token: Secret;
  readonly expiresAtSeconds: number;
  readonly scopes: readonly string[];
  /** `<tenant id>.<object id>`: whose it is. */
  readonly person: string;
}

export interface SignIn {
  /**
   * A token of the signed-in person: from the cache, renewed, or after one prompt that all calls share (A4, A5, A8).
   *
   * @param scopes of one API: `['User.Read']`, `['api://…/scope']`.
   * @throws SignInFailed; SignInPending where that was asked for.
   */
  getToken(scopes: readonly string[], options?: TokenOptions): Promise<AccessToken>;
  /** Who is signed in, signing in where nobody is. Not older than its id token lives (an hour). @throws as `getToken` */
  getPerson(options?: TokenOptions): Promise<SignedInPerson>;
  /** Who is known here. */
  accounts(): Promise<readonly Account[]>;
  /** Uses that account from now on; without an id the person chooses, in a prompt. @throws RangeError, SignInFailed */
  switchAccount(homeAccountId?: string, options?: TokenOptions): Promise<Account>;
  /** Forgets one account, or all. The next sign-in asks which one. */
  signOut(homeAccountId?: string): Promise<void>;
  /** Ends the prompt that is open, for everybody who waits. */
  cancelPrompt(): void;
  /** Origin of Graph in this cloud. */
  readonly graphHost: string;
}

const identityScopes = ['openid', 'profile'];
/** An id token that ends within this is asked for anew. */
const personMarginSeconds = 60;

/**
 * Sets sign-in up; nobody is asked for anything before the first token is wanted.
 *
 * @param given for tests, and for a keychain or a browser of one's own.
 * @throws ConfigurationFault naming everything that is missing or wrong (A2, D7).
 */
export function signIn(options: SignInOptions, given: Partial<Surroundings> = {}): SignIn {
  const settings = checkOptions(options);
  const log = options.log ?? ((line: string) => void process.stderr.write(`valetkey: ${line}\n`));
  const surroundings = createSurroundings(given);
  const file = openKeptSession(settings, surroundings, log);
  const cache = createSessionCache(file);
  const source = createTokenSource({ settings, surroundings, file, cache, log });

  return {
    graphHost: settings.graphHost,
    cancelPrompt: source.cancelPrompt,
    getToken: async (scopes, wanted = {}) => describeToken(await source.acquire(scopes, wanted)),
    async getPerson(wanted = {}) {
      const kept = await source.acquire(identityScopes, wanted);
      const known = parsePerson(kept.idTokenClaims, settings);
      const leftSeconds = known.ok ? known.value.expiresAtSeconds - surroundings.nowMs() / 1000 : 0;
      if (known.ok && leftSeconds > personMarginSeconds) return known.value;
      const renewed = await source.acquire(identityScopes, { ...wanted, forceRefresh: true });
      const person = parsePerson(renewed.idTokenClaims, settings);
      if (!person.ok) throw describeFailure('invalid');
      return person.value;
    },
    async accounts() {
      const { all, chosen } = await source.listAccounts();
      const inUse = findAccount(all, chosen)?.homeAccountId;
      return all.map((account) => describeAccount(account, inUse));
    },
    async switchAccount(homeAccountId, wanted = {}) {
      if (homeAccountId === undefined) {
        const { account } = await source.acquireForChosen(identityScopes, wanted);
        if (account === null) throw describeFailure('invalid');
        return describeAccount(account, account.homeAccountId);
      }
      const { all } = await source.listAccounts();
      const found = all.find((account) => account.homeAccountId === homeAccountId);
      if (found === undefined) throw new RangeError('nobody of that account id is signed in here');
      await cache.choose(homeAccountId);
      return describeAccount(found, homeAccountId);
    },
    async signOut(homeAccountId) {
      const { all } = await source.listAccounts();
      const leaving = all.filter((one) => homeAccountId === undefined || one.homeAccountId === homeAccountId);
      for (const account of leaving) await source.forget(account);
      await cache.choose(mustChoose);
      log('Signed out.');
    },
  };
}

function describeToken({ accessToken, expiresOn, scopes, account }: AuthenticationResult): AccessToken {
  if (account === null || accessToken === '') throw describeFailure('invalid');
  return {
    token: new Secret(accessToken),
    expiresAtSeconds: Math.floor((expiresOn?.getTime() ?? 0) / 1000),
    scopes,
    person: `${account.tenantId}.${account.localAccountId}`,
  };
}
