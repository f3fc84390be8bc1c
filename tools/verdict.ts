/** How a check ends: its faults on stderr, one line each, and the exit code 1 when there is any. */
export function finish(check: string, faults: readonly string[], remedy?: string): void {
  for (const fault of faults) console.error(`${check}: ${fault}`);
  if (faults.length > 0 && remedy) console.error(`${check}: remedy: ${remedy}`);
  process.exitCode = faults.length > 0 ? 1 : 0;
}
