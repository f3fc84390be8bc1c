/**
 * The way to a backend that is a command on this machine. Which command is known from the local configuration file
 * alone: no request, no token and no document names one (CVE-2026-30623).
 */
import { describeInMeta } from '@valetkey/core/policy/told-identity';
import type { StdioBackendConfig } from '../../config/config.ts';
import type { BackendProxy } from '../backend-proxy.ts';
import { createMessageBackend, type MessageBackendOptions } from '../messages/message-backend.ts';
import { createProcessLinks, type ProcessLinkOptions, toldAtStart } from './process-link.ts';

export interface StdioBackendOptions
  extends ProcessLinkOptions,
    Pick<MessageBackendOptions, 'store' | 'random' | 'timer' | 'isRevoked' | 'keepAlive' | 'describeFault'> {
  readonly backend: StdioBackendConfig;
}

/** A person works with some windows open; a client that never says goodbye must not take everybody's room. */
const maxPerPerson = 10;

export function createStdioBackend(options: StdioBackendOptions): BackendProxy {
  const { backend } = options;
  const { mode, identity, maxProcesses, idleSeconds } = backend.process;
  return createMessageBackend({
    ...options,
    openLink: createProcessLinks(options),
    mode,
    mayBeModern: true,
    metaFor: identity === 'meta' ? describeInMeta : () => ({}),
    toldAtOpening: (principal) => JSON.stringify(toldAtStart(backend, principal)),
    maxOpen: maxProcesses,
    maxPerPerson,
    idleSeconds,
  });
}
