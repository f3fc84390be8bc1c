import type { World } from '../world.ts';
import { randomId } from '@valetkey/core/base/random';
import { personId } from '@valetkey/core/policy/principal';
import type { Audit } from '../audit/event.ts';
import type { ServerConfig } from '../config/config.ts';
import { createAppTokens } from '../entra/app-tokens.ts';
import { createLeaverFeed, type Leaver, type LeaverFeed } from '../entra/leaver-feed.ts';
import { openOutbound } from '../entra/outbound.ts';
import type { SignIns } from '../oauth/provider.ts';
import type { Session } from '../session/session.ts';
import type { Sessions } from '../session/sessions.ts';
import type { Store } from '../store/collection.ts';
import type { RepeatingTimer } from '../store/sweeper.ts';

export interface FollowOptions {
  readonly config: Pick<ServerConfig, 'entra' | 'leaver'>;
  readonly world: World;
  readonly store: Store;
  readonly sessions: Pick<Sessions, 'listByPerson'>;
  readonly signIns: Pick<SignIns, 'end'>;
  readonly audit: Audit;
  readonly timer: RepeatingTimer;
}

/** Within `checkSeconds` there are so many looks, so that one that fails is made up for in time. */
const looksPerCheck = 3;

/** Ends the sessions of everybody who, as Graph says, has left: idle ones too. @returns how to stop. */
export function startFollowingLeavers(options: FollowOptions): () => Promise<void> {
  const { config, world, store, timer } = options;
  const { entra, leaver } = config;
  const intervalSeconds = Math.max(1, Math.floor(leaver.checkSeconds / looksPerCheck));
  const outbound = openOutbound(entra.caFile === undefined ? {} : { caFile: entra.caFile });
  const tokens = createAppTokens({ config: entra, world, outbound });
  const { cloud } = entra;
  const feeds = entra.tenants.map((tenantId) =>
    createLeaverFeed({ tenantId, cloud, intervalSeconds, tokens, outbound, store, clock: world.clock }),
  );
  const state = { running: Promise.resolve(), isBusy: false };
  const look = async () => {
    for (const feed of feeds) await followOnce(feed, options);
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

async function followOnce(feed: LeaverFeed, options: FollowOptions): Promise<void> {
  const batch = await feed.poll();
  if (!batch.ok) {
    const { kind, description } = batch.error;
    options.world.log[kind === 'operator' ? 'error' : 'warn']({ kind }, `leavers: ${description}`);
    return;
  }
  if (batch.value === undefined) return;
  for (const leaver of batch.value.leavers) await endSessionsOf(leaver, options);
  await batch.value.settle();
}

async function endSessionsOf(
  leaver: Leaver,
  { sessions, signIns, audit, world }: FollowOptions,
): Promise<void> {
  for (const session of await sessions.listByPerson(personId(leaver))) {
    if (leaver.beforeSeconds !== undefined && session.createdAtSeconds > leaver.beforeSeconds) continue;
    await signIns.end(session.id);
    audit.record(recordOf(leaver, session, world));
  }
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
