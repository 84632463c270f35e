// A request whose body can be had chunk by chunk as Node's parser finds it, past the stream that it would otherwise go through: for
// small values the stream costs more than the value. Knows nothing of requests' meaning. Invariant: without a taker it is Node's own.

import { IncomingMessage } from 'node:http'

/** Ends the stream without its events, as Node does for requests that have no body. It has no public name; without it the stream ends as usual. */
interface Endable {
  _dumpAndCloseReadable?(): void
}

export class ValueRequest extends IncomingMessage {
  /** Its head came when the server had been told to end. */
  isLate = false
  #take: ((chunk: Buffer) => void) | null = null
  #held: (Buffer | null)[] | null = null

  /** From now on what comes of its body is kept, until `release`. */
  hold(): void {
    this.#held = []
  }

  /** To the taker if there is one by now, to the stream otherwise. */
  release(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const chunk of held) this.push(chunk)
  }

  /** Must be called as soon as the request is there, before its body or while that is held. Whoever takes bounds what comes: nothing holds the client back. */
  takeBody(take: (chunk: Buffer) => void): void {
    this.#take = take
  }

  /** Node's parser hands chunks over by this, and null at the end. */
  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    if (this.#held !== null) {
      this.#held.push(chunk)
      return true
    }
    if (this.#take === null) return super.push(chunk, encoding)
    if (chunk !== null) {
      this.#take(chunk)
      return true
    }
    return endSilently(this) || super.push(null)
  }
}

function endSilently(stream: IncomingMessage & Endable): boolean {
  if (stream._dumpAndCloseReadable === undefined) return false
  stream._dumpAndCloseReadable()
  return true
}
