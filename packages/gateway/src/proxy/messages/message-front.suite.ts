/** For tests: a front that hands every MCP request to a proxy as the endpoint does, for a person named by a header. */
import { eraOf } from '@valetkey/core/mcp/era';
import { jsonRpcError } from '@valetkey/core/mcp/errors';
import { parseJsonRpcBody } from '@valetkey/core/mcp/json-rpc';
import type { BackendProxy, ForwardRequest } from '../backend-proxy.ts';
import { faultName } from '../backend-proxy.ts';
import { anna, ben, type Listening, readText, startFront } from '../front-and-back.suite.ts';
import type { DescribeFault } from './post-answer.ts';

export const describeFault: DescribeFault = (fault, id) => jsonRpcError(id, 502, faultName(fault));

export interface MessageFront extends Listening {
  readonly ends: string[];
}

/** Faults come as status 599 with their name. */
export async function startMessageFront(
  proxy: BackendProxy,
  more: Partial<ForwardRequest> = {},
): Promise<MessageFront> {
  const ends: string[] = [];
  const front = await startFront(async (exchange) => {
    const { req, res, method } = exchange;
    const { 'x-test-person': person, 'x-test-sign-in': signIn = '' } = req.headers;
    const known = person === 'ben' ? ben : anna;
    const principal = signIn === '' ? known : { ...known, sessionId: String(signIn) };
    const body = method === 'POST' ? Buffer.from(await readText(req)) : undefined;
    const parsed = body === undefined ? undefined : parseJsonRpcBody(body);
    const version = [req.headers['mcp-protocol-version'] ?? []].flat()[0];
    const [first] = parsed?.ok === true ? parsed.value.messages : [];
    const isBatch = parsed?.ok === true && parsed.value.isBatch;
    const era = first === undefined || isBatch ? 'legacy' : eraOf(first, version);
    const forwarded = await proxy.forward(exchange, { principal, body, era, ...more });
    if (forwarded.ok) ends.push(await forwarded.value.ended);
    else {
      ends.push(faultName(forwarded.error));
      if (!res.destroyed) res.writeHead(599).end(faultName(forwarded.error));
    }
  });
  return { ...front, ends };
}

/** As a client of Streamable HTTP posts. @param body a text goes as it is. */
export function postMessage(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}
