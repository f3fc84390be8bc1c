import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import type { RandomBytes } from '@valetkey/core/base/random';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { removeKeys, stageKeys, useStagedKeys } from '@valetkey/core/crypto/key-ring';
import type { Driver } from '../store/driver.ts';
import type { KeyFault } from '../store/key-file.ts';
import { countByKey, resealStore } from '../store/reseal.ts';
import type { KeySource } from './key-source.ts';

export interface KeyReport {
  readonly kid: string;
  readonly isCurrent: boolean;
  readonly createdAtSeconds: number;
  /** Records of the store that it has sealed. */
  readonly records: number;
}

export interface RotationOptions {
  readonly source: KeySource;
  readonly random: RandomBytes;
  readonly clock: Clock;
}

/** Adds keys that are not used yet. @returns the id of the new sealing key. */
export async function stageNewKeys({
  source,
  random,
  clock,
}: RotationOptions): Promise<Result<string, KeyFault>> {
  const loaded = await source.load();
  if (!loaded.ok) return loaded;
  const { file } = loaded.value;
  if (file.keys.at(-1)?.kid !== file.current)
    return err({
      problem: 'A rotation has begun and not ended: the newest key is not in use yet',
      remedy: 'Run: valetkey keys rotate --step use',
    });
  const staged = stageKeys(file, random, nowSeconds(clock));
  const saved = await source.save(staged);
  return saved.ok ? ok(staged.keys.at(-1)?.kid ?? '') : saved;
}

/** Puts the newest keys to use. @returns the id of the sealing key in use now. */
export async function useNewKeys({ source, clock }: RotationOptions): Promise<Result<string, KeyFault>> {
  const loaded = await source.load();
  if (!loaded.ok) return loaded;
  const used = useStagedKeys(loaded.value.file, nowSeconds(clock));
  const saved = await source.save(used);
  return saved.ok ? ok(used.current) : saved;
}

export async function reportKeys(source: KeySource, driver: Driver): Promise<Result<KeyReport[], KeyFault>> {
  const loaded = await source.load();
  if (!loaded.ok) return loaded;
  const { file } = loaded.value;
  const counts = await countByKey(driver);
  return ok(
    file.keys.map(({ kid, createdAtSeconds }) => ({
      kid,
      createdAtSeconds,
      isCurrent: kid === file.current,
      records: counts.get(kid) ?? 0,
    })),
  );
}

/**
 * Removes keys that seal nothing any more: no record of the store, and no access token or cookie, which are kept
 * nowhere and therefore waited out.
 *
 * @param options.waitSeconds how long tokens and cookies sealed by the key before may be in use.
 * @returns the ids of the keys that went.
 */
export async function pruneKeys(
  options: RotationOptions & { readonly driver: Driver; readonly waitSeconds: number },
): Promise<Result<string[], KeyFault>> {
  const { source, driver, random, clock, waitSeconds } = options;
  const loaded = await source.load();
  if (!loaded.ok) return loaded;
  const { file, ring } = loaded.value;
  if (file.keys.at(-1)?.kid !== file.current)
    return err({
      problem: 'A rotation has begun and not ended',
      remedy: 'Run: valetkey keys rotate --step use',
    });
  const leftSeconds = (file.currentSinceSeconds ?? 0) + waitSeconds - nowSeconds(clock);
  if (leftSeconds > 0)
    return err({
      problem: 'Access tokens that an older key has sealed are still in use',
      remedy: `Run it again in ${Math.ceil(leftSeconds / 60)} minutes.`,
    });
  await resealStore({ driver, keyRing: ring, random });
  const counts = await countByKey(driver);
  const unused = file.keys
    .filter(({ kid }) => kid !== file.current && !counts.has(kid))
    .map(({ kid }) => kid);
  const saved = await source.save(removeKeys(file, new Set(unused)));
  return saved.ok ? ok(unused) : saved;
}
