/** What asks a program at a terminal to stop; SIGHUP is its terminal going away. */
const atTerminal = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/**
 * Resolves when the process is asked to stop. Asking again changes nothing: the signal of a whole process group
 * arrives more than once, and must not end a clean stop half-way.
 */
export function untilStopped(signals: readonly NodeJS.Signals[] = atTerminal): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) process.on(signal, () => resolve());
  });
}
