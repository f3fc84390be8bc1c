/** A collector that is away must not keep the gateway from ending: a container's grace is short. */
const patienceMs = 1_000;

/** Waits until what is left has been sent, and no longer than a moment. */
export async function sendLastWords(shutdown: () => Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, patienceMs);
  await Promise.race([shutdown().catch(() => {}), promise]);
  clearTimeout(timer);
}
