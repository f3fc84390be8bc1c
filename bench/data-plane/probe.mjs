/** Loaded into the measured gateway before it: says how large its live heap is, when asked over the channel. */
process.on('message', () => {
  // Twice: the first collection frees what finalizers of the second then let go.
  globalThis.gc?.();
  globalThis.gc?.();
  process.send?.(process.memoryUsage());
});
process.channel?.unref();
