/**
 * Who has left, as Microsoft Graph tells it (users/delta): disabled, deleted, or signed out everywhere. One replica
 * asks at a time, and where it left off is kept in the store, so that a restart misses nobody.
 */
import { type Clock, nowSeconds } from '@valetkey/core/base/clock';
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
  settle(): Promise<void>;
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
  const links = options.store.collection<{ readonly link: string }>('entra.leaver-link');
  const turns = options.store.collection<{ readonly atSeconds: number }>('entra.leaver-turn');
  const select = '$select=accountEnabled,signInSessionsValidFromDateTime';
  const start = `${graphHost}/v1.0/users/delta?${select}&$deltatoken=latest`;

  async function ask(token: string, from: string): Promise<Result<LeaverBatch, EntraRefusal>> {
    const leavers: Leaver[] = [];
    let url = from;
    for (let page = 0; page < maxPages; page += 1) {
      const answer = await outbound.send({
        method: 'GET',
        url,
        headers: { authorization: `Bearer ${token}`, prefer: 'return=minimal' },
      });
      // The link is too old: what happened since is found by the renewals; the feed begins again from now.
      if (answer.status === 410 && url !== start) return ask(token, start);
      if (answer.status !== 200) return err(refusalOf(answer));
      const body = parseBody(answer.text);
      leavers.push(...body.value.flatMap((change) => leaversOf(change, tenantId)));
      const next = body['@odata.nextLink'];
      const last = body['@odata.deltaLink'];
      const link = next ?? last;
      // A link is followed with our token on it, so it may lead nowhere else.
      if (link === undefined || URL.parse(link)?.origin !== new URL(graphHost).origin)
        return err({ kind: 'invalid', description: 'Microsoft Graph gave no usable link' });
      if (next === undefined) return ok({ leavers, settle: () => links.put(tenantId, { link }) });
      url = next;
    }
    return err({ kind: 'invalid', description: 'the changes of Microsoft Graph have no end' });
  }

  return {
    async poll() {
      const lifetimeSeconds = Math.max(1, options.intervalSeconds - 1);
      const isOurTurn = await turns.create(tenantId, { atSeconds: nowSeconds(clock) }, { lifetimeSeconds });
      if (!isOurTurn) return ok(undefined);
      const token = await tokens.get(tenantId, resource);
      if (!token.ok) return token;
      const kept = await links.get(tenantId);
      try {
        return await ask(token.value, kept?.link ?? start);
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
