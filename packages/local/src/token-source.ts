/** How a token comes about: from the cache, renewed, or after a prompt. */
import type { AccountInfo, AuthenticationResult } from '@azure/msal-node';
import { findAccount, mustChoose } from './accounts.ts';
import { askPerson } from './ask-person.ts';
import type { SessionCache } from './cache/session-cache.ts';
import type { SessionFile } from './cache/session-file.ts';
import { describeFailure, failureFrom, findNeed } from './entra-failure.ts';
import { type BrokerPlugin, brokerRedirectUri } from './methods/broker.ts';
import { orAborted } from './methods/prompt.ts';
import { createMsalClient } from './msal-client.ts';
import type { Settings } from './options.ts';
import { createSharedPrompt, type Work } from './shared-prompt.ts';
import { cancelled } from './sign-in-failed.ts';
import type { Surroundings } from './surroundings.ts';

export interface TokenOptions {
  /** A claims challenge, as JSON text: `GraphRefusal.claims`, or what an API sent. */
  readonly claims?: string | undefined;
  /** Ends this call's wait; the prompt goes on while another call waits for it. */
  readonly signal?: AbortSignal | undefined;
  /** Default true. False: rather fail with `needs-person` than ask. */
  readonly isInteractive?: boolean;
  /** Do not use what is cached: the API refused it. */
  readonly forceRefresh?: boolean;
  /** Default `wait`. `interrupt`: reject with SignInPending as soon as a device code is open; see `withSignIn`. */
  readonly onDeviceCode?: 'wait' | 'interrupt';
}

export interface TokenSource {
  /** @throws SignInFailed; SignInPending where that was asked for. */
  acquire(scopes: readonly string[], options: TokenOptions): Promise<AuthenticationResult>;
  /** Lets the person choose an account, in a prompt. @throws as `acquire` */
  acquireForChosen(scopes: readonly string[], options: TokenOptions): Promise<AuthenticationResult>;
  listAccounts(): Promise<{ readonly all: readonly AccountInfo[]; readonly chosen: string | undefined }>;
  forget(account: AccountInfo): Promise<void>;
  cancelPrompt(): void;
}

export interface TokenSourceOptions {
  readonly settings: Settings;
  readonly surroundings: Surroundings;
  readonly file: SessionFile;
  readonly cache: SessionCache;
  readonly log: (line: string) => void;
}

interface Need {
  readonly claims: string | undefined;
  readonly loginHint: string | undefined;
  readonly choosesAccount: boolean;
}
type Silent = { readonly result: AuthenticationResult } | { readonly need: Need };

export function createTokenSource(parts: TokenSourceOptions): TokenSource {
  const { settings } = parts;
  const clients = createClients(parts);
  const silently = shareByKey((scopes, options) => trySilently(parts, clients, scopes, options));
  const prompt = createSharedPrompt<AuthenticationResult>(settings.timeoutSeconds * 1000);

  async function acquireLoop(
    scopes: readonly string[],
    options: TokenOptions,
  ): Promise<AuthenticationResult> {
    const key = keyOf(scopes, { claims: options.claims });
    for (;;) {
      const found = await orAborted(silently(scopes, options), options.signal);
      if ('result' in found) return found.result;
      if (options.isInteractive === false) throw describeFailure('needs-person');
      const work = createPromptWork(parts, clients, { scopes, options, need: found.need });
      const done = await prompt.join(key, work, joinOptions(options));
      if (done.key === key) return done.value;
      // It was another call's, for other scopes: what it brought may serve for ours.
    }
  }

  return {
    cancelPrompt: prompt.cancel,
    acquire: (scopes, options) => orCancelled(acquireLoop(scopes, options), options.signal),
    async acquireForChosen(scopes, options) {
      const need = { claims: options.claims, loginHint: undefined, choosesAccount: true };
      const work = createPromptWork(parts, clients, { scopes, options, need, isAlways: true });
      const done = await orCancelled(prompt.join('switch', work, joinOptions(options)), options.signal);
      return done.value;
    },
    listAccounts: () => listAccounts(parts, clients),
    async forget(account) {
      const { app } = clients.create(await clients.findBroker());
      await app.signOut({ account });
    },
  };
}

interface Clients {
  /** @param broker only where that is the way */
  create(broker?: BrokerPlugin): ReturnType<typeof createMsalClient>;
  findBroker(): Promise<BrokerPlugin | undefined>;
}

