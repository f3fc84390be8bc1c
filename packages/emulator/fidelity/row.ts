/** One behaviour of Entra that the emulator shows, and how we know. `docs/reference/fidelity.md` is made of these. */
export interface FidelityRow {
  /** What Entra does, in one sentence. */
  readonly behaviour: string;
  /**
   * `document`: Microsoft's documentation; `capture`: a public capture of the real service; `library`: what a
   * library of Microsoft's relies on; `unverified`: believed, not yet compared with the real service.
   */
  readonly source: 'document' | 'capture' | 'library' | 'unverified';
  /** Where: a document's title, a library and its version. */
  readonly reference: string;
  /** The test file that shows it. */
  readonly test: string;
}
