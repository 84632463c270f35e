// One end of a simulated connection: what was written and has not arrived, in order, and the fate of each piece. Who may
// reach whom, and the rates of faults, are the network's. Invariant: the receiver sees whole frames or, before a break, a prefix.

import { crc32 } from 'node:zlib'
import { PART } from '../protocol/messages.ts'
import { frameTypeOf } from '../protocol/codec.ts'
import type { Connection } from '../ports/transport.ts'
import type { SimulatedNetwork } from './network.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedProcess } from './simulated-process.ts'

const HIGH_WATER_BYTES = 1 << 20
const FRAME_BYTES_MAX = 1 << 28

/** On its way to this end; `null` bytes are the other side's close. */
interface InFlight {
  readonly sentAt: number
  readonly dueAt: number
  readonly bytes: Uint8Array | null
  readonly error: Error | undefined
}

export class SimulatedConnection implements Connection {
  readonly host: string
  readonly remote: string
  /** `sender>receiver` of what this end writes. */
  readonly pair: string
  peer: SimulatedConnection
  /** Nothing is delivered before the connection is up on this side. */
  openedAt = 0
  onData: (bytes: Uint8Array) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (error?: Error) => void = () => {}
  readonly #network: SimulatedNetwork
  readonly #process: SimulatedProcess
  readonly label: string
  readonly #inbox: InFlight[] = []
  #lastDueAt = 0
  #pendingBytes = 0
  #full = false
  #paused = false
  #open = true
  #silent = false
  // Bytes of the current frame still to be written; −1: this is no stream of frames, leave it alone.
  #frameLeft = 0
  #prefix = 0
  #prefixBytes = 0
  #chances: SeededRandom | null = null

  constructor(
    network: SimulatedNetwork,
    process: SimulatedProcess,
    id: number,
    host: string,
    remoteHost: string,
    remote: string,
  ) {
    this.#network = network
    this.#process = process
    this.host = host
    this.remote = remote
    this.pair = `${host}>${remoteHost}`
    this.label = `#${id} ${this.pair}`
    this.peer = this
  }

  /** The chances of what goes from here to the other side. */
  get #random(): SeededRandom {
    return (this.#chances ??= this.#network.randomFor(this.host, this.peer.host))
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#open || this.#silent || !this.#process.alive) return false
    if (bytes.length === 0) return !this.#full
    if (this.#random.chance(this.#network.faults.reset)) {
      this.#network.counters.resets++
      const kept = this.#random.integer(0, bytes.length)
      this.#network.trace(`net reset ${this.label} after ${kept}`)
      if (kept > 0) this.#send(bytes.slice(0, kept))
      this.breakNow()
      return false
    }
    const wholeFrames = this.#advance(bytes)
    const faults = this.#network.faults
    if (wholeFrames && faults.dropFrame + faults.duplicateFrame + faults.reorderFrame > 0) this.#sendFrames(bytes)
    else if (this.#random.chance(faults.fragment ?? 0)) this.#sendPieces(bytes)
    else this.#send(bytes.slice())
    if (this.#pendingBytes > HIGH_WATER_BYTES) this.#full = true
    return !this.#full
  }

  close(): void {
    if (!this.#open || !this.#process.alive) return
    this.#open = false
    this.#network.forget(this)
    this.#network.trace(`net close ${this.label}`)
    if (!this.#silent)
      this.peer.#arrive({ sentAt: this.#network.time.now, dueAt: this.#dueAt(0), bytes: null, error: undefined })
    this.#process.after(0, () => this.onClose())
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.deliverSoon()
  }

  /** Both ends break: this one now, the other when the news arrives. */
  breakNow(): void {
    if (!this.#open) return
    const error = new Error('ECONNRESET')
    this.peer.#arrive({ sentAt: this.#network.time.now, dueAt: this.#dueAt(0), bytes: null, error })
    this.#end(error)
  }

  /** This end's program died; the other end hears of it. */
  vanish(): void {
    if (!this.#open) return
    this.#open = false
    this.#network.forget(this)
    this.peer.#arrive({
      sentAt: this.#network.time.now,
      dueAt: this.#dueAt(0),
      bytes: null,
      error: new Error('ECONNRESET'),
    })
  }

  /** This end's machine died; the other end hears nothing. */
  fallSilent(): void {
    this.#silent = true
    this.#open = false
    this.#network.forget(this)
  }

  deliverSoon(): void {
    this.#process.after(0, () => this.#deliverDue())
  }

  /** Hands over what has arrived, as far as pauses and partitions allow. */
  #deliverDue(): void {
    while (this.#open && !this.#paused && this.#process.alive) {
      const next = this.#inbox[0]
      if (next === undefined || next.dueAt > this.#network.time.now) return
      if (this.#network.isCut(this.peer.host, this.host)) return
      this.#inbox.shift()
      if (next.bytes === null) return this.#end(next.error)
      this.#network.trace(`net data ${this.peer.label} ${next.bytes.length} ${crc32(next.bytes)}`)
      this.#network.counters.bytes += next.bytes.length
      this.peer.#drained(next.bytes.length)
      this.#network.onDelivered?.({
        ...{ from: this.peer.host, to: this.host, way: `${this.peer.label}`, bytes: next.bytes },
        ...{ sentAt: next.sentAt, cameAt: this.#network.time.now },
      })
      this.onData(next.bytes)
    }
  }

  #end(error: Error | undefined): void {
    if (!this.#open) return
    this.#open = false
    this.#network.forget(this)
    this.#network.trace(`net closed ${this.label}`)
    this.#process.after(0, () => this.onClose(error))
  }

  #send(bytes: Uint8Array): void {
    this.#pendingBytes += bytes.length
    this.peer.#arrive({ sentAt: this.#network.time.now, dueAt: this.#dueAt(bytes.length), bytes, error: undefined })
  }

  #sendPieces(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const to = Math.min(bytes.length, at + this.#random.integer(1, 1 + Math.max(1, bytes.length >> 1)))
      this.#send(bytes.slice(at, to))
      at = to
    }
  }

  /** In order: never before what was sent earlier, nor before the other side is up. */
  #dueAt(bytes: number): number {
    const network = this.#network
    const start = Math.max(
      network.time.now + network.delayMs(this.host, this.peer.host),
      this.#lastDueAt,
      this.peer.openedAt,
    )
    this.#lastDueAt = start + network.transmissionMs(bytes)
    return this.#lastDueAt
  }

