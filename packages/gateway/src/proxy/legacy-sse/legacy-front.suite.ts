/** For tests: the older addresses of a backend, before whatever way there is to it. */
import { randomBytes } from 'node:crypto';
import { jsonRpcError } from '@valetkey/core/mcp/errors';
import type { BackendProxy } from '../backend-proxy.ts';
import { faultName } from '../backend-proxy.ts';
import { anna, ben, readText, startFront } from '../front-and-back.suite.ts';
import { createKeepAlive } from '../keep-alive.ts';
import { createLegacyFront } from './legacy-front.ts';

/** @param mayStill of every request: see `ForwardRequest`. */
export async function startLegacyFront(proxy: BackendProxy, mayStill: () => boolean = () => true) {
  const ends: string[] = [];
  const beats = new Set<() => void>();
  const keepAlive = createKeepAlive(15, (work) => {
    beats.add(work);
    return () => void beats.delete(work);
  });
  const legacy = createLegacyFront({
    addresses: { sse: '/snippets/mcp/sse', message: '/snippets/mcp/message' },
    proxy,
    keepAlive,
    random: (size) => randomBytes(size),
    describeFault: (fault, id) => jsonRpcError(id, 502, faultName(fault)),
  });
  const front = await startFront(async (exchange) => {
    const { req, res, method } = exchange;
    const principal = req.headers['x-test-person'] === 'ben' ? ben : anna;
    const body = method === 'POST' ? Buffer.from(await readText(req)) : undefined;
    const way = method === 'GET' ? legacy.sse : legacy.message;
    const forwarded = await way.forward(exchange, { principal, body, era: 'legacy', mayStill });
    if (forwarded.ok) ends.push(`${method} ${await forwarded.value.ended}`);
    else res.writeHead(599).end(faultName(forwarded.error));
  });
  return {
    url: front.url,
    sseUrl: `${front.url}/snippets/mcp/sse`,
    ends,
    passSeconds(seconds: number) {
      for (let passed = 0; passed < seconds; passed += 1) for (const beat of beats) beat();
    },
    close: front.close,
  };
}

/** A client of revision 2024-11-05 by hand. */
export async function openLegacyStream(sseUrl: string, person = 'anna') {
  const leaving = new AbortController();
  const answer = await fetch(sseUrl, {
    headers: { accept: 'text/event-stream', 'x-test-person': person },
    signal: leaving.signal,
  });
  const received = { text: '', hasEnded: false };
  const drain = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) received.text += decoder.decode(chunk, { stream: true });
  };
  void drain()
    .catch(() => undefined)
    .finally(() => {
      received.hasEnded = true;
    });
  const endpoint = () => /event: endpoint\ndata: (.*)\n\n/.exec(received.text)?.[1];
  return {
    answer,
    received,
    endpoint,
    leave: () => leaving.abort(),
    messages: () =>
      received.text
        .split('\n\n')
        .filter((event) => event.startsWith('event: message\n'))
        .map((event) => JSON.parse(event.slice('event: message\ndata: '.length)) as Record<string, unknown>),
    send: (message: unknown, as = person, address = endpoint() ?? '') =>
      fetch(new URL(address, sseUrl), {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-test-person': as },
        body: JSON.stringify(message),
      }),
  };
}
