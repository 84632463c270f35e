// One connection to one peer: greeting, then requests and replies side by side, back-pressure, goodbye.
// Knows nothing of other links, of addresses, or of what requests mean.
// Invariant: every request settles exactly once; nothing is handled before both sides have admitted each other.

import { QuorateError } from '../errors.ts'
import type { Timer } from '../ports/clock.ts'
import type { Connection } from '../ports/transport.ts'
import { decodeFrame, encodeFrame } from '../protocol/codec.ts'
import type { Frame, GoodbyeFrame, HelloFrame, Request, RequestFrame } from '../protocol/messages.ts'
import { FrameReader, PREFIX_BYTES } from './framing.ts'
import { Handshake } from './handshake.ts'
import type { Role } from './handshake.ts'
import { Heartbeats } from './heartbeats.ts'
import { InFlight } from './in-flight.ts'
import { Outbox } from './outbox.ts'
import type { AnswerTo, RequestHandler, RequestOptions } from './peers.ts'
import { Serving } from './serving.ts'
import type { LinkEnvironment } from './settings.ts'

export type CloseReason = GoodbyeFrame['reason'] | 'broken' | 'silent' | 'greeting-timeout' | 'self'

export interface LinkEvents {
  /** The peer is admitted and has admitted us. */
  readonly onOpen: (link: PeerLink) => void
  /** This side refuses the peer; it is closed right after. */
  readonly onRefused: (link: PeerLink, reason: GoodbyeFrame['reason'], detail: string) => void
  /** Runs once, whoever closed. `said`: the reason came from the peer. */
  readonly onClosed: (link: PeerLink, reason: CloseReason, said: boolean) => void
}

type Stage = 'greeting' | 'admitted' | 'open' | 'closed'

export class PeerLink {
  readonly role: Role
  readonly requests: InFlight
  readonly #environment: LinkEnvironment
  readonly #connection: Connection
  readonly #events: LinkEvents
  readonly #handshake: Handshake
  readonly #outbox: Outbox
  readonly #reader: FrameReader
  #stage: Stage = 'greeting'
  #peer: HelloFrame | null = null
  /** Who asks, for the handler. */
  #from: Parameters<RequestHandler>[0] = { name: '', storage: '' }
  readonly #serving: Serving
  readonly #heartbeats: Heartbeats
  #paused = false
  #reading = false
  /** This node's hybrid time while what came at once is read: not earlier than any time heard in it. */
  #time = 0
  /** Ends the greeting when it takes too long. */
  readonly #greeting: Timer

