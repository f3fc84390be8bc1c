/** What is under way: noted and crossed out again for each request, and gone through now and then. */
export interface Roll<Item> extends Iterable<Item> {
  /** @returns how to cross it out; done twice, nothing more happens. */
  add(item: Item): () => void;
  readonly isEmpty: boolean;
}

interface Entry<Item> {
  item: Item | undefined;
  before: Entry<Item>;
  after: Entry<Item>;
}

/**
 * A list in which each entry knows its neighbours. A `Set` would say the same, but when it cleans up, what it held before
 * stays reachable from its old table until the next full collection: with thousands of requests a second, all of them.
 */
export function createRoll<Item>(): Roll<Item> {
  const end = { item: undefined } as Entry<Item>;
  end.before = end;
  end.after = end;

  function crossOut(entry: Entry<Item>): void {
    if (entry.item === undefined) return;
    entry.before.after = entry.after;
    entry.after.before = entry.before;
    // An old entry must not lead to younger ones, for the same reason.
    entry.item = undefined;
    entry.before = entry;
    entry.after = entry;
  }

  return {
    add(item) {
      const entry: Entry<Item> = { item, before: end.before, after: end };
      end.before.after = entry;
      end.before = entry;
      return () => crossOut(entry);
    },
    get isEmpty() {
      return end.after === end;
    },
    /** Those that are there now, whatever becomes of them meanwhile. */
    [Symbol.iterator]() {
      const items: Item[] = [];
      for (let entry = end.after; entry !== end; entry = entry.after) items.push(entry.item as Item);
      return items[Symbol.iterator]();
    },
  };
}
