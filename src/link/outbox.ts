// What a link has said and not yet written: everything said within one turn of the event loop leaves in one write.
// Knows nothing of frames' meaning. Invariant: frames leave whole and in order, and none while the connection is full.

import type { Connection } from '../ports/transport.ts'
import { joinFrames, PREFIX_BYTES } from './framing.ts'

/** Runs `flush` later in this turn or at its end. */
export type Schedule = (flush: () => void) => void

/** Without timers, so the same in the simulator: after the microtasks that are already queued. */
export const afterMicrotasks: Schedule = (flush) => void Promise.resolve().then(flush)

/** One write never joins more than this, so that a burst of large frames is not copied into one huge piece. */
const JOIN_BYTES_MAX = 256 * 1024

export class Outbox {
  readonly #connection: Connection
  readonly #schedule: Schedule
  #bodies: Uint8Array[] = []
  #bytes = 0
  #scheduled = false
  #full = false

  constructor(connection: Connection, schedule: Schedule) {
    this.#connection = connection
    this.#schedule = schedule
  }

  /** Bytes said and not yet handed to the wire. */
  get pendingBytes(): number {
    return this.#bytes + this.#connection.pendingBytes
  }

  push(body: Uint8Array): void {
    this.#bodies.push(body)
    this.#bytes += PREFIX_BYTES + body.length
    if (this.#scheduled || this.#full) return
    this.#scheduled = true
    this.#schedule(() => {
      this.#scheduled = false
      this.flush()
    })
  }

  /** The connection takes bytes again. */
  drained(): void {
    this.#full = false
    this.flush()
  }

  flush(): void {
    let from = 0
    while (from < this.#bodies.length && !this.#full) {
      let to = from
      let bytes = 0
      while (to < this.#bodies.length && (to === from || bytes < JOIN_BYTES_MAX))
        bytes += this.#bodies[to++]?.length ?? 0
      this.#full = !this.#connection.write(joinFrames(this.#bodies.slice(from, to)))
      this.#bytes -= bytes + (to - from) * PREFIX_BYTES
      from = to
    }
    this.#bodies = from === this.#bodies.length ? [] : this.#bodies.slice(from)
  }
}
