/** What was said in two runs of one program, compared message by message. */
import type { Passed } from '../support/bearer-adapter.ts';

export interface Difference {
  readonly request: string;
  readonly direct: string | undefined;
  readonly through: string | undefined;
}

interface Said {
  readonly request: string;
  readonly answer: string;
  /** Status and JSON-RPC code, where the answer is an error. */
  readonly refusal: string | undefined;
}

/**
 * Answers that differ, for requests that do not.
 *
 * A refusal is the same when its status and its JSON-RPC code are: the gateway refuses some things by itself, in
 * other words. All other answers must be the same, byte by byte, beside what no two runs have in common.
 */
export function findDifferences(direct: readonly Passed[], through: readonly Passed[]): Difference[] {
  const [ours, theirs] = [group(through), group(direct)];
  return [...new Set([...theirs.keys(), ...ours.keys()])].flatMap((request) => {
    const [ofDirect, ofThrough] = [theirs.get(request) ?? [], ours.get(request) ?? []];
    return Array.from({ length: Math.max(ofDirect.length, ofThrough.length) }, (_each, index) => index)
      .filter((index) => !isSame(ofDirect[index], ofThrough[index]))
      .map((index) => ({ request, direct: ofDirect[index]?.answer, through: ofThrough[index]?.answer }));
  });
}

function isSame(direct: Said | undefined, through: Said | undefined): boolean {
  if (direct === undefined || through === undefined) return false;
  if (direct.answer === through.answer) return true;
  return direct.refusal !== undefined && direct.refusal === through.refusal;
}

/** How often a client asks after a task depends on the time that passes. */
const isTimed = ({ requestBody }: Passed) => requestBody.includes('"tasks/get"');

/** By request, with the answers in a fixed order: of requests at the same time, none is the first. */
function group(passed: readonly Passed[]): Map<string, Said[]> {
  const groups = new Map<string, Said[]>();
  for (const each of passed.filter((one) => !isTimed(one))) {
    const request = mask(`${each.method} ${mcpHeadersOf(each)}\n${each.requestBody}`);
    groups.set(request, [...(groups.get(request) ?? []), saidBy(request, each)]);
  }
  for (const said of groups.values()) said.sort((one, other) => (one.answer < other.answer ? -1 : 1));
  return groups;
}

function mcpHeadersOf({ requestHeaders }: Passed): string {
  const named = Object.entries(requestHeaders).filter(([name]) => /^(?:mcp-|host$)/.test(name));
  return JSON.stringify(named.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

function saidBy(request: string, { status, headers, body }: Passed): Said {
  const type = String(headers['content-type'] ?? '').split(';')[0];
  const answer = mask(
    `${status} ${type} ${headers['mcp-session-id'] === undefined ? '' : 'in a session'}\n${body}`,
  );
  return { request, answer, refusal: status < 400 ? undefined : `${status} ${String(codeOf(body))}` };
}

function codeOf(body: string): unknown {
  try {
    const { error } = JSON.parse(body) as { error?: { code?: unknown } };
    // Which host is wrong is answered before anybody knows that it is JSON-RPC.
    return error?.code === -32_000 ? undefined : error?.code;
  } catch {
    return undefined;
  }
}

/** Ids, times, ports and sealed states differ between any two runs. */
function mask(text: string): string {
  return (
    text
      .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uuid>')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
      .replace(/localhost:\d+/g, '<host>')
      .replace(/"v1\.[\w-]+\.[\w-]+/g, '"<state>')
      // The tool counts its requests, and so the times it asked after a task.
      .replace(/("id"|subscriptionId"):\s?\d+/g, '$1:<number>')
  );
}
