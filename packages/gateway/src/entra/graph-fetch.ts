import type { GraphFetch } from '@valetkey/core/graph/graph-client';
import type { Outbound } from './outbound.ts';

/** The way to Microsoft Graph: the certificates that are trusted for Entra are trusted there too. */
export function createGraphFetch(outbound: Outbound): GraphFetch {
  return async (url, { method, headers, body }) => {
    const request = { method: method === 'GET' ? method : 'POST', url, headers } as const;
    const answer = await outbound.send(body === undefined ? request : { ...request, body });
    return {
      status: answer.status,
      headers: { get: (name) => answer.headers[name.toLowerCase()] ?? null },
      text: async () => answer.text,
    };
  };
}
