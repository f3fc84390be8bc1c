/**
 * What an operator does from the command line, beside a running gateway: who is signed in, ending sessions, taking
 * consents back, looking after the keys. It works on the store; the replicas learn of it by their feed.
 */
import { randomId } from '@valetkey/core/base/random';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { findSignInId } from '@valetkey/core/base/sign-in-id';
import type { KeyRing } from '@valetkey/core/crypto/key-ring';
import type { KnownTools } from '@valetkey/core/policy/decide';
import { personId } from '@valetkey/core/policy/principal';
import { openAudit } from './audit/audit.ts';
import { type AuditEvent, AuditUnavailable } from './audit/event.ts';
import type { AnyBackendConfig, Config } from './config/config.ts';
import { createToolAnnotations, serverOf } from './enforce/tool-annotations.ts';
import { openKeySource } from './keys/open-keys.ts';
import { type KeyReport, pruneKeys, reportKeys, stageNewKeys, useNewKeys } from './keys/rotation.ts';
import { createConsents } from './session/consents.ts';
import type { Consent, Session } from './session/session.ts';
import { createSessions } from './session/sessions.ts';
import { checkKeyRing } from './store/key-check.ts';
import type { KeyFault } from './store/key-file.ts';
import type { Driver } from './store/driver.ts';
import { openDriver } from './store/open-store.ts';
import { createStore } from './store/sealed.ts';
import type { World } from './world.ts';

export type { Session } from './session/session.ts';

/** Each that is given must fit. A person is an object id, `tenant.object`, or a user name as they signed in. */
export interface Choice {
  readonly person?: string;
  readonly client?: string;
  /** Its id, or the `signInId` that the audit records of its sign-in bear. */
  readonly session?: string;
}

export interface Administration {
  readonly sessions: {
    list(choice: Choice): Promise<Session[]>;
    /** Ends them, and forgets the Entra tokens behind them. Each is audited. @returns those that were ended. */
    revoke(choice: Choice): Promise<Session[]>;
  };
  readonly consents: {
    list(choice: Omit<Choice, 'session'>): Promise<Consent[]>;
    revoke(choice: Omit<Choice, 'session'>): Promise<Consent[]>;
  };
  readonly keys: {
    list(): Promise<Result<KeyReport[], KeyFault>>;
    /** Step one: new keys that nothing uses yet. */
    stage(): Promise<Result<string, KeyFault>>;
    /** Step two, when every replica knows them. */
    use(): Promise<Result<string, KeyFault>>;
    /** Removes keys that seal nothing any more. */
    prune(): Promise<Result<string[], KeyFault>>;
  };
  /** What the gateways have heard a backend say of its tools. */
  findKnownTools(backend: AnyBackendConfig): Promise<KnownTools>;
  close(): Promise<void>;
}

/** The store as it lies there, for commands that move what is in it. */
export interface SealedStore {
  readonly driver: Driver;
  readonly keyRing: KeyRing;
  close(): Promise<void>;
}

/**
 * @returns a fault when the keys cannot be had.
 * @throws StoreUnavailable
 */
export async function openSealedStore(config: Config, world: World): Promise<Result<SealedStore, KeyFault>> {
  const source = openKeySource(config, world);
  try {
    const loaded = await source.load();
    if (!loaded.ok) return loaded;
    const driver = await openDriver(config.store, world.clock, world.log);
    return ok({ driver, keyRing: loaded.value.ring, close: () => driver.close() });
  } finally {
    await source.close();
  }
}

/**
 * @returns a fault when the keys do not open this store.
 * @throws StoreUnavailable
 */
