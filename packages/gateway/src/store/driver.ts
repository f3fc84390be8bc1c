/**
 * Room `store`: durable state. A driver moves opaque bytes under opaque keys and knows nothing of what they
 * mean; `sealed.ts` encrypts above it, and typed collections stand above that.
 *
 * Every driver passes `driver.suite.ts`.
 */

export interface DriverRecord {
  readonly value: Uint8Array;
  /** Seconds since the epoch from which the record no longer exists; undefined: until deleted. */
  readonly expiresAtSeconds?: number;
  /** Names under which `list` and `deleteGroup` find the record, such as a grant or a person. */
  readonly groups?: readonly string[];
}

/**
 * The store did not answer. The edge turns it into 503 with `Retry-After`. A record is then as it was before, or
 * wholly as asked: where only the answer was lost, nobody can know which.
 */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

export interface KeyedRecord {
  readonly key: string;
  readonly record: DriverRecord;
}

export interface ScanPage {
  readonly records: readonly KeyedRecord[];
  /** For the next page; undefined: this was the last. */
  readonly next?: string;
}

/** All operations see live records only: an expired record is absent even before it is swept. */
export interface Driver {
  get(key: string): Promise<DriverRecord | undefined>;
  /** Writes, whether or not the key exists; replaces groups and expiry too. */
  put(key: string, record: DriverRecord): Promise<void>;
  /** Writes only if the key does not exist. @returns whether it wrote; of N concurrent calls one gets `true`. */
  create(key: string, record: DriverRecord): Promise<boolean>;
  /** Writes only if the stored value equals `expected` byte for byte. @returns whether it wrote. */
  replace(key: string, expected: Uint8Array, record: DriverRecord): Promise<boolean>;
  /** Reads and deletes in one step: of N concurrent calls at most one gets the record. */
  take(key: string): Promise<DriverRecord | undefined>;
  delete(key: string): Promise<boolean>;
  /** Live records of a group, in no particular order. */
  list(group: string): Promise<KeyedRecord[]>;
  /**
   * Deletes all records of a group. What is put into the group meanwhile may stay. Where it ends with
   * `StoreUnavailable`, a part of the records may be gone; calling it again goes on.
   * @returns how many live records went.
   */
  deleteGroup(group: string): Promise<number>;
  /**
   * All live records, page by page, each exactly once where nobody writes meanwhile. A record that lives all the
   * while is never left out. Pages may be empty.
   * @param cursor `next` of the page before; undefined: the first page.
   */
  scan(cursor?: string): Promise<ScanPage>;
  /** Removes expired records for good, at most `limit` of them. @returns how many went. */
  sweep(limit: number): Promise<number>;
  /** Resolves when the store answers. @throws StoreUnavailable */
  ping(): Promise<void>;
  close(): Promise<void>;
}
