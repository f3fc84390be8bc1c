/**
 * `Mcp-Param-*`: headers that repeat arguments of a tool call, so that what stands before a server can route by them
 * (MCP 2026-07-28 Streamable HTTP, SEP-2243). Which arguments, the tool's `inputSchema` says by `x-mcp-header`.
 */
import { ok, type Result } from '../base/result.ts';
import type { JsonRpcFault } from './errors.ts';
import { decodeMcpHeader, mismatch, trimmed } from './header-agreement.ts';
import type { JsonRpcRequest } from './json-rpc.ts';

export interface MirroredParam {
  /** `Mcp-Param-Region` */
  readonly header: string;
  /** Where the value stands in `arguments`. */
  readonly path: readonly string[];
  /** `42` and `42.0` are the same then. */
  readonly isNumeric: boolean;
}

type Json = Readonly<Record<string, unknown>>;

const annotation = 'x-mcp-header';
/** `number` is not allowed, and is compared all the same where it stands, as the TypeScript SDK does. */
const mirroredTypes: ReadonlySet<unknown> = new Set(['string', 'integer', 'boolean', 'number']);
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/;
const decimal = /^-?\d+(\.\d+)?$/;
const maxDepth = 64;
/** A request has no room for more. */
const maxMirrored = 100;

/** Where subschemas may stand beside `properties`, and an annotation may not: one or several, or each under a name. */
const besides: ReadonlySet<string> = new Set(
  (
    'items prefixItems contains additionalProperties unevaluatedProperties unevaluatedItems propertyNames ' +
    'oneOf anyOf allOf not if then else'
  ).split(' '),
);
const byName: ReadonlySet<string> = new Set([
  'patternProperties',
  'dependentSchemas',
  '$defs',
  'definitions',
]);

/**
 * Which headers a call of the tool carries.
 *
 * @returns none also where an annotation breaks the rules of the specification: clients leave such a tool out, and the
 *   TypeScript SDK's server compares nothing.
 */
export function readMirroredParams(inputSchema: unknown): readonly MirroredParam[] {
  const found = collect(inputSchema, [], 0);
  const names = new Set(found?.map(({ header }) => header.toLowerCase()));
  return found === undefined || names.size < found.length ? [] : found;
}

/**
 * Judges whether the headers say what the arguments say. Of an argument that is absent or null no header is expected,
 * and one that is there says nothing.
 *
 * @param findHeader asked with the name in small letters.
 * @returns a fault for HTTP 400, `-32020`, for a header that is missing, different or undecodable.
 */
export function checkMirroredParams(
  mirrored: readonly MirroredParam[],
  request: JsonRpcRequest,
  findHeader: (name: string) => string | undefined,
): Result<undefined, JsonRpcFault> {
  for (const param of mirrored) {
    const value = param.path.reduce(ownMember, request.params?.['arguments']);
    const text = textOf(value);
    if (text === undefined) continue;
    const sent = trimmed(findHeader(param.header.toLowerCase()));
    if (sent === undefined) return mismatch(request, param.header, true);
    const said = decodeMcpHeader(sent);
    const isSame = param.isNumeric && typeof value === 'number' ? isNumber(said, value) : said === text;
    if (!isSame) return mismatch(request, param.header, false);
  }
  return ok(undefined);
}

/** @param path undefined: an annotation here is a fault. @returns undefined: there is a fault. */
function collect(
  node: unknown,
  path: readonly string[] | undefined,
  depth: number,
): readonly MirroredParam[] | undefined {
  if (!isObject(node)) return [];
  if (depth > maxDepth) return undefined;
  const found = [...readAnnotation(node, path)];
  const { properties } = node;
  const inner = Object.entries(isObject(properties) ? properties : {}).map(([key, child]) => {
    return { child, below: path && [...path, key] };
  });
  for (const child of subschemasOf(node)) inner.push({ child, below: undefined });
  for (const { child, below } of inner) found.push(...(collect(child, below, depth + 1) ?? [undefined]));
  const sound = found.filter((each) => each !== undefined);
  return sound.length < found.length || sound.length > maxMirrored ? undefined : sound;
}

function readAnnotation(
  node: Json,
  path: readonly string[] | undefined,
): readonly (MirroredParam | undefined)[] {
  if (!Object.hasOwn(node, annotation)) return [];
  const { [annotation]: name, type } = node;
  const isSound = typeof name === 'string' && token.test(name) && mirroredTypes.has(type);
  if (!isSound || path === undefined || path.length === 0) return [undefined];
  return [{ header: `Mcp-Param-${name}`, path, isNumeric: type === 'integer' || type === 'number' }];
}

function subschemasOf(node: Json): unknown[] {
  return Object.entries(node).flatMap(([keyword, value]) => {
    if (byName.has(keyword)) return isObject(value) ? Object.values(value) : [];
    return besides.has(keyword) ? value : [];
  });
}

/** What cannot be written in one way only, such as an integer beyond 2^53, is not compared. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : String(value);
}

function isNumber(said: string | undefined, value: number): boolean {
  if (said === undefined) return false;
  return decimal.test(said) ? Number(said) === value : said === String(value);
}

function ownMember(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
