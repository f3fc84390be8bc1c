/**
 * A value that is at hand most of the time, and must be waited for now and then. To wait for what is there already costs
 * a request more than many a step of its way.
 */
export type Eventually<Value> = Value | Promise<Value>;

/** Goes on with the value at once where it is at hand. */
export function andThen<Value, Next>(
  value: Eventually<Value>,
  goOn: (value: Value) => Eventually<Next>,
): Eventually<Next> {
  return value instanceof Promise ? value.then(goOn) : goOn(value);
}
