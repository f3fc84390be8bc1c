/**
 * Room `state-graph`: objects that refer to each other, round in circles too, as JSON and back. Each object becomes one
 * numbered node, so whatever was the same object is the same object again. Knows nothing of what the objects mean.
 */
import { createPrivateKey, createPublicKey, KeyObject } from 'node:crypto';

/** A JSON value, or one member of: `{ node }`, `{ special }`. */
type Encoded = null | string | number | boolean | { readonly node: number } | { readonly special: string };
type Node =
  | { readonly kind: 'object' | 'map'; readonly entries: readonly (readonly [Encoded, Encoded])[] }
  | { readonly kind: 'list' | 'set'; readonly items: readonly Encoded[] }
  | { readonly kind: 'key'; readonly type: 'private' | 'public'; readonly pem: string };

export interface StateGraph {
  readonly root: Encoded;
  readonly nodes: readonly Node[];
}

/**
 * Writes a graph. Functions are left out: they belong to the code, not to the state. A private key is left out too, with the
 * member that holds it, unless asked for.
 */
export function writeGraph(root: unknown, options: { readonly privateKeys: boolean }): StateGraph {
  const numbers = new Map<object, number>();
  const nodes: Node[] = [];
  const encode = (value: unknown): Encoded => {
    if (value === undefined || value === Number.POSITIVE_INFINITY) return { special: String(value) };
    if (typeof value !== 'object' || value === null) return value as string | number | boolean | null;
    const known = numbers.get(value);
    if (known !== undefined) return { node: known };
    const number = nodes.length;
    numbers.set(value, number);
    nodes.push({ kind: 'list', items: [] });
    nodes[number] = describe(value);
    return { node: number };
  };
  const isKept = (value: unknown) =>
    typeof value !== 'function' &&
    (options.privateKeys || !(value instanceof KeyObject && value.type === 'private'));
  const pairs = (entries: Iterable<readonly [unknown, unknown]>) =>
    [...entries]
      .filter(([, value]) => isKept(value))
      .map(([key, value]) => [encode(key), encode(value)] as const);
  const describe = (value: object): Node => {
    if (value instanceof KeyObject) return describeKey(value);
    if (value instanceof Map) return { kind: 'map', entries: pairs(value) };
    if (value instanceof Set) return { kind: 'set', items: [...value].filter(isKept).map(encode) };
    if (Array.isArray(value)) return { kind: 'list', items: value.filter(isKept).map(encode) };
    return { kind: 'object', entries: pairs(Object.entries(value)) };
  };
  return { root: encode(root), nodes };
}

function describeKey(key: KeyObject): Node {
  return key.type === 'private'
    ? { kind: 'key', type: 'private', pem: key.export({ type: 'pkcs8', format: 'pem' }).toString() }
    : { kind: 'key', type: 'public', pem: key.export({ type: 'spki', format: 'pem' }).toString() };
}

/** @throws TypeError for what `writeGraph` has not written */
export function readGraph(graph: StateGraph): unknown {
  const made = graph.nodes.map(makeEmpty);
  const decode = (value: Encoded | undefined): unknown => {
    if (value === undefined) throw new TypeError('a snapshot lacks a value');
    if (typeof value !== 'object' || value === null) return value;
    if ('special' in value) return value.special === 'undefined' ? undefined : Number.POSITIVE_INFINITY;
    if (!Number.isInteger(value.node) || value.node < 0 || value.node >= made.length)
      throw new TypeError('a snapshot refers to what is not in it');
    return made[value.node];
  };
  graph.nodes.forEach((node, index) => fill(made[index], node, decode));
  return decode(graph.root);
}

function makeEmpty(node: Node): unknown {
  switch (node.kind) {
    case 'object':
      return {};
    case 'map':
      return new Map();
    case 'list':
      return [];
    case 'set':
      return new Set();
    case 'key':
      return node.type === 'private' ? createPrivateKey(node.pem) : createPublicKey(node.pem);
    default:
      throw new TypeError('a snapshot has a node of a kind that nobody knows');
  }
}

function fill(target: unknown, node: Node, decode: (value: Encoded | undefined) => unknown): void {
  if (node.kind === 'list' || node.kind === 'set') {
    const items = node.items.map(decode);
    if (target instanceof Set) for (const item of items) target.add(item);
    else (target as unknown[]).push(...items);
    return;
  }
  if (node.kind !== 'object' && node.kind !== 'map') return;
  for (const [key, value] of node.entries) {
    if (target instanceof Map) target.set(decode(key), decode(value));
    else defineMember(target as object, decode(key), decode(value));
  }
}

/** Defined and not assigned: a member named `__proto__` would be the prototype. */
function defineMember(target: object, name: unknown, value: unknown): void {
  if (typeof name !== 'string') throw new TypeError('a snapshot has a member without a name');
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
}