export async function openAdministration(
  config: Config,
  world: World,
): Promise<Result<Administration, KeyFault>> {
  const { clock, random, log } = world;
  const source = openKeySource(config, world);
  const loaded = await source.load();
  if (!loaded.ok) return loaded;
  const keyRing = loaded.value.ring;
  const driver = await openDriver(config.store, clock, log);
  const store = createStore({ driver, keyRing, random, clock });
  const checked = await checkKeyRing(store);
  if (!checked.ok) {
    await store.close();
    return err(checked.error);
  }
  const { lifetimes } = config;
  const sessions = await createSessions({
    store,
    clock,
    random,
    accessTokenSeconds: lifetimes.accessTokenSeconds,
    sessionSeconds: lifetimes.sessionSeconds,
  });
  const consents = createConsents({ store, clock, lifetimes });
  const entraTokens = store.collection<unknown>('entra.tokens');
  // Standard output is the command's own.
  const audit = openAudit({ ...config.audit, stdout: false }, world);
  const rotation = { source, random, clock };

  /** By setting, nothing is done that cannot be recorded. @throws AuditUnavailable */
  async function checkAudit(): Promise<void> {
    if (config.audit.onOverflow !== 'refuse' || (await audit.isWritable())) return;
    throw new AuditUnavailable('the audit cannot be written');
  }

  function recordOfConsent({ person, clientId }: Consent): AuditEvent {
    const [tenantId = '', objectId = ''] = person.split('.');
    const correlationId = randomId(random, 16);
    const about = { tenantId, objectId, clientId, correlationId };
    return { event: 'consent.revoke', outcome: 'success', reason: 'operator', ...about };
  }

  const listSessions = async (choice: Choice) =>
    (await sessions.listAll()).filter((session) => isChosen(session, choice));
  const listConsents = async (choice: Choice) => {
    const chosen = await personsOf(choice);
    return (await consents.listAll()).filter(
      ({ person, clientId }) =>
        (choice.person === undefined || chosen.has(person)) &&
        (choice.client === undefined || clientId === choice.client),
    );
  };

  /** Consents know ids only; a user name is found among the sessions. */
  async function personsOf({ person }: Choice): Promise<Set<string>> {
    if (person === undefined) return new Set();
    const known = (await sessions.listAll()).filter((session) => isChosen(session, { person })).map(personId);
    const all = (await consents.listAll()).map((consent) => consent.person);
    return new Set([...known, ...all.filter((id) => id === person || id.endsWith(`.${person}`))]);
  }

  return ok({
    sessions: {
      list: listSessions,
      async revoke(choice) {
        const chosen = await listSessions(choice);
        await checkAudit();
        for (const session of chosen) {
          await sessions.revoke(session.id);
          await entraTokens.delete(session.id);
          audit.record({
            event: 'session.revoke',
            outcome: 'success',
            reason: 'operator',
            correlationId: randomId(random, 16),
            tenantId: session.tenantId,
            objectId: session.objectId,
            clientId: session.clientId,
            sessionId: session.id,
          });
        }
        return chosen;
      },
    },
    consents: {
      list: listConsents,
      async revoke(choice) {
        const chosen = await listConsents(choice);
        await checkAudit();
        for (const consent of chosen) {
          await consents.revoke(consent);
          audit.record(recordOfConsent(consent));
        }
        return chosen;
      },
    },
    keys: {
      list: () => reportKeys(source, driver),
      stage: () => stageNewKeys(rotation),
      use: () => useNewKeys(rotation),
      prune: () =>
        pruneKeys({
          ...rotation,
          driver,
          // The longest of what a key seals outside the store: an access token, or the cookie of a sign-in.
          waitSeconds: Math.max(lifetimes.accessTokenSeconds, lifetimes.signInSeconds),
        }),
    },
    async findKnownTools(backend) {
      const of = { backend: backend.name, server: serverOf(backend) };
      const known = createToolAnnotations({ ...of, store, clock, log });
      await known.look();
      return known;
    },
    async close() {
      await audit.close();
      await store.close();
      await source.close();
    },
  });
}

function isChosen(session: Session, { person, client, session: id }: Choice): boolean {
  const names = [session.objectId, personId(session), session.username?.toLowerCase()];
  return (
    (person === undefined || names.includes(person) || names.includes(person.toLowerCase())) &&
    (client === undefined || session.clientId === client) &&
    (id === undefined || session.id === id || findSignInId(session.id) === id)
  );
}
