/**
 * The whole store as lines of JSON, and back: a backup, or the way from one driver to another. Records stay sealed as
 * they are, so the same key ring opens them at the other end, tokens that people hold go on working, and the file is
 * worth no more to a thief than the store.
 */
import { openBytes } from '@valetkey/core/crypto/envelope';
import type { KeyRing } from '@valetkey/core/crypto/key-ring';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { Driver, DriverRecord, KeyedRecord } from './driver.ts';
import { canaryCollection } from './key-check.ts';

export interface TransferFault {
  readonly problem: string;
  readonly remedy: string;
}

const format = 'valetkey-store';
const version = 1;

/** How many records are written at the same time. */
const batchSize = 50;

/**
 * The lines, each with its line end: a header, the live records, and their number, without which a file is cut off.
 *
 * @throws TransferStopped at the first record that the key ring does not open; StoreUnavailable.
 */
export async function* exportRecords(driver: Driver, keyRing: KeyRing): AsyncGenerator<string> {
  yield line({ format, version });
  let records = 0;
  for (let cursor: string | undefined, pages = 0; pages === 0 || cursor !== undefined; pages += 1) {
    const page = await driver.scan(cursor);
    for (const record of page.records) {
      if (!doesOpen(record, keyRing)) throw new TransferStopped(keyFault);
      yield line(writeRecord(record));
      records += 1;
    }
    cursor = page.next;
  }
  yield line({ records });
}

/**
 * Writes what `exportRecords` gave. Each record is opened with the key ring first, so that nothing is written that
 * nobody could read. Where it stops, what was written stays; importing the same file again goes over it.
 *
 * @param merge into a store that holds records already.
 * @returns how many records were written.
 * @throws StoreUnavailable
 */
export async function importRecords(
  driver: Driver,
  keyRing: KeyRing,
  lines: AsyncIterable<string>,
  { merge = false }: { readonly merge?: boolean } = {},
): Promise<Result<number, TransferFault>> {
  if (!merge && (await holdsRecords(driver))) return err(notEmpty);
  const state = { written: 0, isOpen: false, batch: [] as KeyedRecord[] };
  const flush = async () => {
    await Promise.all(state.batch.map(({ key, record }) => driver.put(key, record)));
    state.written += state.batch.length;
    state.batch = [];
  };
  for await (const text of lines) {
    if (text === '') continue;
    const parsed = parseLine(text);
    if (!state.isOpen) {
      if (parsed.kind !== 'header') return err(notAnExport);
      if (parsed.version !== version) return err(newerExport);
      state.isOpen = true;
    } else if (parsed.kind === 'end') {
      await flush();
      return parsed.records === state.written ? ok(state.written) : err(damaged);
    } else if (parsed.kind !== 'record') {
      return err(damaged);
    } else {
      if (!doesOpen(parsed.record, keyRing)) return err(keyFault);
      state.batch.push(parsed.record);
      if (state.batch.length >= batchSize) await flush();
    }
  }
  return err(state.isOpen ? cutOff : notAnExport);
}

/** An export that cannot go on, with what its operator can do. */
export class TransferStopped extends Error {
  override readonly name = 'TransferStopped';
  readonly fault: TransferFault;

  constructor(fault: TransferFault) {
    super(fault.problem);
    this.fault = fault;
  }
}

async function holdsRecords(driver: Driver): Promise<boolean> {
  // A gateway that was started once leaves its canary, which is nobody's session.
  for (let cursor: string | undefined, pages = 0; pages === 0 || cursor !== undefined; pages += 1) {
    const page = await driver.scan(cursor);
    if (page.records.some(({ key }) => !key.startsWith(`${canaryCollection}:`))) return true;
    cursor = page.next;
  }
  return false;
}

function doesOpen({ key, record }: KeyedRecord, keyRing: KeyRing): boolean {
  const find = (kid: string) => keyRing.find('store', kid);
  return openBytes(find, record.value, new TextEncoder().encode(key)).ok;
}

function line(content: object): string {
  return `${JSON.stringify(content)}\n`;
}

function writeRecord({ key, record }: KeyedRecord): object {
  const { value, expiresAtSeconds, groups = [] } = record;
  return {
    key,
    ...(expiresAtSeconds === undefined ? {} : { expiresAtSeconds }),
    groups,
    value: Buffer.from(value).toString('base64'),
  };
}

type Line =
  | { readonly kind: 'header'; readonly version: unknown }
  | { readonly kind: 'record'; readonly record: KeyedRecord }
  | { readonly kind: 'end'; readonly records: number }
  | { readonly kind: 'unknown' };

function parseLine(text: string): Line {
  const content = parseJson(text);
  if (content['format'] === format) return { kind: 'header', version: content['version'] };
  if (typeof content['records'] === 'number') return { kind: 'end', records: content['records'] };
  const { key, value, groups, expiresAtSeconds } = content;
  const isRecord =
    typeof key === 'string' &&
    typeof value === 'string' &&
    Array.isArray(groups) &&
    groups.every((group) => typeof group === 'string') &&
    (expiresAtSeconds === undefined || Number.isSafeInteger(expiresAtSeconds));
  if (!isRecord) return { kind: 'unknown' };
  const record: DriverRecord = {
    value: new Uint8Array(Buffer.from(value, 'base64')),
    groups,
    ...(typeof expiresAtSeconds === 'number' ? { expiresAtSeconds } : {}),
  };
  return { kind: 'record', record: { key, record } };
}

function parseJson(text: string): Readonly<Record<string, unknown>> {
  try {
    const content: unknown = JSON.parse(text);
    return typeof content === 'object' && content !== null ? (content as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

const keyFault: TransferFault = {
  problem: 'A record is sealed with a key that the key ring does not hold, or is damaged',
  remedy: 'Use the key ring that the store was used with: move keys.file along, unchanged.',
};
const notEmpty: TransferFault = {
  problem: 'The store holds records already',
  remedy: 'Import into an empty store, or write --merge: records of the same id are then replaced.',
};
const notAnExport: TransferFault = {
  problem: 'This is no export of a store',
  remedy: 'Give the file that valetkey export wrote.',
};
const newerExport: TransferFault = {
  problem: 'The export was written by another version of the format',
  remedy: 'Import it with the version of valetkey that wrote it, or export again with this one.',
};
const damaged: TransferFault = {
  problem: 'The export is damaged: a line is missing or is no record',
  remedy: 'Export again.',
};
const cutOff: TransferFault = {
  problem: 'The export is cut off: its last line is missing',
  remedy: 'Export again.',
};
