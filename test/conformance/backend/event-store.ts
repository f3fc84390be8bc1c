import type { EventStore, JSONRPCMessage } from '@modelcontextprotocol/server';

interface Kept {
  readonly id: string;
  readonly streamId: string;
  readonly message: JSONRPCMessage;
}

/** What was sent on the streams of one session, so that a client that comes back with `Last-Event-ID` gets the rest. */
export function createEventStore(): EventStore {
  const kept: Kept[] = [];
  const findIndex = (id: string) => kept.findIndex((event) => event.id === id);
  return {
    async storeEvent(streamId, message) {
      const id = `${kept.length + 1}-${streamId}`;
      kept.push({ id, streamId, message });
      return id;
    },
    async getStreamIdForEventId(id) {
      return kept[findIndex(id)]?.streamId;
    },
    async replayEventsAfter(lastEventId, { send }) {
      const index = findIndex(lastEventId);
      const streamId = kept[index]?.streamId ?? '';
      const missed = kept.slice(index + 1).filter((event) => event.streamId === streamId && isMessage(event));
      for (const { id, message } of missed) await send(id, message);
      return streamId;
    },
  };
}

/** An event without a message primes the stream: it gives the client an id to come back with. */
function isMessage({ message }: Kept): boolean {
  return Object.keys(message).length > 0;
}
