/** Lines of a stream, bounded: MCP over stdio is one JSON message per line. */
export type Line = { readonly kind: 'line'; readonly bytes: Buffer } | { readonly kind: 'too-long' };

const newline = 0x0a;

/** A line that is too long is told once, as soon as that is known, and passed over. Empty lines are left out. */
export async function* readLines(stream: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Line> {
  let pending: Buffer[] = [];
  let size = 0;
  let isSkipping = false;

  const end = (last: Buffer): Line | undefined => {
    const bytes = Buffer.concat([...pending, last]);
    pending = [];
    size = 0;
    return bytes.length === 0 || bytes.equals(carriageReturn) ? undefined : { kind: 'line', bytes };
  };

  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let start = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, start)) {
      const rest = chunk.subarray(start, at);
      start = at + 1;
      if (!isSkipping && size + rest.length > maxBytes) yield { kind: 'too-long' };
      else if (!isSkipping) {
        const line = end(rest);
        if (line !== undefined) yield line;
        continue;
      }
      isSkipping = false;
      pending = [];
      size = 0;
    }
    const rest = chunk.subarray(start);
    if (isSkipping) continue;
    size += rest.length;
    if (size > maxBytes) {
      isSkipping = true;
      pending = [];
      yield { kind: 'too-long' };
    } else if (rest.length > 0) pending.push(rest);
  }
  // What follows the last line break is no message: its end never came.
}

const carriageReturn = Buffer.from('\r');
