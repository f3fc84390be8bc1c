import { nowSeconds, type Realm } from '../realm.ts';

/** v1 answers in strings, and says the absolute times and the resource as well. */
export function lifetimeFields(
  realm: Realm,
  version: 1 | 2,
  lifetimeSeconds: number,
  resource: string,
): Record<string, unknown> {
  if (version === 2) return { expires_in: lifetimeSeconds, ext_expires_in: lifetimeSeconds };
  const now = nowSeconds(realm);
  return {
    expires_in: String(lifetimeSeconds),
    ext_expires_in: String(lifetimeSeconds),
    expires_on: String(now + lifetimeSeconds),
    not_before: String(now - 300),
    resource,
  };
}
