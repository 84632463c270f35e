// All links of a node: one long-lived connection a pair, found, opened, and opened again. Implements Peers for the rooms above.
// Who belongs to the cluster is decided by cluster, through hooks; where to connect is `dialing.ts`.
// Invariant: at most one link a member carries new requests, and both ends choose the same one.

import { QuorateError } from '../errors.ts'
import type { Connection, Listener, Transport } from '../ports/transport.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { GoodbyeFrame, HelloFrame, Request } from '../protocol/messages.ts'
import type { Logger } from '../telemetry/log.ts'
import { LinkCounters } from './counters.ts'
import { Dialing } from './dialing.ts'
import type { DialOutcome } from './dialing.ts'
import { FRESH_BYTES, INCARNATION_BYTES, nonceOf } from './handshake.ts'
import { Impairment } from './impairment.ts'
import { afterMicrotasks } from './outbox.ts'
import type { Schedule } from './outbox.ts'
import { PeerLink } from './peer-link.ts'
import type { CloseReason } from './peer-link.ts'
import type { AnswerTo, Peers, RequestOptions } from './peers.ts'
import { isPreferred } from './rivals.ts'
import { Seldom } from './seldom.ts'
import { DEFAULT_LINK_SETTINGS } from './settings.ts'
import type { LinkEnvironment, LinkHooks, LinkSettings } from './settings.ts'

export interface PeerLinksOptions {
  readonly clock: Clock
  readonly transport: Transport
  readonly random: Random
  readonly logger: Logger
  /** `host:port` to listen on. */
  readonly listenAddress: string
  /** Addresses to join by; each may be a name that stands for many. */
  readonly seeds: readonly string[]
  /** Proven on every link; the first is ours, any is accepted. Empty: none is asked for. */
  readonly secrets: readonly string[]
  readonly hooks: LinkHooks
  readonly settings?: Partial<LinkSettings>
  /** How frames of one turn are gathered; by default without timers. */
  readonly schedule?: Schedule
}

/** Ends that somebody wanted. */
const EXPECTED_ENDS: ReadonlySet<CloseReason> = new Set(['closing', 'duplicate', 'replaced'])

/** One link as operators see it. */
export interface LinkStatus {
  readonly member: string
  readonly storage: string
  readonly remote: string
  readonly initiatedHere: boolean
  readonly heardAt: number
  readonly rttMs: number | null
  readonly offsetMs: number | null
  readonly inFlight: number
  readonly inbound: number
  readonly pendingBytes: number
}

export class PeerLinks implements Peers {
  readonly counters: LinkCounters = new LinkCounters()
  readonly #transport: Transport
  readonly #listenAddress: string
  readonly #environment: LinkEnvironment
  readonly #incarnation: Uint8Array
  readonly #dialing: Dialing
  /** Who is refused comes again, for ever. */
  readonly #refusals: Seldom
  readonly #links = new Map<string, PeerLink>()
  /** Every link that is not closed, in any stage. */
  readonly #all = new Set<PeerLink>()
  readonly #heardAt = new Map<string, number>()
  /** What each member's software said it is, when it was last linked. */
  readonly #software = new Map<string, string>()
  readonly #listeners = new Set<(member: string, reachable: boolean) => void>()
  #listener: Listener | null = null
  #greetings = 0
  #nextConnection = 1
  #closed = false

