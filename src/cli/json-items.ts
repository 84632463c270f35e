// Cuts a stream of bytes into the JSON values it is made of: the elements of one array, or values one after another (JSON
// lines). Looks only at brackets and strings; whether an item is good JSON is for whoever parses it.
// Invariant: holds no more than one chunk and the item under way.

const [QUOTE, BACKSLASH, COMMA, OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [
  34, 92, 44, 91, 93, 123, 125,
] as const

/** An item beyond this is a mistake: no value may be as large. */
const ITEM_BYTES_MAX = 256 * 1024 * 1024

/** Yields, for each chunk, the items that ended in it. Throws a SyntaxError where the outer shape is broken. */
export async function* jsonItems(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Buffer[]> {
  const cutter = new ItemCutter()
  for await (const chunk of chunks) {
    const items = cutter.push(chunk)
    if (items.length > 0) yield items
  }
  const last = cutter.end()
  if (last !== null) yield [last]
}

class ItemCutter {
  /** Null before the first byte that is not white space. */
  #shape: 'array' | 'sequence' | 'ended' | null = null
  /** Brackets open within the item under way. */
  #depth = 0
  #inString = false
  #escaped = false
  /** Earlier chunks' part of the item under way; null when none is under way. */
  #pending: Buffer[] | null = null
  #pendingBytes = 0

  push(chunk: Uint8Array): Buffer[] {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const items: Buffer[] = []
    let start = this.#pending === null ? -1 : 0
    const finish = (end: number): void => {
      const rest = bytes.subarray(start, end)
      items.push(this.#pending === null || this.#pending.length === 0 ? rest : Buffer.concat([...this.#pending, rest]))
      this.#pending = null
      this.#pendingBytes = 0
      start = -1
    }
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at]
      if (byte === undefined) break
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (byte === BACKSLASH) this.#escaped = true
        else if (byte === QUOTE) this.#inString = false
        continue
      }
      if (byte <= 32) {
        // White space ends a number or a word that stands alone, and nothing else.
        if (this.#shape === 'sequence' && start >= 0 && this.#depth === 0) finish(at)
        continue
      }
      if (this.#shape === null) {
        // A byte order mark is no content.
        if (byte === 0xef || byte === 0xbb || byte === 0xbf) continue
        this.#shape = byte === OPEN_BRACKET ? 'array' : 'sequence'
        if (this.#shape === 'array') continue
      }
      if (this.#shape === 'ended') throw new SyntaxError('there is more after the end of the array')
      if (this.#depth === 0 && (byte === COMMA || byte === CLOSE_BRACKET) && this.#shape === 'array') {
        if (start >= 0) finish(at)
        if (byte === CLOSE_BRACKET) this.#shape = 'ended'
        continue
      }
      if (start < 0) start = at
      if (byte === QUOTE) this.#inString = true
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth++
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (--this.#depth < 0) throw new SyntaxError('a bracket closes that was never opened')
        if (this.#depth === 0 && this.#shape === 'sequence') finish(at + 1)
      }
    }
    if (start >= 0) this.#keep(bytes.subarray(start))
    return items
  }

  /** The item that the end of the input ended. */
  end(): Buffer | null {
    if (this.#shape === 'array') throw new SyntaxError('the array does not end')
    if (this.#depth > 0 || this.#inString) throw new SyntaxError('the last value does not end')
    return this.#pending === null ? null : Buffer.concat(this.#pending)
  }

  #keep(part: Buffer): void {
    this.#pending ??= []
    this.#pending.push(part)
    this.#pendingBytes += part.length
    if (this.#pendingBytes > ITEM_BYTES_MAX)
      throw new SyntaxError(`a single value has more than ${ITEM_BYTES_MAX} bytes`)
  }
}
