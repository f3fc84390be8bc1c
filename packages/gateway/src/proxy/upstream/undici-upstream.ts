import { Pool } from 'undici';
import { listHeaders } from '../upstream-headers.ts';
import {
  type Answer,
  type Asking,
  type Upstream,
  UpstreamFault,
  type UpstreamOptions,
  type UpstreamRequest,
} from './upstream.ts';

export function openUndiciUpstream(origin: string, { connectMs }: UpstreamOptions): Upstream {
  const pool = new Pool(origin, {
    // No bound on connections: an event stream holds one for hours, and must not keep the next call waiting.
    connections: null,
    // One request per connection, so that aborting one never harms another.
    pipelining: 1,
    allowH2: false,
    connect: { timeout: connectMs },
    // Between bytes a stream may be silent as long as it likes; the first one is timed here.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return {
    ask(request): Asking {
      const controller = new AbortController();
      return { answer: send(pool, request, controller), giveUp: () => controller.abort() };
    },
    close: () => pool.destroy(),
  };
}

async function send(pool: Pool, request: UpstreamRequest, controller: AbortController): Promise<Answer> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    controller.abort();
  }, request.firstByteMs);
  try {
    const { statusCode, headers, body } = await pool.request({
      path: request.path,
      method: request.method,
      headers: listHeaders(request.headers),
      body: request.body ?? null,
      signal: controller.signal,
    });
    // It can break before anybody reads it: without a listener that ends the process.
    body.on('error', () => {});
    return { statusCode, headers: headers as Answer['headers'], whole: undefined, body };
  } catch (error) {
    if (controller.signal.aborted) throw new UpstreamFault(isLate ? 'timeout' : 'gave_up');
    throw new UpstreamFault(codeOf(error));
  } finally {
    clearTimeout(timer);
  }
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : 'unknown';
}
