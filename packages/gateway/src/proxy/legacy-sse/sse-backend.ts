/** The way to a backend of revision 2024-11-05: toward the client Streamable HTTP, with a stream for each session. */
import type { BackendProxy } from '../backend-proxy.ts';
import { createMessageBackend, type MessageBackendOptions } from '../messages/message-backend.ts';
import { createSseLinks, type SseLinkOptions } from './sse-link.ts';

export type SseBackendOptions = SseLinkOptions &
  Pick<
    MessageBackendOptions,
    'clock' | 'store' | 'random' | 'timer' | 'isRevoked' | 'keepAlive' | 'describeFault'
  >;

const maxSessions = 10_000;
const maxPerPerson = 100;
/** A client that was closed without a word leaves its stream behind for this long. */
const idleSeconds = 1800;

export function createSseBackend(options: SseBackendOptions): BackendProxy {
  const links = createSseLinks(options);
  const proxy = createMessageBackend({
    ...options,
    openLink: links.open,
    mode: 'perSession',
    mayBeModern: false,
    maxOpen: maxSessions,
    maxPerPerson,
    idleSeconds,
  });
  return {
    forward: proxy.forward,
    async close() {
      await proxy.close();
      await links.close();
    },
  };
}
