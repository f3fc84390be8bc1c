/**
 * Reads JSON text for two things `JSON.parse` hides: how deep it goes, and which keys occur twice.
 *
 * `{"method":"tools/list","method":"tools/call"}` is `tools/call` here, and may be `tools/list` in the backend's
 * parser: policy would judge one message and the backend obey another. Some parsers (Go's encoding/json) also
 * match keys without regard to case, with Unicode folding, so `Method` and `ſ` for `s` count as twins too.
 *
 * Only the objects that policy looks into are guarded: the message, `params`, and `_meta`, `ref` and
 * `notifications` in there.
 * What stands in a tool's arguments is the tool's affair.
 */
export type ScanFault = 'too-deep' | 'duplicate-key';

type Level = 'root' | 'batch' | 'message' | 'params' | 'inside-params' | 'free';

interface Frame {
  readonly level: Level;
  /** Folded keys seen so far; only in a guarded object. A list while they are few, as they nearly always are. */
  keys?: string[] | Set<string>;
  /** The key whose value is being read, folded. */
  key: string;
  expectsKey: boolean;
}

/** What is called, what a completion is about, which resources are subscribed to. */
const guardedInParams: ReadonlySet<string> = new Set(['_meta', 'ref', 'notifications']);

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;
const colon = 0x3a;

/**
 * @param text valid JSON; the scan relies on `JSON.parse` having accepted it. One pass, linear.
 * @param maxDepth nested objects and arrays allowed, the outermost being 1.
 */
export function scanJson(text: string, maxDepth: number): ScanFault | undefined {
  const stack: Frame[] = [{ level: 'root', key: '', expectsKey: false }];
  let frame = stack[0] as Frame;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case quote: {
        const end = endOfString(text, at);
        if (frame.expectsKey && frame.keys !== undefined) {
          const literal = text.slice(at, end + 1);
          frame.key = usualKeys.get(literal) ?? fold(literal);
          if (hasKey(frame.keys, frame.key)) return 'duplicate-key';
          frame.keys = withKey(frame.keys, frame.key);
        }
        at = end;
        break;
      }
      case openBrace:
      case openBracket:
        if (stack.length > maxDepth) return 'too-deep';
        frame = openFrame(frame, text.charCodeAt(at) === openBrace);
        stack.push(frame);
        break;
      case closeBrace:
      case closeBracket:
        stack.pop();
        frame = stack.at(-1) ?? frame;
        break;
      case comma:
        frame.expectsKey = frame.keys !== undefined;
        break;
      case colon:
        frame.expectsKey = false;
        break;
      default:
    }
  }
  return undefined;
}

const fewKeys = 16;

function hasKey(keys: string[] | Set<string>, key: string): boolean {
  return Array.isArray(keys) ? keys.includes(key) : keys.has(key);
}

function withKey(keys: string[] | Set<string>, key: string): string[] | Set<string> {
  if (!Array.isArray(keys)) return keys.add(key);
  keys.push(key);
  return keys.length > fewKeys ? new Set(keys) : keys;
}

function openFrame(parent: Frame, isObject: boolean): Frame {
  const level = levelInside(parent, isObject);
  const isGuarded = isObject && level !== 'free';
  return isGuarded ? { level, keys: [], key: '', expectsKey: true } : { level, key: '', expectsKey: false };
}

function levelInside(parent: Frame, isObject: boolean): Level {
  switch (parent.level) {
    case 'root':
      return isObject ? 'message' : 'batch';
    case 'batch':
      return isObject ? 'message' : 'free';
    case 'message':
      return isObject && parent.key === 'params' ? 'params' : 'free';
    case 'params':
      return isObject && guardedInParams.has(parent.key) ? 'inside-params' : 'free';
    case 'inside-params':
    case 'free':
    default:
      return 'free';
  }
}

/** Index of the closing quote. The engine looks for it, which for a long text is many times quicker than a loop. */
function endOfString(text: string, start: number): number {
  let at = text.indexOf('"', start + 1);
  while (at !== -1 && isEscaped(text, at)) at = text.indexOf('"', at + 1);
  return at === -1 ? text.length : at;
}

/** An odd number of backslashes stands before it; the opening quote ends them at the latest. */
function isEscaped(text: string, quoteAt: number): boolean {
  let at = quoteAt - 1;
  while (text.charCodeAt(at) === backslash) at -= 1;
  return (quoteAt - at) % 2 === 0;
}

/** Folded beforehand: nearly every message has no others in the objects that are guarded. */
const usualKeys: ReadonlyMap<string, string> = new Map(
  ['jsonrpc', 'id', 'method', 'params', 'result', 'error', 'name', 'arguments', 'uri', '_meta']
    .concat(['progressToken', 'cursor', 'protocolVersion', 'capabilities', 'clientInfo'])
    .map((key) => [`"${key}"`, fold(`"${key}"`)]),
);

/** Upper then lower case, because single-step mappings miss `ſ` (to `S`) or the Kelvin sign (to `k`). */
function fold(literal: string): string {
  const key = literal.includes('\\') ? String(JSON.parse(literal)) : literal.slice(1, -1);
  return key.toUpperCase().toLowerCase();
}
