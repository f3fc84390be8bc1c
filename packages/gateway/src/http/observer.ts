import type { Exchange } from './exchange.ts';

/**
 * Whoever looks at requests from outside: metrics, traces, the access log. Room `http` tells it what it cannot see;
 * that a request has ended it learns from the response itself.
 */
export interface RequestObserver {
  begin(exchange: Exchange): RequestWatch;
}

export interface RequestWatch {
  /** @param route the path of the row as it stands in the route table: never what the request said. */
  matched(route: string): void;
  /** Runs what is left of the request where the parts below find it again. */
  run<Value>(work: () => Value): Value;
}
