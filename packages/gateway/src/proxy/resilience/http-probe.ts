import { Agent, request } from 'undici';
import type { BackendConfig } from '../../config/config.ts';
import type { BackendCredential } from '../credentials/backend-credential.ts';
import type { Probe, ProbeResult } from './health-check.ts';

export interface HttpProbeOptions {
  readonly backend: Pick<BackendConfig, 'upstream' | 'health'>;
  readonly credential: Pick<BackendCredential, 'headersFor'>;
}

/** For the whole check. A backend that is slower than this is no help to anybody. */
const timeoutMs = 5000;

const ping = JSON.stringify({ jsonrpc: '2.0', id: 'valetkey-health', method: 'ping' });
const pingHeaders = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};

/**
 * Asks over a connection of its own, so that a full pool or a stale connection is not taken for an outage, and a
 * backend that takes no new connections is. Shows the gateway's own credential where it has one; nobody's identity.
 */
export function createHttpProbe({ backend, credential }: HttpProbeOptions): Probe {
  const path = backend.health?.path;
  const url = path === undefined ? backend.upstream : new URL(path, backend.upstream).href;
  return async () => {
    const shown = await credential.headersFor(undefined);
    if (!shown.ok) return { kind: 'unwell', reason: 'no_credential' };
    const agent = new Agent({ connect: { timeout: timeoutMs }, connections: 1, pipelining: 0 });
    try {
      const answer = await request(url, {
        dispatcher: agent,
        signal: AbortSignal.timeout(timeoutMs),
        ...(path === undefined
          ? { method: 'POST', body: ping, headers: { ...pingHeaders, ...shown.value } }
          : { method: 'GET', headers: { ...shown.value } }),
      });
      answer.body.on('error', () => {}).destroy();
      return judge(answer.statusCode, path !== undefined);
    } catch (error) {
      return { kind: 'down', reason: reasonOf(error) };
    } finally {
      await agent.destroy();
    }
  };
}

/** A ping may be refused for many reasons, all of which an MCP server that works can have (no session, an era without it). */
function judge(status: number, isOwnPath: boolean): ProbeResult {
  const isUp = isOwnPath ? status >= 200 && status < 300 : status < 500;
  return isUp ? { kind: 'up' } : { kind: 'unwell', reason: `HTTP ${status}` };
}

/** Only the code: a message could carry parts of an address. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code === 'string') return code;
  return error instanceof Error ? error.name : 'unknown';
}
