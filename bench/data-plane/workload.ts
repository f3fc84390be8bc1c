/** What is sent, and where: the same addresses at every subject, the same bodies, one kind of token each. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Address at a subject, and what the backend does there. */
export const addresses = {
  '/call/mcp': '/size/600',
  '/4k/mcp': '/size/4096',
  '/256k/mcp': '/size/262144',
  '/list-10/mcp': '/list/10',
  '/list-100/mcp': '/list/100',
  '/list-1000/mcp': '/list/1000',
  '/events/mcp': '/events/100/10',
  '/seconds/mcp': '/events/1000000/1000',
  '/idle/mcp': '/events/0/0',
} as const;

export type Address = keyof typeof addresses;

export const connections = 64;
/** Sign-ins that take turns: a gateway that serves one person only would be measured too well. */
export const callers = 8;

/** A call of `save_snippet` in exactly so many bytes. */
export function callOfSize(bytes: number): string {
  const call = (text: string) =>
    JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name: 'save_snippet',
        arguments: { snippetname: 'shopping', snippet: text },
        _meta: { progressToken: 1 },
      },
    });
  return call('a'.repeat(bytes - call('').length));
}

export const bodies: Readonly<Record<string, string>> = {
  '/call/mcp': callOfSize(300),
  '/4k/mcp': callOfSize(4096),
  '/256k/mcp': callOfSize(262_144),
  list: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }),
};

/** A request as it goes over the wire, with the headers that MCP clients send. @param body undefined: a GET. */
export function requestBytes(port: number, address: Address, token: string, body?: string): string {
  const lines = [
    `${body === undefined ? 'GET' : 'POST'} ${address} HTTP/1.1`,
    `host: localhost:${port}`,
    'connection: keep-alive',
    `authorization: Bearer ${token}`,
    ...(body === undefined ? [] : ['content-type: application/json']),
    `accept: ${body === undefined ? 'text/event-stream' : 'application/json, text/event-stream'}`,
    'mcp-protocol-version: 2025-11-25',
    'accept-language: *',
    'sec-fetch-mode: cors',
    'user-agent: node',
    'accept-encoding: gzip, deflate',
    ...(body === undefined ? [] : [`content-length: ${Buffer.byteLength(body)}`]),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`;
}

/** Writes one file for each of the requests. @returns their paths. */
export function writeRequests(folder: string, name: string, requests: readonly string[]): string[] {
  mkdirSync(folder, { recursive: true });
  return requests.map((bytes, index) => {
    const file = join(folder, `${name}-${index}.http`);
    writeFileSync(file, bytes);
    return file;
  });
}
