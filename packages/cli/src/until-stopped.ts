/**
 * Resolves when the process is asked to stop (SIGTERM, SIGINT, or its terminal going away). Asking again changes
 * nothing: the signal of a whole process group arrives more than once, and must not end a clean stop half-way.
 */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
}
