import type { Era } from './era.ts';

/** The lists of MCP, by the member of the result that holds them. */
export type ListName = 'tools' | 'prompts' | 'resources' | 'resourceTemplates';

/** The method that asks for a list, and the member of an item that names it. */
const lists: Readonly<Record<ListName, { readonly method: string; readonly nameField: string }>> = {
  tools: { method: 'tools/list', nameField: 'name' },
  prompts: { method: 'prompts/list', nameField: 'name' },
  resources: { method: 'resources/list', nameField: 'uri' },
  resourceTemplates: { method: 'resources/templates/list', nameField: 'uriTemplate' },
};

/** The list that a method asks for. */
export function findListName(method: string): ListName | undefined {
  return listNames.find((name) => lists[name].method === method);
}

const listNames = Object.keys(lists) as ListName[];

/**
 * Asked with the exact name or URI of an item.
 *
 * @param isReadOnly of a tool: what the item itself says (`annotations.readOnlyHint`).
 */
export type IsVisible = (list: ListName, name: string, isReadOnly: boolean) => boolean;

/**
 * A backend's answer as this caller may see it: without what it may not use (A24).
 *
 * A list that differs between people must not be cached for all of them, so `cacheScope` becomes `private` where it
 * is present, and on every modern answer: `public` would let a shared cache show one person's tools to another
 * (MCP 2026-07-28 Caching).
 *
 * @param message the parsed JSON-RPC response; anything that carries none of the lists comes back as it is.
 * @param filtered the lists that differ from caller to caller; the others pass.
 * @param isVisible an item without a name is dropped unasked.
 * @returns the same object when nothing had to change, so that the received bytes can be sent on; else a copy.
 */
export function filterListResult(
  message: unknown,
  filtered: ReadonlySet<ListName>,
  isVisible: IsVisible,
  era: Era,
): unknown {
  const result = ownMember(message, 'result');
  if (!isObject(message) || !isObject(result)) return message;
  const found = listNames.filter((name) => filtered.has(name) && Object.hasOwn(result, name));
  if (found.length === 0) return message;
  const changes: Record<string, unknown> = {};
  for (const name of found) {
    const items: unknown = result[name];
    const visible = Array.isArray(items) ? items.filter((item) => isVisibleItem(item, name, isVisible)) : [];
    if (!Array.isArray(items) || visible.length !== items.length) changes[name] = visible;
  }
  const mayBecomePrivate = era === 'modern' || Object.hasOwn(result, 'cacheScope');
  if (mayBecomePrivate && ownMember(result, 'cacheScope') !== 'private') changes['cacheScope'] = 'private';
  return Object.keys(changes).length === 0 ? message : { ...message, result: { ...result, ...changes } };
}

/** What an answer to `tools/list` says of its tools; undefined for anything else. */
export function readToolList(
  message: unknown,
): readonly { readonly name: string; readonly isReadOnly: boolean }[] | undefined {
  return readTools(message, (tool) => ({ isReadOnly: saysReadOnly(tool) }));
}

/** What an answer to `tools/list` says of the arguments that its tools take; undefined for anything else. */
export function readToolSchemas(
  message: unknown,
): readonly { readonly name: string; readonly inputSchema: unknown }[] | undefined {
  return readTools(message, (tool) => ({ inputSchema: ownMember(tool, 'inputSchema') }));
}

function readTools<Said extends object>(
  message: unknown,
  read: (tool: unknown) => Said,
): readonly ({ readonly name: string } & Said)[] | undefined {
  const tools = ownMember(ownMember(message, 'result'), 'tools');
  if (!Array.isArray(tools)) return undefined;
  return tools.flatMap((tool: unknown) => {
    const name = ownMember(tool, 'name');
    return typeof name === 'string' ? [{ name, ...read(tool) }] : [];
  });
}

function isVisibleItem(item: unknown, list: ListName, isVisible: IsVisible): boolean {
  const name = ownMember(item, lists[list].nameField);
  return typeof name === 'string' && isVisible(list, name, saysReadOnly(item));
}

/** Nothing but `true` itself counts: a text or a number may be anything to its reader. */
function saysReadOnly(item: unknown): boolean {
  return ownMember(ownMember(item, 'annotations'), 'readOnlyHint') === true;
}

function ownMember(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
