import type { OptionFault } from './option-origins.ts';

/**
 * The options cannot be used: every fault, each with its path, the variable it came from and the remedy. For the start
 * of a process.
 */
export class OptionsFault extends Error {
  override readonly name = 'OptionsFault';
  readonly faults: readonly OptionFault[];

  constructor(faults: readonly OptionFault[]) {
    const lines = faults.map((fault) => `  ${nameOf(fault)} ${fault.problem}. ${fault.remedy}`);
    super(`Valetkey cannot be set up:\n${lines.join('\n')}`);
    this.faults = faults;
  }
}

function nameOf({ path, variable }: OptionFault): string {
  return variable === undefined ? path : `${variable} (${path})`;
}
