/**
 * Who has left, as Microsoft Graph tells it (users/delta): disabled, deleted, or signed out everywhere. One replica
 * asks at a time, and where it left off is kept in the store, so that a restart misses nobody.
 */
import { type Clock, isFromFuture, nowSeconds } from '@valetkey/core/base/clock';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { CloudConfig } from '../config/config.ts';
import type { Store } from '../store/collection.ts';
import type { AppTokens } from './app-tokens.ts';
import type { EntraRefusal } from './entra.ts';
import { type Outbound, OutboundFailed, type OutboundResponse } from './outbound.ts';

/** `signed_out`: what began before `beforeSeconds` has ended; the others end everything. */
export interface Leaver {
  readonly tenantId: string;
  readonly objectId: string;
  readonly reason: 'account_disabled' | 'account_deleted' | 'signed_out';
  readonly beforeSeconds?: number;
}

export interface LeaverFeed {
  /**
   * Asks once, unless another replica has within this interval.
   * @returns who left since the last time. Nothing is forgotten before `settle` says that it was dealt with.
   */
  poll(): Promise<Result<LeaverBatch | undefined, EntraRefusal>>;
}

export interface LeaverBatch {
  readonly leavers: readonly Leaver[];
  /**
   * The feed has begun anew, and who left before is not in it: everybody of the tenant of whom Entra has said nothing
   * since then is to be asked about.
   */
  readonly everybodySinceSeconds?: number;
  settle(): Promise<void>;
}

/** Where the feed left off; `everybodySinceSeconds` until everybody has been asked about. */
interface Place {
  readonly link: string;
  readonly everybodySinceSeconds?: number;
}

export interface LeaverFeedOptions {
  readonly tenantId: string;
  readonly cloud: Pick<CloudConfig, 'name' | 'graphHost'>;
  readonly intervalSeconds: number;
  readonly tokens: AppTokens;
  readonly outbound: Outbound;
  readonly store: Store;
  readonly clock: Clock;
}

/** A change of a tenant of 100,000 people fits; a link that leads in circles does not. */
const maxPages = 1000;

export function createLeaverFeed(options: LeaverFeedOptions): LeaverFeed {
  const { tenantId, tokens, outbound, clock } = options;
  const { name, graphHost } = options.cloud;
  // Hosts that stand in for Microsoft's serve Microsoft's resource.
  const resource = name === 'custom' ? 'https://graph.microsoft.com' : graphHost;
  const places = options.store.collection<Place>('entra.leaver-link');
  const turns = options.store.collection<{ readonly atSeconds: number }>('entra.leaver-turn');
  const select = '$select=accountEnabled,signInSessionsValidFromDateTime';
  const start = `${graphHost}/v1.0/users/delta?${select}&$deltatoken=latest`;

  async function ask(token: string, place: Place): Promise<Result<LeaverBatch, EntraRefusal>> {
    const leavers: Leaver[] = [];
    let url = place.link;
    for (let page = 0; page < maxPages; page += 1) {
      const answer = await outbound.send({
        method: 'GET',
        url,
        headers: { authorization: `Bearer ${token}`, prefer: 'return=minimal' },
      });
      // The link is too old, and what happened since is lost.
      if (answer.status === 410 && place.link !== start) return ask(token, beginning());
      if (answer.status !== 200) return err(refusalOf(answer));
      const body = parseBody(answer.text);
      leavers.push(...body.value.flatMap((change) => leaversOf(change, tenantId)));
      const next = body['@odata.nextLink'];
      const last = body['@odata.deltaLink'];
      const link = next ?? last;
      // A link is followed with our token on it, so it may lead nowhere else.
      if (link === undefined || URL.parse(link)?.origin !== new URL(graphHost).origin)
        return err({ kind: 'invalid', description: 'Microsoft Graph gave no usable link' });
      if (next === undefined) return ok(await batchOf(leavers, { ...place, link }));
      url = next;
    }
    return err({ kind: 'invalid', description: 'the changes of Microsoft Graph have no end' });
  }

  const beginning = (): Place => ({ link: start, everybodySinceSeconds: nowSeconds(clock) });

  async function batchOf(leavers: readonly Leaver[], place: Place): Promise<LeaverBatch> {
    const { link, everybodySinceSeconds } = place;
    const settle = () => places.put(tenantId, { link });
    if (everybodySinceSeconds === undefined) return { leavers, settle };
    // Kept at once: the changes from here on are in the link, and asking about everybody may take several rounds.
    if (leavers.length === 0) await places.put(tenantId, place);
    return { leavers, everybodySinceSeconds, settle };
  }

  async function takeTurn(): Promise<boolean> {
    const mine = { atSeconds: nowSeconds(clock) };
    const turn = { lifetimeSeconds: Math.max(1, options.intervalSeconds - 1) };
    if (await turns.create(tenantId, mine, turn)) return true;
    // Taken by a clock that is ahead, or was: it would last for minutes here, without anybody asking.
    const taken = await turns.update(
      tenantId,
      ({ atSeconds }) => (isFromFuture(atSeconds, clock) ? mine : undefined),
      turn,
    );
    return taken !== undefined;
  }

  return {
    async poll() {
      if (!(await takeTurn())) return ok(undefined);
      const token = await tokens.get(tenantId, resource);
      if (!token.ok) return token;
      try {
        return await ask(token.value, (await places.get(tenantId)) ?? beginning());
      } catch (fault) {
        if (!(fault instanceof OutboundFailed)) throw fault;
        return err({ kind: 'unavailable', description: fault.message });
      }
    },
  };
}

function leaversOf(change: Readonly<Record<string, unknown>>, tenantId: string): Leaver[] {
  const { id, accountEnabled, signInSessionsValidFromDateTime: validFrom } = change;
  if (typeof id !== 'string') return [];
  const who = { tenantId, objectId: id };
  if ('@removed' in change) return [{ ...who, reason: 'account_deleted' }];
  if (accountEnabled === false) return [{ ...who, reason: 'account_disabled' }];
  const beforeMs = typeof validFrom === 'string' ? Date.parse(validFrom) : Number.NaN;
  if (Number.isNaN(beforeMs)) return [];
  return [{ ...who, reason: 'signed_out', beforeSeconds: Math.floor(beforeMs / 1000) }];
}

function refusalOf({ status, headers }: OutboundResponse): EntraRefusal {
  const retryAfterSeconds = Number(headers['retry-after']);
  if (status === 429 || status >= 500)
    return {
      kind: 'unavailable',
      description: `Microsoft Graph answered ${status}`,
      ...(retryAfterSeconds > 0 ? { retryAfterSeconds } : {}),
    };
  const description =
    status === 403
      ? 'Microsoft Graph refuses users/delta: grant the application permission User.Read.All, with admin consent'
      : `Microsoft Graph answered ${status}`;
  return { kind: 'operator', description };
}

interface DeltaBody {
  readonly value: readonly Readonly<Record<string, unknown>>[];
  readonly '@odata.nextLink'?: string;
  readonly '@odata.deltaLink'?: string;
}

function parseBody(text: string): DeltaBody {
  try {
    const body = JSON.parse(text) as Partial<DeltaBody> | null;
    return { ...body, value: Array.isArray(body?.value) ? body.value : [] };
  } catch {
    return { value: [] };
  }
}