  constructor(
    environment: LinkEnvironment,
    connection: Connection,
    role: Role,
    expected: string | null,
    hello: HelloFrame,
    events: LinkEvents,
  ) {
    const { clock, settings } = environment
    this.role = role
    this.#environment = environment
    this.#connection = connection
    this.#events = events
    this.#handshake = new Handshake(role, hello, expected, environment.secrets)
    this.#outbox = new Outbox(connection, environment.schedule, settings.partBytes)
    this.#reader = new FrameReader(settings.greetingBytesMax)
    this.requests = new InFlight(clock, environment.counters)
    this.#serving = new Serving(
      environment,
      (reply) => this.#stage === 'closed' || this.#say(reply),
      () => this.#adjustReading(),
    )
    this.#heartbeats = new Heartbeats(
      environment,
      (heartbeat) => void this.#say(heartbeat),
      () => this.#end('silent', false),
      () => this.#paused,
    )
    this.#greeting = clock.after(settings.greetingTimeoutMs, () => this.#end('greeting-timeout', false))
    connection.onData = (bytes) => this.#receive(bytes)
    connection.onDrain = () => {
      this.#outbox.drained()
      this.#adjustReading()
    }
    connection.onClose = () => this.#end('broken', false)
    environment.counters.countSent(hello, this.#handshake.helloBytes.length)
    this.#outbox.push(this.#handshake.helloBytes)
  }

  /** The admitted peer's hello; null before. */
  get peer(): HelloFrame | null {
    return this.#peer
  }

  /** Whom the peer says it is, even when it was refused. */
  get claimed(): HelloFrame | null {
    return this.#handshake.claimed
  }

  /** The hello of the side that began the connection; null before the handshake is over. */
  get initiatorHello(): HelloFrame | null {
    return this.role === 'initiator' ? this.#handshake.hello : this.#peer
  }

  get remote(): string {
    return this.#connection.remote
  }

  get isOpen(): boolean {
    return this.#stage === 'open'
  }

  /** Open, and heard of lately. */
  get fresh(): boolean {
    return this.#freshAt(this.#environment.clock.monotonic())
  }

  get heardAt(): number {
    return this.#heartbeats.heardAt
  }

  get rttMs(): number | null {
    return this.#heartbeats.rttMs
  }

  get offsetMs(): number | null {
    return this.#heartbeats.offsetMs
  }

  /** Requests of the peer that are being worked on. */
  get inbound(): number {
    return this.#serving.count
  }

  get pendingBytes(): number {
    return this.#outbox.pendingBytes
  }

  /** Sends a request; `done` runs once, at once when nothing was sent. */
  ask<R extends Request>(
    request: R,
    options: RequestOptions,
    done: (answer: AnswerTo<R> | QuorateError) => void,
  ): void {
    const { clock, hooks } = this.#environment
    const { budgetMs, trace = null, time = hooks.hybridTime(), signal } = options
    const now = clock.monotonic()
    const refused = this.#refusal(now, signal)
    if (refused !== null) return done(refused)
    const id = this.requests.nextId()
    const frame: RequestFrame = { type: 'request', id, budgetMs: Math.max(0, budgetMs), time, trace, request }
    const pending = this.#outbox.pendingBytes
    const { frameBytesMax, pendingBytesMax } = this.#environment.settings
    const bytesMax = pending === 0 ? frameBytesMax : Math.min(frameBytesMax, pendingBytesMax - pending)
    let said: boolean
    try {
      said = this.#say(frame, bytesMax)
    } catch (error) {
      // One that the peer would not understand: it ends here and not, with all the others, at the link.
      if (error instanceof QuorateError) return done(error)
      throw error
    }
    if (said) this.requests.add(id, { request, budgetMs, signal, done }, now)
    else done(this.#overloaded(`${pending} bytes wait to be sent`))
  }

  /** Why nothing may be asked now, or null. */
  #refusal(now: number, signal: AbortSignal | undefined): QuorateError | null {
    const { settings } = this.#environment
    if (!this.#freshAt(now)) return new QuorateError('unreachable', `no link to ${this.#peer?.name ?? this.remote}`)
    if (signal?.aborted) return new QuorateError('unreachable', 'given up before it was sent')
    if (this.requests.count < settings.inFlightMax) return null
    return this.#overloaded(`${settings.inFlightMax} requests wait`)
  }

  #overloaded(why: string): QuorateError {
    this.#environment.counters.overloads++
    return new QuorateError('overloaded', `${why}: ${this.#peer?.name ?? this.remote}`)
  }

  #freshAt(now: number): boolean {
    return this.#stage === 'open' && now - this.#heartbeats.heardAt <= this.#environment.settings.failureTimeoutMs
  }

  /** Says why, as far as that is possible, and closes. */
  close(reason: GoodbyeFrame['reason'], detail: string): void {
    if (this.#stage === 'closed') return
    const frame: GoodbyeFrame = { type: 'goodbye', reason, detail: detail.slice(0, 256).toWellFormed() }
    // What was answered goes before it: who hears a goodbye listens no more.
    this.#outbox.flushAll()
    this.#say(frame)
    this.#outbox.flushAll()
    this.#end(reason, false)
  }

  #receive(bytes: Uint8Array): void {
    if (this.#stage === 'closed') return
    if (!this.#isolated()) this.#heartbeats.heardAt = this.#environment.clock.monotonic()
    this.#reader.push(bytes)
    this.#read()
  }

  /** Takes frames off the reader until it is empty or the link should not read. */
  #read(): void {
    // A handler that answers synchronously comes back here; the loop below goes on anyway.
    if (this.#reading) return
    this.#reading = true
    const { hooks, counters, settings } = this.#environment
    const reader = this.#reader
    this.#time = hooks.hybridTime()
    // Nothing is written before the end of the turn, so this stays or shrinks.
    const onWire = this.#connection.pendingBytes
    try {
      while (this.#stage !== 'closed' && !this.#paused && reader.advance()) {
        const frame = decodeFrame(reader.bytes, reader.from, reader.to)
        if (this.#isolated()) continue
        counters.countReceived(frame, reader.to - reader.from + PREFIX_BYTES)
        if (this.#stage === 'greeting') this.#greet(frame, reader.bytes.subarray(reader.from, reader.to))
        else this.#accept(frame)
        if (this.inbound >= settings.inboundMax || onWire + this.#outbox.unwrittenBytes > settings.pendingBytesMax)
          this.#adjustReading()
      }
    } catch (error) {
      if (!(error instanceof QuorateError) || error.code !== 'protocol') throw error
      this.#environment.logger.warn(
        { peer: this.#peer?.name ?? null, remote: this.remote, error: error.message },
        'peer broke the protocol',
      )
      this.close('protocol', error.message)
    } finally {
      this.#reading = false
    }
  }

  #greet(frame: Frame, body: Uint8Array): void {
    if (frame.type === 'goodbye') return this.#hearGoodbye(frame)
    const next = this.#handshake.receive(frame, body)
    switch (next.step) {
      case 'prove':
        this.#say(next.proof)
        return
      case 'refuse':
        this.#events.onRefused(this, next.reason, next.detail)
        return this.close(next.reason, next.detail)
      case 'self':
        return this.#end('self', false)
      case 'greeted':
        return this.#admit(next.hello)
    }
  }

  #admit(hello: HelloFrame): void {
    const { hooks, settings, impairment } = this.#environment
    this.#peer = hello
    this.#from = { name: hello.name, storage: hello.storage }
    // Cut off for an experiment: say nothing more; the greeting times out, as on a silent network.
    if (impairment.isCut(hello.name)) return
    const verdict = hooks.admit(hello)
    if (!verdict.accept) return this.close(verdict.reason, verdict.detail)
    this.#stage = 'admitted'
    this.#reader.setLimit(settings.frameBytesMax)
    hooks.onHello(hello)
    if (this.#is('closed')) return
    // The first heartbeat tells the peer that it is admitted.
    this.#heartbeats.beat(null)
  }

  #accept(frame: Frame): void {
    if (frame.type === 'goodbye') return this.#hearGoodbye(frame)
    if (this.#stage === 'admitted') this.#open()
    switch (frame.type) {
      case 'request':
        this.#observe(frame.time)
        return this.#serving.serve(frame, this.#from, this.#time)
      case 'reply':
        this.#observe(frame.time)
        if (!this.requests.settle(frame, this.#from.storage)) {
          throw new QuorateError('protocol', `a ${frame.reply.type} reply to another request`)
        }
        return
      case 'heartbeat':
        this.#observe(frame.time)
        return this.#heartbeats.hear(frame, this.#from.name)
      default:
        throw new QuorateError('protocol', `${frame.type} after the handshake`)
    }
  }

  #open(): void {
    this.#stage = 'open'
    this.#environment.counters.opened++
    this.#greeting.cancel()
    this.#heartbeats.start()
    this.#events.onOpen(this)
  }

  /** A time that is not later than what this node's clock said already changes nothing, and is not told. */
  #observe(time: number): void {
    if (time <= this.#time) return
    const { hooks } = this.#environment
    hooks.observeTime(time)
    this.#time = hooks.hybridTime()
  }

  #hearGoodbye(frame: GoodbyeFrame): void {
    const { logger, hooks } = this.#environment
    const peer = this.#peer?.name ?? this.#handshake.claimed?.name ?? null
    logger.debug({ peer, remote: this.remote, reason: frame.reason, detail: frame.detail }, 'peer said goodbye')
    hooks.onGoodbye(peer, frame.reason, frame.detail)
    this.#end(frame.reason, true)
  }

  /** False when the frame is too large; then nothing was said, nor when it throws `protocol` since the peer could not read it. */
  #say(frame: Frame, bytesMax: number = this.#environment.settings.frameBytesMax): boolean {
    const { counters, impairment } = this.#environment
    const length =
      impairment.active && this.#peer !== null
        ? this.#sayImpaired(this.#peer.name, frame, bytesMax)
        : this.#outbox.say(frame, bytesMax)
    if (length > bytesMax) return false
    counters.countSent(frame, length + PREFIX_BYTES)
    return true
  }

  /** For experiments: later or never. Returns the bytes of the body, like the outbox. */
  #sayImpaired(name: string, frame: Frame, bytesMax: number): number {
    const body = encodeFrame(frame)
    if (body.length <= bytesMax)
      this.#environment.impairment.pass(name, frame.type, () => {
        if (this.#stage !== 'closed') this.#outbox.push(body)
      })
    return body.length
  }

  #isolated(): boolean {
    const name = this.#peer?.name
    return name !== undefined && this.#environment.impairment.isCut(name)
  }

  /** Reads only while there is room for what reading brings about. */
  #adjustReading(): void {
    const { settings } = this.#environment
    if (this.#stage === 'closed') return
    const pending = this.#outbox.pendingBytes
    if (!this.#paused) {
      if (this.inbound < settings.inboundMax && pending <= settings.pendingBytesMax) return
      this.#paused = true
      this.#connection.pause()
    } else if (this.inbound <= settings.inboundMax * 0.75 && pending <= settings.pendingBytesMax * 0.75) {
      this.#paused = false
      this.#heartbeats.heardAt = this.#environment.clock.monotonic()
      this.#connection.resume()
      this.#read()
    }
  }

  #is(stage: Stage): boolean {
    return this.#stage === stage
  }

  #end(reason: CloseReason, said: boolean): void {
    if (this.#stage === 'closed') return
    this.#stage = 'closed'
    this.#greeting.cancel()
    this.#heartbeats.stop()
    this.#connection.close()
    this.#environment.counters.countClosed(reason)
    this.requests.failAll(
      new QuorateError('closed', `the link to ${this.#peer?.name ?? this.remote} closed: ${reason}`),
    )
    this.#events.onClosed(this, reason, said)
  }
}
