// One connection to one peer: greeting, then requests and replies side by side, heartbeats, deadlines, back-pressure, goodbye.
// Knows nothing of other links, of addresses, or of what requests mean.
// Invariant: every request settles exactly once; nothing is handled before both sides have admitted each other.

import { QuorateError } from '../errors.ts'
import type { Clock, Timer } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { Connection } from '../ports/transport.ts'
import { decodeFrame, encodeFrame } from '../protocol/codec.ts'
import type { Frame, GoodbyeFrame, HeartbeatFrame, HelloFrame, Reply, RequestFrame } from '../protocol/messages.ts'
import type { Logger } from '../telemetry/log.ts'
import type { LinkCounters } from './counters.ts'
import { labelOf } from './counters.ts'
import type { Deadlines } from './deadlines.ts'
import { FrameReader, PREFIX_BYTES } from './framing.ts'
import { Handshake } from './handshake.ts'
import type { Role } from './handshake.ts'
import type { Impairment } from './impairment.ts'
import { InFlight } from './in-flight.ts'
import { Outbox } from './outbox.ts'
import type { Schedule } from './outbox.ts'
import type { LinkHooks, LinkSettings } from './settings.ts'

/** What all links of a node share. */
export interface LinkEnvironment {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly schedule: Schedule
  readonly settings: LinkSettings
  readonly hooks: LinkHooks
  readonly counters: LinkCounters
  readonly deadlines: Deadlines
  readonly impairment: Impairment
  readonly secrets: readonly string[]
}

export type CloseReason = GoodbyeFrame['reason'] | 'broken' | 'silent' | 'greeting-timeout' | 'self'

export interface LinkEvents {
  /** The peer is admitted and has admitted us. */
  readonly onOpen: (link: PeerLink) => void
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
  #inbound = 0
  #paused = false
  #reading = false
  #heardAt: number
  #checkedAt: number
  #timer: Timer
  #rttMs: number | null = null
  #offsetMs: number | null = null

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
    this.#outbox = new Outbox(connection, environment.schedule)
    this.#reader = new FrameReader(settings.greetingBytesMax)
    this.requests = new InFlight(environment.deadlines, environment.counters)
    this.#heardAt = clock.monotonic()
    this.#checkedAt = this.#heardAt
    this.#timer = clock.after(settings.greetingTimeoutMs, () => this.#end('greeting-timeout', false))
    connection.onData = (bytes) => this.#receive(bytes)
    connection.onDrain = () => {
      this.#outbox.drained()
      this.#adjustReading()
    }
    connection.onClose = () => this.#end('broken', false)
    environment.counters.countSent('hello', this.#handshake.helloBytes.length)
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
    return (
      this.isOpen && this.#environment.clock.monotonic() - this.#heardAt <= this.#environment.settings.failureTimeoutMs
    )
  }

  get heardAt(): number {
    return this.#heardAt
  }

  get rttMs(): number | null {
    return this.#rttMs
  }

  get offsetMs(): number | null {
    return this.#offsetMs
  }

  get inbound(): number {
    return this.#inbound
  }

  get pendingBytes(): number {
    return this.#outbox.pendingBytes
  }

  /** Sends a request frame. Throws `overloaded` when it must not be queued; nothing was sent then. */
  send(frame: RequestFrame): void {
    const { settings, counters } = this.#environment
    const body = encodeFrame(frame)
    const pending = this.#outbox.pendingBytes
    if (body.length > settings.frameBytesMax || (pending > 0 && pending + body.length > settings.pendingBytesMax)) {
      counters.overloads++
      throw new QuorateError('overloaded', `${pending} bytes wait to be sent to ${this.#peer?.name ?? 'the peer'}`)
    }
    this.#write(frame, body)
  }

