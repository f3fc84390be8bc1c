/**
 * `/users/delta`: what has changed since a client last asked. Each link holds what its client was told, so it does not
 * matter who made the change: Graph, the control plane, or a reset. This is how a leaver becomes visible.
 */
import type { Tenant } from '../directory.ts';
import type { Realm } from '../realm.ts';
import type { EmulatorRequest, Reply } from '../request.ts';
import { type Caller, checkPermissions } from './graph-caller.ts';
import { contextOf, type Entity, pick, readSelect, replyOdata } from './graph-collection.ts';
import { badRequest, GraphError } from './graph-error.ts';
import type { DeltaRound } from './graph-state.ts';
import { describeUser, USER_DEFAULTS } from './graph-users.ts';

const READ = ['User.Read.All', 'User.ReadWrite.All', 'Directory.Read.All', 'Directory.ReadWrite.All'];
const DEFAULT_PAGE = 100;

/** @throws GraphError 400 for a filter it does not have, 410 for a link it no longer knows */
export function handleDelta(realm: Realm, request: EmulatorRequest, caller: Caller): Reply {
  checkPermissions(caller, { delegated: READ, application: READ });
  const skip = request.query.get('$skiptoken');
  if (skip !== null) return replyPage(realm, request, findRound(realm, request, caller, skip));
  const token = request.query.get('$deltatoken');
  const pageSize = readPageSize(request);
  if (token === null || token === 'latest') {
    const fresh = { select: readTracked(caller.tenant, request), ids: readIds(request) };
    const round = startRound(caller.tenant, { ...fresh, pageSize, told: new Map(), isMinimal: false });
    return replyPage(realm, request, token === 'latest' ? { ...round, pending: [] } : round);
  }
  const last = findRound(realm, request, caller, token);
  const isMinimal = /(?:^|[,;\s])return=minimal/i.test(String(request.headers['prefer'] ?? ''));
  return replyPage(realm, request, startRound(caller.tenant, { ...last, pageSize, isMinimal }));
}

/** A link that was forgotten, or is another tenant's, means: begin again, here. */
function findRound(realm: Realm, request: EmulatorRequest, caller: Caller, token: string): DeltaRound {
  const round = realm.graph.findRound(token);
  if (round !== undefined && round.tenantId === caller.tenant.seed.tenantId) return round;
  if (!/^[\w-]{43}$/.test(token)) throw badRequest('Badly formed token.');
  const headers = { location: `${request.origin}${request.path}?$deltatoken=` };
  throw new GraphError(
    410,
    'syncStateNotFound',
    'The sync state generation is not found; perform a full synchronization.',
    { headers },
  );
}

function startRound(
  tenant: Tenant,
  from: Pick<DeltaRound, 'select' | 'ids' | 'told' | 'pageSize'> & { readonly isMinimal: boolean },
): DeltaRound {
  const { select, ids, told, pageSize, isMinimal } = from;
  const now = new Map<string, string>();
  const pending: Entity[] = [];
  for (const user of tenant.users.filter((each) => ids?.includes(each.seed.objectId) ?? true)) {
    const entity = describeUser(user);
    const tracked = select === undefined ? entity : pick(entity, ['id', ...select], 'user');
    const text = JSON.stringify(tracked);
    const before = told.get(user.seed.objectId);
    now.set(user.seed.objectId, text);
    if (before !== text) pending.push(show(tracked, before, select, isMinimal));
  }
  const gone = [...told.keys()].filter((id) => !now.has(id));
  pending.push(...gone.map((id) => ({ id, '@removed': { reason: 'changed' } })));
  return { tenantId: tenant.seed.tenantId, select, ids, pending, told: now, pageSize };
}

/** What was selected, or by default the usual properties and, later, whatever else has changed. Never-set ones are left out. */
function show(
  tracked: Entity,
  before: string | undefined,
  select: readonly string[] | undefined,
  isMinimal: boolean,
): Entity {
  const old = before === undefined ? undefined : (JSON.parse(before) as Entity);
  const isChanged = (name: string) =>
    old !== undefined && JSON.stringify(old[name]) !== JSON.stringify(tracked[name]);
  const isShown = (name: string) => {
    if (name === 'id' || isChanged(name)) return true;
    if (isMinimal && old !== undefined) return false;
    return tracked[name] !== null && (select ?? USER_DEFAULTS).includes(name);
  };
  return Object.fromEntries(Object.entries(tracked).filter(([name]) => isShown(name)));
}

function replyPage(realm: Realm, request: EmulatorRequest, round: DeltaRound): Reply {
  const value = round.pending.slice(0, round.pageSize);
  const pending = round.pending.slice(round.pageSize);
  const token = realm.graph.keepRound({ ...round, pending });
  const base = `${request.origin}${request.path}`;
  const link =
    pending.length > 0
      ? { '@odata.nextLink': `${base}?$skiptoken=${token}` }
      : { '@odata.deltaLink': `${base}?$deltatoken=${token}` };
  return replyOdata(request, { '@odata.context': contextOf('users', round.select), ...link, value });
}

function readTracked(tenant: Tenant, request: EmulatorRequest): readonly string[] | undefined {
  const select = readSelect(request)?.filter((name) => name !== 'id');
  const [sample] = tenant.users;
  if (select !== undefined && sample !== undefined) pick(describeUser(sample), select, 'user');
  return select;
}

/** The only filter change tracking has: `id eq '…' or id eq '…'`, fifty at most. */
function readIds(request: EmulatorRequest): readonly string[] | undefined {
  const filter = request.query.get('$filter');
  if (filter === null) return undefined;
  const ids = filter.split(/ or /i).map((part) => /^\s*id eq '([0-9a-f-]{36})'\s*$/i.exec(part)?.[1]);
  if (ids.length > 50 || ids.includes(undefined))
    throw badRequest('Unsupported or invalid query filter clause specified.', 'Request_UnsupportedQuery');
  return ids.map((id) => String(id).toLowerCase());
}

function readPageSize(request: EmulatorRequest): number {
  const asked = /odata\.maxpagesize=(\d{1,3})/i.exec(String(request.headers['prefer'] ?? ''))?.[1];
  const size = Number(asked ?? request.query.get('$top') ?? DEFAULT_PAGE);
  return Number.isInteger(size) && size >= 1 && size <= 999 ? size : DEFAULT_PAGE;
}
