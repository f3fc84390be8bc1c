import { openHttpUpstream } from './http-upstream.ts';
import { openUndiciUpstream } from './undici-upstream.ts';
import type { Upstream, UpstreamOptions } from './upstream.ts';

/**
 * Plain http has a client of our own, which costs a third of what undici does for a small call (bench/data-plane.ts);
 * for https undici keeps sessions and checks certificates, and what is left of its cost does not show.
 */
export function openUpstream(origin: string, options: UpstreamOptions): Upstream {
  return origin.startsWith('http:') ? openHttpUpstream(origin, options) : openUndiciUpstream(origin, options);
}
