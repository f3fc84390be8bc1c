/** Access tokens of many people at once: sealed with the gateway's own keys, as its authorization server seals them. */
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { issueToken } from '@valetkey/gateway/enforce/issued-token.suite';
import { openKeyRing } from '@valetkey/gateway/store/key-file';
import type { Product } from './product.ts';

export interface Holder {
  /** The object id, by which a backend knows the person. */
  readonly person: string;
  readonly token: string;
}

/** @param count people, each with a session of their own, who may enter the snippets backend. */
export async function mintTokens(product: Product, count: number): Promise<Holder[]> {
  const clock = { nowMs: () => Date.now() };
  const ring = await openKeyRing(join(product.directory, 'keys.json'), randomBytes, clock);
  if (!ring.ok) throw new Error(ring.error.problem);
  const iat = Math.floor(clock.nowMs() / 1000);
  const tid = product.config.entra.tenants[0] ?? '';
  const mint = async (person: string): Promise<Holder> => {
    const about = { sub: `${tid}.${person}`, tid, oid: person, sid: randomUUID(), jti: randomUUID() };
    const audience = { iss: product.url, aud: product.mcpUrl };
    const changes = { ...about, ...audience, iat, exp: iat + 3600, client_id: 'minted' };
    return { person, token: await issueToken(ring.value, changes, { header: audience }) };
  };
  return Promise.all(Array.from({ length: count }, () => mint(randomUUID())));
}
