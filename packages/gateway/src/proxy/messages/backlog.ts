/** What a backend has said before there was a stream to send it on. */
export interface Backlog {
  /** @returns false when there is no room. */
  add(text: string): boolean;
  /** Everything, oldest first; it is empty afterwards. */
  take(): string[];
}

/** A client opens its stream within moments, or never. */
const maxMessages = 100;
const maxLength = 1024 * 1024;

export function createBacklog(): Backlog {
  const kept: string[] = [];
  let length = 0;
  return {
    add(text) {
      if (kept.length >= maxMessages || length + text.length > maxLength) return false;
      kept.push(text);
      length += text.length;
      return true;
    },
    take() {
      length = 0;
      return kept.splice(0);
    },
  };
}
