/**
 * A backend that speaks in single messages: through the pipes of a process, or an event stream with an address for the
 * messages to it. What stands here knows neither; it makes a Streamable HTTP server of either for the client.
 */
import type { Result } from '@valetkey/core/base/result';
import type { Exchange } from '../../http/exchange.ts';
import type { BackendFault, ForwardRequest } from '../backend-proxy.ts';

/** The request with which a message came: whose it is, and the headers that go with it. */
export interface Carrier {
  readonly exchange: Exchange;
  readonly request: ForwardRequest;
}

/** Something to wait for before more is handed over; undefined: nothing. */
export type Wait = Promise<void> | undefined;

/** A connection to a backend over which JSON-RPC messages travel one by one, both ways. */
export interface MessageLink {
  /** @param text one message on one line. @returns why it has not left. */
  send(text: string, carrier: Carrier): Promise<BackendFault | undefined>;
  /** Settles, and never rejects, when nothing will come any more. */
  readonly ended: Promise<void>;
  /** Resolves when it has ended. */
  close(): Promise<void>;
}

export interface LinkEvents {
  /** A message of the backend. Nothing more is read from it before the promise has settled. */
  readonly onMessage: (text: string) => Wait;
}

export type OpenLink = (carrier: Carrier, events: LinkEvents) => Promise<Result<MessageLink, BackendFault>>;