  constructor(options: PeerLinksOptions) {
    const { clock, random, logger, hooks } = options
    const settings = { ...DEFAULT_LINK_SETTINGS, ...options.settings }
    this.#transport = options.transport
    this.#listenAddress = options.listenAddress
    this.#incarnation = random.bytes(INCARNATION_BYTES)
    this.#refusals = new Seldom(() => clock.monotonic())
    this.#environment = {
      clock,
      random,
      logger,
      hooks,
      settings,
      secrets: options.secrets,
      counters: this.counters,
      schedule: options.schedule ?? afterMicrotasks,
      impairment: new Impairment(clock, random),
    }
    this.#dialing = new Dialing({
      clock,
      random,
      settings,
      seeds: options.seeds,
      resolve: (hostPort) => options.transport.resolve(hostPort),
      self: () => hooks.localHello().name,
      members: hooks.members,
      linked: (member) => this.#links.has(member),
      dial: (address, expected) => this.#dial(address, expected),
    })
  }

  /** The address that is listened on, once started. */
  get address(): string {
    return this.#listener?.address ?? this.#listenAddress
  }

  /** Listens, then begins to look for the others. Rejects when the address cannot be bound. */
  async start(): Promise<void> {
    const listener = await this.#transport.listen(this.#listenAddress, (connection) => this.#accept(connection))
    if (this.#closed) return listener.close()
    this.#listener = listener
    this.#dialing.start()
  }

  /** The member table changed: look for new members now. */
  membersChanged(): void {
    this.#dialing.look()
  }

  request<R extends Request>(member: string, request: R, options: RequestOptions): Promise<AnswerTo<R>> {
    return new Promise((resolve, reject) => {
      this.ask(member, request, options, (answer) => {
        if (answer instanceof QuorateError) reject(answer)
        else resolve(answer)
      })
    })
  }

  ask<R extends Request>(
    member: string,
    request: R,
    options: RequestOptions,
    done: (answer: AnswerTo<R> | QuorateError) => void,
  ): void {
    const link = this.#links.get(member)
    if (this.#closed) done(new QuorateError('closed', 'this node is shutting down'))
    else if (link === undefined) done(new QuorateError('unreachable', `no link to ${member}`))
    else link.ask(request, options, done)
  }

  reachable(member: string): boolean {
    return this.#links.get(member)?.fresh ?? false
  }

  lastHeardAt(member: string): number | null {
    return this.#links.get(member)?.heardAt ?? this.#heardAt.get(member) ?? null
  }

  /** The version of the member's software, as it last said; null: it never did. */
  softwareOf(member: string): string | null {
    return this.#software.get(member) ?? null
  }

  /** The storage at the other end of the member's link, or null without one. */
  storageOf(member: string): string | null {
    return this.#links.get(member)?.peer?.storage ?? null
  }

  onChange(listener: (member: string, reachable: boolean) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Closes the link to a member that may no longer be here, and says why. */
  dismiss(member: string, reason: 'replaced' | 'unknown-member' | 'name-taken', detail: string): void {
    for (const link of [...this.#all]) if (link.peer?.name === member) link.close(reason, detail)
  }

  /** For experiments: nothing passes to or from this member, in silence. */
  cut(member: string, cut: boolean): void {
    this.#environment.impairment.setCut(member, cut)
  }

  /** For experiments: every frame is delayed, and lost with this probability. */
  impair(delayMs: number, dropRate: number): void {
    this.#environment.impairment.set(delayMs, dropRate)
  }

  status(): readonly LinkStatus[] {
    return [...this.#links].map(([member, link]) => ({
      member,
      storage: link.peer?.storage ?? '',
      remote: link.remote,
      initiatedHere: link.role === 'initiator',
      heardAt: link.heardAt,
      rttMs: link.rttMs,
      offsetMs: link.offsetMs,
      inFlight: link.requests.count,
      inbound: link.inbound,
      pendingBytes: link.pendingBytes,
    }))
  }

  /** Says goodbye to everyone; requests that wait are rejected with `closed`. Resolves when the address is free. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#dialing.stop()
    for (const link of [...this.#all]) link.close('closing', 'this node is shutting down')
    await this.#listener?.close()
  }

  #accept(connection: Connection): void {
    if (this.#closed || this.#greetings >= this.#environment.settings.greetingsMax) {
      connection.close()
      return
    }
    this.#greetings++
    this.#add(connection, 'acceptor', null, () => {
      this.#greetings--
    })
  }

  async #dial(address: string, expected: string | null): Promise<DialOutcome> {
    this.counters.dials++
    const { settings, logger } = this.#environment
    let connection: Connection
    try {
      connection = await this.#transport.connect(address, settings.connectTimeoutMs)
    } catch (error) {
      logger.debug({ address, member: expected, error: String(error) }, 'peer not reached')
      return { kind: 'failed', found: null }
    }
    if (this.#closed) {
      connection.close()
      return { kind: 'failed', found: null }
    }
    return new Promise((resolve) => {
      this.#add(connection, 'initiator', expected, (link, reason) => {
        const found = link.claimed?.name ?? null
        if (reason === 'self') resolve({ kind: 'self' })
        else if (link.isOpen && found !== null) resolve({ kind: 'open', found })
        else resolve({ kind: 'failed', found: reason === 'wrong-peer' ? found : null })
      })
    })
  }

  /** `settled` runs once: when the link opens, or when it closes without having opened. */
  #add(
    connection: Connection,
    role: 'initiator' | 'acceptor',
    expected: string | null,
    settled: (link: PeerLink, reason: CloseReason | null) => void,
  ): void {
    let pending = true
    const settle = (link: PeerLink, reason: CloseReason | null): void => {
      if (!pending) return
      pending = false
      settled(link, reason)
    }
    const hello: HelloFrame = {
      ...this.#environment.hooks.localHello(),
      type: 'hello',
      to: expected,
      nonce: nonceOf(this.#incarnation, this.#nextConnection++, this.#environment.random.bytes(FRESH_BYTES)),
    }
    const link = new PeerLink(this.#environment, connection, role, expected, hello, {
      onOpen: (opened) => {
        settle(opened, null)
        this.#opened(opened)
      },
      onRefused: (refused, reason, detail) => this.#refused(refused, reason, detail),
      onClosed: (closed, reason) => {
        this.#all.delete(closed)
        settle(closed, reason)
        this.#lost(closed, reason)
      },
    })
    this.#all.add(link)
  }

  #opened(link: PeerLink): void {
    const { logger, hooks } = this.#environment
    const peer = link.peer
    if (peer === null) return
    this.#dialing.learn(peer.name, peer.peerAddress)
    if (typeof peer.software === 'string') this.#software.set(peer.name, peer.software)
    const rival = this.#links.get(peer.name)
    if (rival !== undefined && rival.isOpen && !isPreferred(link, rival, hooks.localHello().name))
      return this.#retire(link)
    this.#links.set(peer.name, link)
    if (rival !== undefined) this.#retire(rival)
    else {
      logger.info({ peer: peer.name, storage: peer.storage, remote: link.remote }, 'peer linked')
      this.#announce(peer.name, true)
    }
  }

  #refused(link: PeerLink, reason: GoodbyeFrame['reason'], detail: string): void {
    const { logger, hooks } = this.#environment
    const peer = link.claimed?.name ?? null
    // Both ends greet first, so which of them refuses is a matter of chance: where we were sent to, it is all the same.
    const isOurs = link.role === 'initiator' && (reason === 'wrong-cluster' || reason === 'bad-secret')
    if (isOurs) hooks.onGoodbye(peer, reason, detail)
    else if (this.#refusals.isDue(peer, reason))
      logger.warn({ peer, remote: link.remote, reason, detail }, 'peer refused')
  }

  /** Takes no new requests; what is under way on it may finish. */
  #retire(link: PeerLink): void {
    const { clock, settings } = this.#environment
    clock.after(settings.failureTimeoutMs, () => link.close('duplicate', 'another link of this pair is used'))
  }

  #lost(link: PeerLink, reason: CloseReason): void {
    const peer = link.peer
    if (peer === null || this.#links.get(peer.name) !== link) return
    this.#links.delete(peer.name)
    this.#heardAt.set(peer.name, link.heardAt)
    const { logger } = this.#environment
    if (EXPECTED_ENDS.has(reason)) logger.info({ peer: peer.name, reason }, 'peer link lost')
    else logger.warn({ peer: peer.name, reason }, 'peer link lost')
    this.#announce(peer.name, false)
    if (!this.#closed) this.#dialing.look()
  }

  #announce(member: string, reachable: boolean): void {
    for (const listener of [...this.#listeners]) listener(member, reachable)
  }
}
