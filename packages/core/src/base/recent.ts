/** What was used lately, in bounded memory. */
export interface Recent<Key, Value> {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): void;
  delete(key: Key): void;
  clear(): void;
}

/**
 * Two halves: what is used is in the young one, and when that is full the other one is forgotten as a whole. So what was
 * used among the last `most / 2` is always found, nothing that was not used among the last `most` is, and finding what is
 * in use changes nothing: a strict order of use would cost two writes per look-up.
 *
 * @param most entries at the most, 2 or more.
 */
export function createRecent<Key, Value>(most: number): Recent<Key, Value> {
  const half = Math.max(1, Math.floor(most / 2));
  let young = new Map<Key, Value>();
  let old = new Map<Key, Value>();

  function set(key: Key, value: Value): void {
    if (young.size >= half && !young.has(key)) {
      old = young;
      young = new Map();
    }
    young.set(key, value);
    old.delete(key);
  }

  return {
    get(key) {
      const found = young.get(key);
      if (found !== undefined || old.size === 0) return found;
      const older = old.get(key);
      if (older !== undefined) set(key, older);
      return older;
    },
    set,
    delete(key) {
      young.delete(key);
      old.delete(key);
    },
    clear() {
      young.clear();
      old.clear();
    },
  };
}
