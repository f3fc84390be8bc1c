import type { Era } from './era.ts';

/**
 * A backend's answer to `tools/list` as this caller may see it: without the tools it may not call (A24).
 *
 * A list that differs between people must not be cached for all of them, so `cacheScope` becomes `private` where it
 * is present, and on every modern answer: `public` would let a shared cache show one person's tools to another
 * (MCP 2026-07-28 Caching).
 *
 * @param message the parsed JSON-RPC response; anything that carries no tool list comes back as it is.
 * @param isVisible asked with the exact name; a tool without a name is dropped unasked.
 * @returns the same object when nothing had to change, so that the received bytes can be sent on; else a copy.
 */
export function filterListResult(
  message: unknown,
  isVisible: (toolName: string) => boolean,
  era: Era,
): unknown {
  const result = ownMember(message, 'result');
  if (!isObject(message) || !isObject(result) || !Object.hasOwn(result, 'tools')) return message;
  const tools = ownMember(result, 'tools');
  const visible = Array.isArray(tools) ? tools.filter((tool) => isVisibleTool(tool, isVisible)) : [];
  const isComplete = Array.isArray(tools) && visible.length === tools.length;
  const becomesPrivate =
    (era === 'modern' || Object.hasOwn(result, 'cacheScope')) &&
    ownMember(result, 'cacheScope') !== 'private';
  if (isComplete && !becomesPrivate) return message;
  const changes = becomesPrivate ? { tools: visible, cacheScope: 'private' } : { tools: visible };
  return { ...message, result: { ...result, ...changes } };
}

function isVisibleTool(tool: unknown, isVisible: (toolName: string) => boolean): boolean {
  const name = ownMember(tool, 'name');
  return typeof name === 'string' && isVisible(name);
}

function ownMember(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
