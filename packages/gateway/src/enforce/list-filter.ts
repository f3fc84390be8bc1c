import {
  filterListResult,
  findListName,
  type IsVisible,
  type ListName,
  readToolList,
} from '@valetkey/core/mcp/list-result';
import type { Policy } from '@valetkey/core/policy/decide';
import { isPattern, matchesPattern, parsePattern } from '@valetkey/core/policy/pattern';
import type { Principal } from '@valetkey/core/policy/principal';
import type { Logger } from 'pino';
import type { ProtectedResource } from '../config/config.ts';
import type { Asked } from './asked.ts';
import type { ToolAnnotations } from './tool-annotations.ts';

/** Takes out of every list of a backend what the caller may not use (A24), and learns from the lists that pass. */
export interface ListFilter {
  /** How the answer to a request is to be rewritten; undefined: not at all. */
  findRewrite(
    principal: Principal,
    method: string,
    asked: Asked,
  ): ((message: unknown) => unknown) | undefined;
}

export interface ListFilterOptions {
  readonly backend: Pick<ProtectedResource, 'name'>;
  readonly policy: Policy;
  readonly annotations: ToolAnnotations;
  readonly log: Pick<Logger, 'warn'>;
}

export function createListFilter({ backend, policy, annotations, log }: ListFilterOptions): ListFilter {
  const { filteredLists } = policy;
  const lookAtSpelling = createSpellingWatch(backend.name, policy.rules, log);

  return {
    findRewrite(principal, method, asked) {
      if (!mayList(method, asked, filteredLists)) return undefined;
      const isVisible: IsVisible = (list, name, isReadOnly) =>
        policy.isVisible(principal, list, name, isReadOnly);
      const rewrite = (message: unknown) => filterListResult(message, filteredLists, isVisible, asked.era);
      return (message) => {
        learn(message, asked);
        for (const each of [message].flat()) lookAtSpelling(each);
        if (!Array.isArray(message)) return rewrite(message);
        const filtered = message.map(rewrite);
        return filtered.every((each, index) => each === message[index]) ? message : filtered;
      };
    },
  };

  /** Only the answer to a `tools/list` and nothing else: another one's result may say what a caller has put into it. */
  function learn(message: unknown, { operations, isBatch }: Asked): void {
    const [only] = operations;
    if (!policy.usesAnnotations || only?.method !== 'tools/list' || isBatch) return;
    const { id } = (message ?? {}) as { readonly id?: unknown };
    const tools = id === only.id ? readToolList(message) : undefined;
    if (tools !== undefined) annotations.learn(tools);
  }
}

/** A GET can replay the answer to an earlier list after a lost connection (`Last-Event-ID`). */
function mayList(method: string, { operations }: Asked, filtered: ReadonlySet<ListName>): boolean {
  if (method === 'GET') return filtered.size > 0;
  return operations.some((operation) => {
    const list = findListName(operation.method);
    return list !== undefined && filtered.has(list);
  });
}

/**
 * A rule for a tool that the backend does not have is most likely misspelled, and then leaves the real tool open.
 * Only a backend's own complete list can tell, so it is told at the first one that passes, once.
 */
function createSpellingWatch(
  backend: string,
  rules: Policy['rules'],
  log: Pick<Logger, 'warn'>,
): (message: unknown) => void {
  const unseen = new Set(Object.keys(rules.tools));
  const told = new Set<string>();
  return (message) => {
    const listed = readToolList(message);
    if (listed === undefined) return;
    for (const { name } of listed) for (const key of unseen) if (fits(key, name)) unseen.delete(key);
    const misspelled = [...unseen].filter((key) => !told.has(key));
    if (hasMorePages(message) || misspelled.length === 0) return;
    for (const key of misspelled) told.add(key);
    log.warn({ backend, tools: misspelled }, 'rules name tools that the backend does not have');
  };
}

function fits(key: string, name: string): boolean {
  return isPattern(key) ? matchesPattern(parsePattern(key), name) : key === name;
}

function hasMorePages(message: unknown): boolean {
  const { result } = message as { readonly result: { readonly nextCursor?: unknown } };
  return result.nextCursor !== undefined;
}
