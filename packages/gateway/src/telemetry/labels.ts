/**
 * What may become a label. Each different label is a series that lives as long as the process, in every scraper too:
 * so nothing that a client makes up may become one (CWE-770), and no person may be one.
 */
import { findAadsts } from '@valetkey/core/entra/aadsts';
import { isPattern } from '@valetkey/core/policy/pattern';
import type { BackendRules } from '@valetkey/core/policy/rules';

const other = 'other';

/** MCP 2024-11-05 to 2026-07-28, and what `askedWithoutBody` calls the two methods without a body. */
const methods = new Set([
  'completion/complete',
  'elicitation/create',
  'initialize',
  'logging/setLevel',
  'notifications/cancelled',
  'notifications/elicitation/complete',
  'notifications/initialized',
  'notifications/message',
  'notifications/progress',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
  'notifications/roots/list_changed',
  'notifications/tasks/status',
  'notifications/tools/list_changed',
  'ping',
  'prompts/get',
  'prompts/list',
  'resources/list',
  'resources/read',
  'resources/subscribe',
  'resources/templates/list',
  'resources/unsubscribe',
  'roots/list',
  'sampling/createMessage',
  'server/discover',
  'subscriptions/listen',
  'tasks/cancel',
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'tasks/update',
  'tools/call',
  'tools/list',
  'http GET',
  'http DELETE',
]);

export function methodLabel(method: string): string {
  if (method === '') return 'response';
  return methods.has(method) ? method : other;
}

/** @returns the tool's name where a rule names it exactly. */
export function createToolLabel(rules: Pick<BackendRules, 'tools'>): (tool: string) => string {
  const named = new Set(Object.keys(rules.tools).filter((name) => !isPattern(name)));
  return (tool) => (named.has(tool) ? tool : other);
}

const httpMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT', 'TRACE']);

/** `_OTHER`, as the semantic conventions of HTTP have it. */
export function httpMethodLabel(method: string): string {
  return httpMethods.has(method) ? method : '_OTHER';
}

/** How a client came to be known, told from its id alone. */
export type ClientKind = 'document' | 'dynamic' | 'configured';

export function clientKind(clientId: string): ClientKind {
  if (clientId.startsWith('https://')) return 'document';
  return clientId.startsWith('c-') ? 'dynamic' : 'configured';
}

const maxHosts = 50;

/**
 * The host of a metadata document, the id that the operator gave a client, `dynamic` for all that registered themselves:
 * their names are what they say of themselves. `valetkey funnel` tells them apart.
 */
export function createClientLabel(configured: ReadonlySet<string>): (clientId: string) => string {
  const hosts = new Set<string>();
  return (clientId) => {
    if (configured.has(clientId)) return clientId;
    if (clientKind(clientId) !== 'document') return clientId.startsWith('c-') ? 'dynamic' : other;
    const host = URL.parse(clientId)?.host ?? other;
    if (!hosts.has(host) && hosts.size >= maxHosts) return other;
    hosts.add(host);
    return host;
  };
}

const maxReasons = 200;

/** Reasons are words of our own code or of OAuth, and codes of Entra; a browser can bring any number, though. */
export function createReasonLabel(): (reason: string) => string {
  const seen = new Set<string>();
  return (reason) => {
    const code = /^AADSTS(\d{4,10})$/.exec(reason)?.[1];
    if (code !== undefined) return findAadsts(Number(code)) === undefined ? 'AADSTS_other' : reason;
    if (!/^[a-z][a-z_-]{0,60}$/.test(reason)) return other;
    if (!seen.has(reason) && seen.size >= maxReasons) return other;
    seen.add(reason);
    return reason;
  };
}
