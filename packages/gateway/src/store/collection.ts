/**
 * A typed part of the store. Ids are never stored as they are: the key is a SHA-256 of the id, because many ids
 * (codes, refresh tokens, state values) are bearer secrets. Values are JSON, sealed with AES-256-GCM under the
 * key ring, with the key as additional data, so that a record cannot be moved to another id.
 */
export interface Collection<Value> {
  get(id: string): Promise<Value | undefined>;
  put(id: string, value: Value, options?: WriteOptions): Promise<void>;
  /** Writes only if the id is free. @returns whether it wrote. */
  create(id: string, value: Value, options?: WriteOptions): Promise<boolean>;
  /**
   * Compare-and-set: `change` sees the present value and gives the next one, or undefined to leave it.
   * Retried when another writer was faster; `change` must therefore be free of side effects.
   * Expiry and groups stay as they are, but where `options` gives new ones.
   * @returns the value now stored, or undefined where there was none or `change` declined.
   */
  update(
    id: string,
    change: (current: Value) => Value | undefined,
    options?: WriteOptions,
  ): Promise<Value | undefined>;
  /** Reads and deletes in one step. */
  take(id: string): Promise<Value | undefined>;
  delete(id: string): Promise<boolean>;
  /** All live values of a group. */
  list(group: string): Promise<Value[]>;
  deleteGroup(group: string): Promise<number>;
}

export interface WriteOptions {
  /** Seconds until the record is gone; undefined: kept until deleted. */
  readonly lifetimeSeconds?: number;
  /** Group names; hashed like ids. */
  readonly groups?: readonly string[];
}

export interface Store {
  /** @param name the namespace, such as `oauth.client`; two collections of one name share records. */
  collection<Value>(name: string): Collection<Value>;
  ping(): Promise<void>;
  close(): Promise<void>;
}
