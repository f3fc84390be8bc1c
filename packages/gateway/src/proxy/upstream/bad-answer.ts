/** What came is no answer that can be read in one way only. */
export class BadAnswer extends Error {
  override readonly name = 'BadAnswer';
}
