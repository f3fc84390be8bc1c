/** The sinks: standard output, a file, memory. */
import type { Writable } from 'node:stream';
import type { Config } from '../config/config.ts';
import { createFileWriter } from './file-writer.ts';
import type { AuditRecord, AuditSink } from './sink.ts';
import { createLineSink, type LineSink, type LineSinkOptions } from './line-sink.ts';

export type SinkSurroundings = Omit<LineSinkOptions, 'name' | 'write' | 'droppedEvent'> &
  Partial<Pick<LineSinkOptions, 'name' | 'droppedEvent'>>;

const droppedEvent = 'audit.dropped';

/** The sinks that the configuration asks for. */
export function openSinks(
  audit: Pick<Config['audit'], 'stdout' | 'file'>,
  surroundings: SinkSurroundings,
  stdout: Writable = process.stdout,
): AuditSink[] {
  return [
    ...(audit.stdout ? [createStreamSink(stdout, surroundings)] : []),
    ...(audit.file === undefined ? [] : [createFileSink(audit.file, surroundings)]),
  ];
}

/** One JSON line per record. The stream stays open: it is not ours to end. */
export function createStreamSink(stream: Writable, surroundings: SinkSurroundings): LineSink {
  // Without a listener, a reader that went away (EPIPE) would end the process; the write's callback tells us too.
  const ignore = (): void => undefined;
  stream.on('error', ignore);
  const sink = createLineSink({
    name: 'audit stream',
    droppedEvent,
    ...surroundings,
    write: (lines) =>
      new Promise((resolve, reject) => {
        stream.write(lines, (fault) => (fault ? reject(fault) : resolve()));
      }),
  });
  return {
    ...sink,
    close: async () => {
      await sink.close();
      stream.off('error', ignore);
    },
  };
}

/** Appends to a file: see `file-writer.ts`. */
export function createFileSink(path: string, surroundings: SinkSurroundings): LineSink {
  const writer = createFileWriter(path);
  const sink = createLineSink({
    name: 'audit file',
    droppedEvent,
    ...surroundings,
    write: (lines) => writer.append(lines),
  });
  return {
    ...sink,
    async close() {
      await sink.close();
      await writer.close().catch(() => {});
    },
  };
}

/** For tests: everything stays readable in `records`. */
export function createMemorySink(): AuditSink & { readonly records: readonly AuditRecord[] } {
  const records: AuditRecord[] = [];
  return {
    records,
    write: (record) => void records.push(record),
    close: async () => undefined,
  };
}
