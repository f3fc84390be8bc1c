/** The command line does not say what to do: answered with the reason and the usage text. */
export class UsageFault extends Error {
  override readonly name = 'UsageFault';
}