  #arrive(item: InFlight): void {
    if (!this.#open) {
      if (item.bytes !== null && !this.#silent) this.peer.#drained(item.bytes.length)
      return
    }
    this.#inbox.push(item)
    this.#process.at(item.dueAt, () => this.#deliverDue())
  }

  #drained(bytes: number): void {
    this.#pendingBytes -= bytes
    if (!this.#full || this.#pendingBytes > HIGH_WATER_BYTES / 2) return
    this.#full = false
    this.#process.after(0, () => {
      if (this.#open) this.onDrain()
    })
  }

  /** Follows the length prefixes; true when `bytes` begins and ends at frame boundaries. */
  #advance(bytes: Uint8Array): boolean {
    if (this.#frameLeft < 0) return false
    const aligned = this.#frameLeft === 0 && this.#prefixBytes === 0
    let at = 0
    while (at < bytes.length) {
      if (this.#frameLeft > 0) {
        const taken = Math.min(this.#frameLeft, bytes.length - at)
        this.#frameLeft -= taken
        at += taken
        continue
      }
      this.#prefix += (bytes[at++] as number) * 2 ** (8 * this.#prefixBytes++)
      if (this.#prefixBytes < 4) continue
      const length = this.#prefix % PART
      this.#frameLeft = length > FRAME_BYTES_MAX ? -1 : length
      this.#prefix = 0
      this.#prefixBytes = 0
      if (this.#frameLeft < 0) return false
    }
    return aligned && this.#frameLeft === 0 && this.#prefixBytes === 0
  }

  #sendFrames(bytes: Uint8Array): void {
    const { faults, counters, trace } = this.#network
    const random = this.#random
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    let unsentFrom = 0
    let at = 0
    const flush = (to: number): void => {
      if (to > unsentFrom) this.#send(bytes.slice(unsentFrom, to))
    }
    while (at < bytes.length) {
      const length = view.readUInt32LE(at)
      const end = at + 4 + (length % PART)
      // Without one of its parts, or with one twice, a frame is not lost but broken, which no network does.
      const type = length < PART ? frameTypeOf(view.subarray(at + 4, end)) : undefined
      const frame = bytes.slice(at, end)
      if (type === 'request' || type === 'reply') {
        if (random.chance(faults.dropFrame)) {
          counters.framesDropped++
          trace(`net drop ${this.label} ${type}`)
          flush(at)
          unsentFrom = end
        } else if (random.chance(faults.duplicateFrame)) {
          counters.framesDuplicated++
          trace(`net duplicate ${this.label} ${type}`)
          flush(end)
          unsentFrom = end
          this.#sendLater(frame, random.next() * faults.delayMsMax)
        } else if (random.chance(faults.reorderFrame)) {
          counters.framesReordered++
          trace(`net reorder ${this.label} ${type}`)
          flush(at)
          unsentFrom = end
          this.#sendLater(frame, random.next() * faults.delayMsMax)
        }
      }
      at = end
    }
    flush(bytes.length)
  }

  // Slips in between later writes, at a frame boundary. Scheduled apart from the process: the frame left it already.
  #sendLater(frame: Uint8Array, delayMs: number): void {
    this.#network.time.after(delayMs, () => {
      if (!this.#open || this.#silent) return
      if (this.#frameLeft !== 0 || this.#prefixBytes !== 0) this.#sendLater(frame, 1)
      else this.#send(frame)
    })
  }
}
