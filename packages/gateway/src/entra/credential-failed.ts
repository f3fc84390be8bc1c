/** The credential could not be produced; Entra was never asked. The message is for the operator. */
export class CredentialFailed extends Error {
  override readonly name = 'CredentialFailed';
  readonly kind: 'operator' | 'unavailable';

  constructor(kind: 'operator' | 'unavailable', message: string) {
    super(message);
    this.kind = kind;
  }
}
