/** Reads the events of a stream (WHATWG HTML §9.2), for whoever needs more of them than their bytes. */
import { createLineSplitter, MessageTooLarge } from './response-filter.ts';

export interface StreamEvent {
  /** `message` where the stream names none. */
  readonly type: string;
  readonly data: string;
  /** The last one that the stream has named. */
  readonly id: string;
}

/** @throws MessageTooLarge beyond `maxLength` characters of one event; and whatever the stream fails with. */
export async function* readEvents(
  stream: AsyncIterable<Uint8Array>,
  maxLength: number,
): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  const lines = createLineSplitter();
  const event = { type: '', data: [] as string[], id: '', length: 0 };

  for await (const chunk of stream) {
    for (const line of lines.push(decoder.decode(chunk, { stream: true }))) {
      if (line !== '') {
        take(line);
        continue;
      }
      const { type, data, id } = event;
      Object.assign(event, { type: '', data: [], length: 0 });
      if (data.length > 0) yield { type: type === '' ? 'message' : type, data: data.join('\n'), id };
    }
    if (event.length + lines.pendingLength() > maxLength) throw new MessageTooLarge('event too large');
  }

  function take(line: string): void {
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    event.length += line.length;
    if (field === 'data') event.data.push(value);
    else if (field === 'event') event.type = value;
    else if (field === 'id' && !value.includes('\0')) event.id = value;
  }
}
