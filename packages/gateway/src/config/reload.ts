import { Secret } from '@valetkey/core/base/secret';
import type { Config } from './config.ts';
import type { ConfigFault } from './fault.ts';

/** What a reload puts into effect. Everything else, also what is added one day, is opened once, at the start. */
const reloadable: ReadonlySet<string> = new Set<keyof Config>([
  'backends',
  'clients',
  'limits',
  'allowedHosts',
  'allowedOrigins',
  'trustedProxies',
]);

/** Parts of reloadable sections that are built into what lasts. */
const lasting: readonly (readonly [path: string, part: (config: Config) => unknown])[] = [
  ['limits.requestTimeoutMs', ({ limits }) => limits.requestTimeoutMs],
  ['clients.metadataDocuments', ({ clients }) => clients.metadataDocuments],
];

/** @returns a fault for each changed part that only a restart puts into effect. */
export function checkReload(current: Config, next: Config): ConfigFault[] {
  const names = [...new Set([...Object.keys(current), ...Object.keys(next)])] as (keyof Config)[];
  const changed = [
    ...names.filter((name) => !reloadable.has(name) && !isSameConfig(current[name], next[name])),
    ...lasting.filter(([, part]) => !isSameConfig(part(current), part(next))).map(([path]) => path),
  ];
  return changed.map((path) => ({
    path,
    problem: 'was changed, and is read at the start only',
    remedy: 'Restart the gateway, or take this change back; until then nothing of the new file is in effect',
  }));
}

/** Whether two parts of a configuration say the same, their secrets included. */
export function isSameConfig(one: unknown, other: unknown): boolean {
  return asText(one) === asText(other);
}

/** For a comparison in memory: the secrets are in it. */
function asText(part: unknown): string {
  return JSON.stringify({ part }, function (this: Record<string, unknown>, name, value: unknown) {
    // `value` has gone through `Secret.toJSON` already.
    const original = this[name];
    return original instanceof Secret ? { secret: original.reveal() } : value;
  });
}
