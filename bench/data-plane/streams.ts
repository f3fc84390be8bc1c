/** How soon a stream begins, and how long an event is on its way. */
import { openStream } from './event-stream.ts';
import { type Found, median, quantile, round } from './result.ts';
import { labels, type Subject, type SubjectName } from './subject.ts';
import { requestBytes } from './workload.ts';

const eventsEach = 100;
const parallel = 4;

export async function measureStreams(
  subjects: readonly Subject[],
  options: { rounds: number },
): Promise<Found> {
  const firstMs = new Map<SubjectName, number[]>(subjects.map(({ name }) => [name, []]));
  const delaysMs = new Map<SubjectName, number[]>(subjects.map(({ name }) => [name, []]));
  for (let index = 0; index < options.rounds; index += 1) {
    for (const subject of subjects) {
      const [token = ''] = await subject.tokens('/events/mcp');
      const request = requestBytes(subject.port, '/events/mcp', token);
      for (let again = 0; again < 20; again += 1) {
        const { socket, opened } = openStream(subject.port, request);
        firstMs.get(subject.name)?.push(await opened);
        socket.destroy();
      }
      await Promise.all(
        Array.from({ length: parallel }, () => readAll(subject, request, delaysMs.get(subject.name) ?? [])),
      );
    }
  }
  const table = {
    title: 'Event streams',
    note: `The first byte of a stream, and the way of each of ${eventsEach} events in it, one each 10 ms on ${parallel} streams at once.`,
    columns: ['', 'first byte ms', 'event median ms', 'event 99 % ms'],
    rows: subjects.map(({ name }) => [
      labels[name],
      round(median(firstMs.get(name) ?? []), 3),
      round(median(delaysMs.get(name) ?? []), 3),
      round(quantile(delaysMs.get(name) ?? [], 0.99), 3),
    ]),
  };
  return { tables: [table], targets: [] };
}

function readAll(subject: Subject, request: string, delaysMs: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = 0;
    const { socket, opened } = openStream(subject.port, request, (_sequence, delayMs) => {
      delaysMs.push(delayMs);
      seen += 1;
      if (seen === eventsEach) socket.destroy();
    });
    opened.catch(reject);
    socket.on('close', () =>
      seen === eventsEach ? resolve() : reject(new Error(`${subject.name} lost ${eventsEach - seen} events`)),
    );
  });
}
