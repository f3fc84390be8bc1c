/** The OData side of Graph: $select, $filter, $count and pages, for every collection alike. Knows no type's meaning. */
import { type EmulatorRequest, jsonReply, type Reply } from '../request.ts';
import { badRequest } from './graph-error.ts';

export const CONTEXT = 'https://graph.microsoft.com/v1.0/$metadata';

const ODATA_HEADERS = {
  'content-type':
    'application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8',
  'odata-version': '4.0',
};
const DEFAULT_PAGE = 100;
const MAX_PAGE = 999;

export type Entity = Readonly<Record<string, unknown>>;

export function replyOdata(request: EmulatorRequest, value: unknown, status = 200): Reply {
  return jsonReply(status, value, { ...ODATA_HEADERS, 'request-id': request.traceId });
}

export function replyNothing(request: EmulatorRequest): Reply {
  return { status: 204, headers: { 'request-id': request.traceId } };
}

/** `$select`, or undefined when there is none. */
export function readSelect(request: EmulatorRequest): readonly string[] | undefined {
  const select = request.query.get('$select');
  if (select === null || select.trim() === '') return undefined;
  return select.split(',').map((name) => name.trim());
}

/** @throws GraphError 400 for a property the type does not have */
export function pick(entity: Entity, names: readonly string[], type: string): Entity {
  const unknown = names.find((name) => !Object.hasOwn(entity, name));
  if (unknown !== undefined) {
    const message = `Could not find a property named '${unknown.slice(0, 100)}' on type 'microsoft.graph.${type}'.`;
    throw badRequest(message, 'BadRequest');
  }
  return Object.fromEntries(names.map((name) => [name, entity[name]]));
}

/** `#users` or `#users(id,displayName)`: what was selected is part of the context. */
export function contextOf(set: string, select: readonly string[] | undefined): string {
  return `${CONTEXT}#${set}${select === undefined ? '' : `(${select.join(',')})`}`;
}

export interface Collection {
  readonly set: string;
  /** Already as they will be shown, before $select. */
  readonly items: readonly { readonly type: string; readonly entity: Entity }[];
  /** What is shown of each without $select. Default: everything. */
  readonly defaults?: readonly string[];
  /** A collection of mixed types says of each item which it is. */
  readonly isMixed?: boolean;
}

/** One page. @throws GraphError 400 for a page size, token, filter or property Graph would not take */
export function replyCollection(request: EmulatorRequest, collection: Collection): Reply {
  const select = readSelect(request);
  const found = filterItems(request, collection.items);
  const offset = readOffset(request);
  const size = readPageSize(request);
  const page = found.slice(offset, offset + size);
  const isMore = offset + size < found.length;
  return replyOdata(request, {
    '@odata.context': contextOf(collection.set, select),
    ...(isCounted(request) ? { '@odata.count': found.length } : {}),
    ...(isMore ? { '@odata.nextLink': nextLink(request, offset + size) } : {}),
    value: page.map(({ type, entity }) => ({
      ...(collection.isMixed ? { '@odata.type': `#microsoft.graph.${type}` } : {}),
      ...showItem(entity, type, select, collection),
    })),
  });
}

function showItem(
  entity: Entity,
  type: string,
  select: readonly string[] | undefined,
  collection: Collection,
): Entity {
  if (select === undefined)
    return collection.defaults === undefined ? entity : pick(entity, collection.defaults, type);
  // In a mixed collection a property is of one type or another: what this one does not have is left out.
  const names = collection.isMixed ? select.filter((name) => Object.hasOwn(entity, name)) : select;
  return pick(entity, names, type);
}

/** `…/$count`: a number as text, and only for whoever accepts an index that lags. @throws GraphError 400 */
export function replyCount(request: EmulatorRequest, collection: Collection): Reply {
  if (!isEventual(request)) throw badRequest('$count is not currently supported.');
  const count = String(filterItems(request, collection.items).length);
  return {
    status: 200,
    headers: { 'content-type': 'text/plain', 'request-id': request.traceId },
    body: count,
  };
}

function isEventual(request: EmulatorRequest): boolean {
  return String(request.headers['consistencylevel'] ?? '').toLowerCase() === 'eventual';
}

function isCounted(request: EmulatorRequest): boolean {
  return request.query.get('$count') === 'true' && isEventual(request);
}

function readPageSize(request: EmulatorRequest): number {
  const top = request.query.get('$top');
  if (top === null) return DEFAULT_PAGE;
  const size = /^\d{1,6}$/.test(top) ? Number(top) : 0;
  if (size >= 1 && size <= MAX_PAGE) return size;
  throw badRequest(
    `Invalid page size specified: '${top.slice(0, 20)}'. Must be between 1 and ${MAX_PAGE} inclusive.`,
  );
}

function readOffset(request: EmulatorRequest): number {
  const token = request.query.get('$skiptoken');
  if (token === null) return 0;
  const offset = /^page\.(\d{1,9})$/.exec(Buffer.from(token, 'base64url').toString())?.[1];
  if (offset === undefined) throw badRequest('Invalid skip token.', 'Directory_ExpiredPageToken');
  return Number(offset);
}

function nextLink(request: EmulatorRequest, offset: number): string {
  const query = new URLSearchParams(request.query);
  query.set('$skiptoken', Buffer.from(`page.${offset}`).toString('base64url'));
  return `${request.origin}${request.path}?${renderQuery(query)}`;
}

/** Graph leaves the dollar signs of its own parameters alone. */
export function renderQuery(query: URLSearchParams): string {
  return query.toString().replaceAll('%24', '$');
}

/** `a eq 'x' and b eq true`, `startswith(a,'x')`: what sign-in code asks. @throws GraphError 400 for anything else */
function filterItems<T extends { readonly entity: Entity }>(
  request: EmulatorRequest,
  items: readonly T[],
): readonly T[] {
  const filter = request.query.get('$filter');
  if (filter === null) return items;
  const tests = filter.split(/ and /i).map(parseCondition);
  return items.filter(({ entity }) => tests.every((isMet) => isMet(entity)));
}

function parseCondition(text: string): (entity: Entity) => boolean {
  const equal = /^\s*(\w+) eq (?:'((?:[^']|'')*)'|(true|false|null))\s*$/.exec(text);
  if (equal !== null) {
    const [, name = '', literal, word] = equal;
    const wanted = literal === undefined ? JSON.parse(word ?? 'null') : unquote(literal);
    return (entity) => isEqual(read(entity, name), wanted);
  }
  const starts = /^\s*startswith\((\w+),\s*'((?:[^']|'')*)'\)\s*$/i.exec(text);
  if (starts === null)
    throw badRequest('Unsupported or invalid query filter clause specified.', 'Request_UnsupportedQuery');
  const [, name = '', prefix = ''] = starts;
  const wanted = unquote(prefix).toLowerCase();
  return (entity) => {
    const value = read(entity, name);
    return typeof value === 'string' && value.toLowerCase().startsWith(wanted);
  };
}

function read(entity: Entity, name: string): unknown {
  if (Object.hasOwn(entity, name)) return entity[name];
  throw badRequest(
    `Invalid filter clause: Could not find a property named '${name.slice(0, 100)}'.`,
    'BadRequest',
  );
}

function isEqual(value: unknown, wanted: unknown): boolean {
  if (typeof value === 'string' && typeof wanted === 'string')
    return value.toLowerCase() === wanted.toLowerCase();
  return value === wanted;
}

const unquote = (text: string) => text.replaceAll("''", "'");
