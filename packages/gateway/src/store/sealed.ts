/**
 * Seals what the store holds: JSON under AES-256-GCM, ids and groups hashed, the record's key as additional
 * data. Who reads the database, a backup or a disk learns neither tokens nor ids, and cannot move a record
 * to another id or plant one.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import type { RandomBytes } from '@valetkey/core/base/random';
import { openBytes, sealBytes } from '@valetkey/core/crypto/envelope';
import type { KeyRing } from '@valetkey/core/crypto/key-ring';
import type { Collection, Store, WriteOptions } from './collection.ts';
import { StoreContended, StoreDamaged } from './damage.ts';
import type { Driver, DriverRecord } from './driver.ts';

export interface StoreOptions {
  readonly driver: Driver;
  readonly keyRing: KeyRing;
  readonly random: RandomBytes;
  readonly clock: Clock;
}

/** A writer that lost this often in a row meets a fault, not bad luck. */
const maxUpdateAttempts = 20;

/**
 * Every operation may throw `StoreUnavailable`; those that read may throw `StoreDamaged`, and `take` has then
 * removed the record all the same.
 */
export function createStore(options: StoreOptions): Store {
  const { driver } = options;
  return {
    collection: <Value>(name: string) => createCollection<Value>(name, options),
    ping: () => driver.ping(),
    close: () => driver.close(),
  };
}

function createCollection<Value>(name: string, options: StoreOptions): Collection<Value> {
  const { driver, clock } = options;
  const sealer = createSealer<Value>(name, options);
  const keyOf = (text: string) => `${name}:${createHash('sha256').update(text).digest('hex')}`;

  const seal = (key: string, value: Value, write: WriteOptions = {}): DriverRecord => ({
    value: sealer.seal(key, value),
    ...(write.lifetimeSeconds === undefined
      ? {}
      : { expiresAtSeconds: Math.floor(nowSeconds(clock) + write.lifetimeSeconds) }),
    ...(write.groups === undefined ? {} : { groups: write.groups.map(keyOf) }),
  });
  const open = (key: string, record: DriverRecord | undefined) =>
    record === undefined ? undefined : sealer.open(key, record.value);

  return {
    get: async (id) => open(keyOf(id), await driver.get(keyOf(id))),
    put: async (id, value, write) => driver.put(keyOf(id), seal(keyOf(id), value, write)),
    create: async (id, value, write) => driver.create(keyOf(id), seal(keyOf(id), value, write)),
    take: async (id) => open(keyOf(id), await driver.take(keyOf(id))),
    delete: (id) => driver.delete(keyOf(id)),
    list: async (group) =>
      (await driver.list(keyOf(group))).map(({ key, record }) => sealer.open(key, record.value)),
    deleteGroup: (group) => driver.deleteGroup(keyOf(group)),

    update: async (id, change, write) => {
      const key = keyOf(id);
      for (let attempt = 0; attempt < maxUpdateAttempts; attempt += 1) {
        const record = await driver.get(key);
        if (record === undefined) return undefined;
        const next = change(sealer.open(key, record.value));
        if (next === undefined) return undefined;
        if (await driver.replace(key, record.value, { ...record, ...seal(key, next, write) })) return next;
      }
      throw new StoreContended(name);
    },
  };
}

function createSealer<Value>(name: string, { keyRing, random }: StoreOptions) {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { fatal: true });
  return {
    seal: (key: string, value: Value): Uint8Array =>
      sealBytes(keyRing.current('store'), encoder.encode(JSON.stringify(value)), encoder.encode(key), random),

    open: (key: string, sealed: Uint8Array): Value => {
      const opened = openBytes((kid) => keyRing.find('store', kid), sealed, encoder.encode(key));
      if (!opened.ok) {
        throw new StoreDamaged(name, opened.error === 'unknown-key' ? 'unknown-key' : 'forged');
      }
      // Authentic bytes are bytes we wrote: the shape is the writer's, so it is not judged again.
      return JSON.parse(decoder.decode(opened.value)) as Value;
    },
  };
}
