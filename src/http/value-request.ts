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

  /** Must be called as soon as the request is there, before its body. Whoever takes bounds what comes: nothing holds the client back. */
  takeBody(take: (chunk: Buffer) => void): void {
    this.#take = take
  }

  /** Node's parser hands chunks over by this, and null at the end. */
  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
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
