import { CLOCK_DIFFERENCE_SECONDS, nowSeconds } from '@valetkey/core/base/clock';
import { randomId } from '@valetkey/core/base/random';
import { personId } from '@valetkey/core/policy/principal';
import type { Audit } from '../audit/event.ts';
import type { ServerConfig } from '../config/config.ts';
import { createAppTokens } from '../entra/app-tokens.ts';
import { createLeaverFeed, type Leaver, type LeaverFeed } from '../entra/leaver-feed.ts';
import { openOutbound } from '../entra/outbound.ts';
import type { Session } from '../session/session.ts';
import type { RevocableSessions } from '../session/sessions.ts';
import type { Store } from '../store/collection.ts';
import type { RepeatingTimer } from '../store/sweeper.ts';
import type { World } from '../world.ts';
import type { RecheckableSignIns } from './sign-ins.ts';

export interface FollowOptions {
  readonly config: Pick<ServerConfig, 'entra' | 'leaver'>;
  readonly world: World;
  readonly store: Store;
  readonly sessions: Pick<RevocableSessions, 'listByPerson' | 'listAll'>;
  readonly signIns: Pick<RecheckableSignIns, 'end' | 'recheck'>;
  readonly audit: Audit;
  readonly timer: RepeatingTimer;
}

/** Within `checkSeconds` there are so many looks, so that one that fails is made up for in time. */
const looksPerCheck = 3;
/** Questions to Entra at a time, as in the check of those who are in. */
const atOnce = 8;

/** Ends the sessions of everybody who, as Graph says, has left: idle ones too. @returns how to stop. */
export function startFollowingLeavers(options: FollowOptions): () => Promise<void> {
  const { config, world, store, timer } = options;
  const { entra, leaver } = config;
  const intervalSeconds = Math.max(1, Math.floor(leaver.checkSeconds / looksPerCheck));
  const outbound = openOutbound(entra.caFile === undefined ? {} : { caFile: entra.caFile });
  const tokens = createAppTokens({ config: entra, world, outbound });
  const { cloud } = entra;
  const { clock } = world;
  const feeds = entra.tenants.map((tenantId) => {
    const feed = createLeaverFeed({ tenantId, cloud, intervalSeconds, tokens, outbound, store, clock });
    return { tenantId, feed };
  });
  const state = { running: Promise.resolve(), isBusy: false };
  const look = async () => {
    for (const { tenantId, feed } of feeds) await followOnce(tenantId, feed, options);
  };
  const tick = () => {
    if (state.isBusy) return;
    state.isBusy = true;
    state.running = look()
      .catch((fault: unknown) => {
        const reason = fault instanceof Error ? fault.name : 'unknown';
        world.log.warn({ reason }, 'leavers could not be looked for');
      })
      .finally(() => {
        state.isBusy = false;
      });
  };
  const stop = timer(tick, intervalSeconds * 1000);
  // At once: the first look tells Graph from when on changes are wanted.
  tick();
  return async () => {
    stop();
    await state.running;
    await outbound.close();
  };
}

async function followOnce(tenantId: string, feed: LeaverFeed, options: FollowOptions): Promise<void> {
  const batch = await feed.poll();
  if (!batch.ok) {
    const { kind, description } = batch.error;
    options.world.log[kind === 'operator' ? 'error' : 'warn']({ kind }, `leavers: ${description}`);
    return;
  }
  if (batch.value === undefined) return;
  const { leavers, everybodySinceSeconds: since, settle } = batch.value;
  let isKnown = true;
  for (const leaver of leavers) isKnown = (await endSessionsOf(leaver, options)) && isKnown;
  if (since !== undefined) isKnown = (await askAboutEverybody(tenantId, since, options)) && isKnown;
  // What Entra did not answer is asked again in the next round.
  if (isKnown) await settle();
}

/** @returns whether it is known of all of them. */
async function endSessionsOf(leaver: Leaver, options: FollowOptions): Promise<boolean> {
  const { sessions, signIns, audit, world } = options;
  const inDoubt: Session[] = [];
  for (const session of await sessions.listByPerson(personId(leaver))) {
    const beganAfterSeconds = session.createdAtSeconds - (leaver.beforeSeconds ?? Number.POSITIVE_INFINITY);
    if (beganAfterSeconds > CLOCK_DIFFERENCE_SECONDS) continue;
    if (beganAfterSeconds > -CLOCK_DIFFERENCE_SECONDS) {
      inDoubt.push(session);
      continue;
    }
    await signIns.end(session.id);
    audit.record(recordOf(leaver, session, world));
  }
  // Signed out and in again within minutes, by clocks that may differ: Entra knows which session is which.
  return askEntra(inDoubt, 0, options);
}

async function askAboutEverybody(
  tenantId: string,
  sinceSeconds: number,
  options: FollowOptions,
): Promise<boolean> {
  const all = await options.sessions.listAll();
  const ofTenant = all.filter((session) => session.tenantId === tenantId);
  return askEntra(ofTenant, nowSeconds(options.world.clock) - sinceSeconds, options);
}

/** Who has left has no session afterwards. @returns whether Entra answered for all of them. */
async function askEntra(
  sessions: readonly Session[],
  maxAgeSeconds: number,
  { signIns }: FollowOptions,
): Promise<boolean> {
  const next = sessions.values();
  let isAnswered = true;
  const work = async () => {
    for (const { id } of next) {
      const confirmed = await signIns.recheck(id, maxAgeSeconds);
      if (!confirmed.ok && confirmed.error === 'unavailable') isAnswered = false;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return isAnswered;
}

function recordOf(leaver: Leaver, session: Session, world: World): Parameters<Audit['record']>[0] {
  return {
    event: 'session.revoke',
    outcome: 'success',
    reason: leaver.reason,
    correlationId: randomId(world.random, 16),
    tenantId: session.tenantId,
    objectId: session.objectId,
    clientId: session.clientId,
    sessionId: session.id,
  };
}
