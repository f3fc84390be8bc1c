import type { ConfigFault } from '@valetkey/gateway/config/fault';

/** The options cannot be used: every fault, each with its path and the remedy. For the start of a process. */
export class OptionsFault extends Error {
  override readonly name = 'OptionsFault';
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    const lines = faults.map(({ path, problem, remedy }) => `  ${path} ${problem}. ${remedy}`);
    super(`Valetkey cannot be set up:\n${lines.join('\n')}`);
    this.faults = faults;
  }
}
