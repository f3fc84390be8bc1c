/** A stream that its server never ends (`subscriptions/listen` of MCP 2026-07-28), as a client holds it open. */
import { callMcp } from './oauth-client.ts';

export interface EventStream {
  /** Resolves when it ends or breaks. */
  readonly ended: Promise<void>;
  isOpen(): boolean;
  close(): void;
}

const prefix = 'io.modelcontextprotocol/';
const version = '2026-07-28';
const method = 'subscriptions/listen';

export async function openEventStream(
  mcpUrl: string,
  token: string,
  more: Record<string, string> = {},
): Promise<EventStream> {
  const params = {
    notifications: { toolsListChanged: true },
    _meta: {
      [`${prefix}protocolVersion`]: version,
      [`${prefix}clientInfo`]: { name: 'test', version: '1' },
      [`${prefix}clientCapabilities`]: {},
    },
  };
  const headers = { 'mcp-protocol-version': version, 'mcp-method': method, ...more };
  const response = await callMcp(mcpUrl, token, method, params, headers);
  const reader = response.body?.getReader();
  const first = await reader?.read();
  const text = new TextDecoder().decode(first?.value);
  if (!text.includes('acknowledged')) throw new Error(`no stream: ${response.status} ${text}`);
  let isOpen = true;
  const drain = async () => {
    while ((await reader?.read())?.done === false);
  };
  const ended = drain()
    .catch(() => undefined)
    .finally(() => {
      isOpen = false;
    });
  return { ended, isOpen: () => isOpen, close: () => void reader?.cancel().catch(() => undefined) };
}
