const shown = '[secret]';

/**
 * A string that must not be printed: a client secret, a function key, a token.
 *
 * Every ordinary way to turn it into text yields `[secret]` (string conversion, JSON, `util.inspect`); only
 * `reveal()` gives the value, so each place that uses one can be found by that name.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return shown;
  }

  toJSON(): string {
    return shown;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return shown;
  }
}
