/**
 * Work put together at the end of a turn of the event loop: what is ready by then is done one after the other.
 *
 * For writes to sockets. The first write to a process that sleeps wakes it, which costs many times what the write does; the
 * next ones find it awake. Written as they come, each would find it asleep again, since between two of them lies the work
 * for a whole request. A request that comes alone waits for nothing.
 */
export interface Gathered<Item> {
  add(item: Item): void;
}

export function createGathered<Item>(work: (item: Item) => void): Gathered<Item> {
  let items: Item[] = [];
  const flush = () => {
    const ready = items;
    items = [];
    for (const item of ready) work(item);
  };
  return {
    add(item) {
      items.push(item);
      if (items.length === 1) setImmediate(flush);
    },
  };
}