function createClients({ settings, surroundings, cache }: TokenSourceOptions): Clients {
  const isWanted = settings.way === 'auto' || settings.way === 'broker';
  const loaded: { broker?: Promise<BrokerPlugin | undefined> } = {};
  return {
    create: (broker) =>
      createMsalClient({ settings, fetch: surroundings.fetch, plugin: cache.plugin, broker }),
    findBroker() {
      loaded.broker ??= isWanted ? surroundings.loadBroker() : Promise.resolve(undefined);
      return loaded.broker;
    },
  };
}

async function listAccounts({ settings, cache }: TokenSourceOptions, clients: Clients) {
  const { app } = clients.create(await clients.findBroker());
  const all = await app.getAllAccounts();
  const own = all.filter(({ tenantId }) => tenantId === settings.tenant);
  return { all: own, chosen: await cache.findChosen() };
}

async function trySilently(
  parts: TokenSourceOptions,
  clients: Clients,
  scopes: readonly string[],
  { claims, forceRefresh = false }: TokenOptions,
): Promise<Silent> {
  const { settings, surroundings } = parts;
  const { all, chosen } = await listAccounts(parts, clients);
  const account = findAccount(all, chosen);
  const choosesAccount = chosen === mustChoose || all.length > 1;
  if (account === undefined) return { need: { claims, loginHint: undefined, choosesAccount } };
  const broker = await clients.findBroker();
  const client = clients.create(broker);
  try {
    const result = await client.app.acquireTokenSilent({
      account,
      scopes: [...scopes],
      forceRefresh,
      ...(claims === undefined ? {} : { claims }),
      ...(broker === undefined
        ? {}
        : { redirectUri: brokerRedirectUri(surroundings.machine.platform, settings.clientId) }),
    });
    return { result };
  } catch (error) {
    const need = findNeed(error, client.last());
    if (need === undefined) throw failureFrom(error, client.last());
    const loginHint = account.username === '' ? undefined : account.username;
    return { need: { claims: need.claims ?? claims, loginHint, choosesAccount: false } };
  }
}

interface Asked {
  readonly scopes: readonly string[];
  readonly options: TokenOptions;
  readonly need: Need;
  /** Ask also when another process brought a session meanwhile. */
  readonly isAlways?: boolean;
}

/** The prompt itself, behind those of other processes; what they brought may be enough. */
function createPromptWork(
  parts: TokenSourceOptions,
  clients: Clients,
  { scopes, options, need, isAlways = false }: Asked,
): Work<AuthenticationResult> {
  const { file, cache, settings, surroundings, log } = parts;
  return async (signal, announce) => {
    const held = await file.lockPrompt(settings.timeoutSeconds * 1000, signal);
    if (held === undefined) throw describeFailure('timed-out');
    try {
      const mayBeThere = held.hadToWait && !isAlways;
      const brought = mayBeThere ? await trySilently(parts, clients, scopes, options) : { need };
      if ('result' in brought) return brought.result;
      await file.prepare();
      const broker = await clients.findBroker();
      const result = await askPerson(
        { settings, surroundings, log, broker, createClient: clients.create, announce },
        { scopes, ...brought.need, signal },
      );
      if (result.account?.tenantId !== settings.tenant) throw describeFailure('invalid');
      await cache.choose(result.account.homeAccountId);
      log('Signed in.');
      return result;
    } finally {
      await held.release();
    }
  };
}

const joinOptions = ({ signal, onDeviceCode }: TokenOptions) => ({
  signal,
  interruptsForDeviceCode: onDeviceCode === 'interrupt',
});

/** Many calls at once ask Entra once. */
function shareByKey(run: (scopes: readonly string[], options: TokenOptions) => Promise<Silent>) {
  const running = new Map<string, Promise<Silent>>();
  return (scopes: readonly string[], options: TokenOptions): Promise<Silent> => {
    const key = keyOf(scopes, options);
    const shared = running.get(key) ?? run(scopes, options).finally(() => running.delete(key));
    running.set(key, shared);
    return shared;
  };
}

function keyOf(scopes: readonly string[], { claims, forceRefresh = false }: TokenOptions): string {
  return JSON.stringify([scopes.toSorted(), claims ?? null, forceRefresh]);
}

/** A caller that gave up is told so, whatever its signal's own reason is. */
async function orCancelled<Value>(work: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  try {
    return await work;
  } catch (error) {
    if (signal?.aborted === true) throw cancelled();
    throw error;
  }
}