  /** Says why, as far as that is possible, and closes. */
  close(reason: GoodbyeFrame['reason'], detail: string): void {
    if (this.#stage === 'closed') return
    const frame: GoodbyeFrame = { type: 'goodbye', reason, detail: detail.slice(0, 256).toWellFormed() }
    this.#write(frame, encodeFrame(frame))
    this.#outbox.flush()
    this.#end(reason, false)
  }

  #receive(bytes: Uint8Array): void {
    if (this.#stage === 'closed') return
    if (!this.#isolated()) this.#heardAt = this.#environment.clock.monotonic()
    this.#reader.push(bytes)
    this.#read()
  }

  /** Takes frames off the reader until it is empty or the link should not read. */
  #read(): void {
    // A handler that answers synchronously comes back here; the loop below goes on anyway.
    if (this.#reading) return
    this.#reading = true
    try {
      while (this.#stage !== 'closed' && !this.#paused) {
        const body = this.#reader.next()
        if (body === null) break
        const frame = decodeFrame(body)
        if (this.#isolated()) continue
        this.#environment.counters.countReceived(labelOf(frame), body.length + PREFIX_BYTES)
        if (this.#stage === 'greeting') this.#greet(frame, body)
        else this.#accept(frame)
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
        return this.#write(next.proof, encodeFrame(next.proof))
      case 'refuse':
        this.#environment.logger.warn({ remote: this.remote, reason: next.reason, detail: next.detail }, 'peer refused')
        // Both ends greet first, so which of them refuses is a matter of chance: where we were sent to, it is all the same.
        if (next.reason === 'wrong-cluster' && this.role === 'initiator')
          this.#environment.hooks.onGoodbye(this.#handshake.claimed?.name ?? null, next.reason, next.detail)
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
    // Cut off for an experiment: say nothing more; the greeting times out, as on a silent network.
    if (impairment.isCut(hello.name)) return
    const verdict = hooks.admit(hello)
    if (!verdict.accept) return this.close(verdict.reason, verdict.detail)
    this.#stage = 'admitted'
    this.#reader.setLimit(settings.frameBytesMax)
    hooks.onHello(hello)
    if (this.#is('closed')) return
    // The first heartbeat tells the peer that it is admitted.
    this.#beat(null)
  }

  #accept(frame: Frame): void {
    if (frame.type === 'goodbye') return this.#hearGoodbye(frame)
    if (this.#stage === 'admitted') this.#open()
    switch (frame.type) {
      case 'request':
        return this.#serve(frame)
      case 'reply':
        this.#environment.hooks.observeTime(frame.time)
        if (!this.requests.settle(frame, this.#peer?.storage ?? '')) {
          throw new QuorateError('protocol', `a ${frame.reply.type} reply to another request`)
        }
        return
      case 'heartbeat':
        return this.#hearHeartbeat(frame)
      default:
        throw new QuorateError('protocol', `${frame.type} after the handshake`)
    }
  }

  #open(): void {
    const { clock, settings, counters } = this.#environment
    this.#stage = 'open'
    counters.opened++
    this.#timer.cancel()
    this.#checkedAt = clock.monotonic()
    this.#timer = clock.after(settings.heartbeatMs, () => this.#tick())
    this.#events.onOpen(this)
  }

  #serve(frame: RequestFrame): void {
    const { hooks, logger, counters } = this.#environment
    const peer = this.#peer
    if (peer === null) return
    hooks.observeTime(frame.time)
    this.#inbound++
    const context = { budgetMs: frame.budgetMs, time: frame.time, trace: frame.trace }
    const answered = (reply: Reply): void => {
      this.#inbound--
      if (this.#stage === 'closed') return
      const answer: Frame = { type: 'reply', id: frame.id, time: hooks.hybridTime(), reply }
      const body = encodeFrame(answer)
      if (body.length <= this.#environment.settings.frameBytesMax) this.#write(answer, body)
      else
        logger.error({ peer: peer.name, request: frame.request.type, bytes: body.length }, 'reply is too large to send')
      this.#adjustReading()
    }
    const failed = (error: unknown): void => {
      // What it did before it failed is unknown, so a refusal would be a lie: the peer's deadline answers.
      this.#inbound--
      counters.handlerErrors++
      logger.error({ peer: peer.name, request: frame.request.type, error }, 'request handler failed')
      if (this.#stage !== 'closed') this.#adjustReading()
    }
    // A handler which throws is the same as one which rejects; one that need not wait costs no promise.
    let reply: Reply | Promise<Reply>
    try {
      reply = hooks.handler({ name: peer.name, storage: peer.storage }, frame.request, context)
    } catch (error) {
      failed(error)
      return
    }
    if (reply instanceof Promise) reply.then(answered, failed)
    else answered(reply)
  }

  #hearHeartbeat(frame: HeartbeatFrame): void {
    const { hooks, clock } = this.#environment
    const name = this.#peer?.name ?? ''
    hooks.observeTime(frame.time)
    if (frame.echo === null) this.#beat(frame.sentAt)
    else {
      const rttMs = clock.monotonic() - frame.echo
      // An echo of something never sent would be a negative or absurd round trip.
      if (rttMs >= 0 && rttMs <= this.#environment.settings.failureTimeoutMs * 2) {
        this.#rttMs = rttMs
        this.#offsetMs = frame.wall - (clock.now() - rttMs / 2)
        hooks.onClockSample(name, this.#offsetMs, rttMs)
      }
    }
    hooks.onHeartbeatDigests(name, frame.membersDigest, frame.settingsDigest)
  }

  #hearGoodbye(frame: GoodbyeFrame): void {
    const { logger, hooks } = this.#environment
    const peer = this.#peer?.name ?? this.#handshake.claimed?.name ?? null
    logger.debug({ peer, remote: this.remote, reason: frame.reason, detail: frame.detail }, 'peer said goodbye')
    hooks.onGoodbye(peer, frame.reason, frame.detail)
    this.#end(frame.reason, true)
  }

  #tick(): void {
    const { clock, settings } = this.#environment
    const now = clock.monotonic()
    // This process stood still: what the peer said meanwhile lies unread, so give it one more beat.
    const stalledMs = now - this.#checkedAt - settings.heartbeatMs
    if (stalledMs > settings.heartbeatMs)
      this.#heardAt = Math.max(this.#heardAt, now - settings.failureTimeoutMs + settings.heartbeatMs)
    // Not reading is our own choice, no silence of the peer's.
    if (this.#paused) this.#heardAt = now
    this.#checkedAt = now
    if (now - this.#heardAt >= settings.failureTimeoutMs) return this.#end('silent', false)
    this.#beat(null)
    const silentInMs = this.#heardAt + settings.failureTimeoutMs - now
    this.#timer = clock.after(Math.min(settings.heartbeatMs, Math.max(1, silentInMs)), () => this.#tick())
  }

  #beat(echo: number | null): void {
    const { clock, hooks } = this.#environment
    const digests = hooks.digests()
    const frame: Frame = {
      type: 'heartbeat',
      sentAt: clock.monotonic(),
      echo,
      wall: clock.now(),
      time: hooks.hybridTime(),
      membersDigest: digests.members,
      settingsDigest: digests.settings,
    }
    this.#write(frame, encodeFrame(frame))
  }

  #write(frame: Frame, body: Uint8Array): void {
    const { counters, impairment } = this.#environment
    counters.countSent(labelOf(frame), body.length + PREFIX_BYTES)
    const name = this.#peer?.name
    if (name === undefined || !impairment.active) this.#outbox.push(body)
    else
      impairment.pass(name, frame.type, () => {
        if (this.#stage !== 'closed') this.#outbox.push(body)
      })
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
      if (this.#inbound < settings.inboundMax && pending <= settings.pendingBytesMax) return
      this.#paused = true
      this.#connection.pause()
    } else if (this.#inbound <= settings.inboundMax * 0.75 && pending <= settings.pendingBytesMax * 0.75) {
      this.#paused = false
      this.#heardAt = this.#environment.clock.monotonic()
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
    this.#timer.cancel()
    this.#connection.close()
    this.#environment.counters.countClosed(reason)
    this.requests.failAll(
      new QuorateError('closed', `the link to ${this.#peer?.name ?? this.remote} closed: ${reason}`),
    )
    this.#events.onClosed(this, reason, said)
  }
}
