// Whom to connect to next, and where: seeds resolved again and again, the member table, and what hellos told.
// Knows nothing of frames; addresses are hints, and only a greeting tells who is there.
// Invariant: at most one attempt a target is under way, and attempts that fail come ever more rarely.

import type { Clock, Timer } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import { Backoff } from './backoff.ts'
import type { LinkSettings } from './settings.ts'

export type DialOutcome =
  | { readonly kind: 'open'; readonly found: string }
  | { readonly kind: 'self' }
  /** `found`: another member answered there. */
  | { readonly kind: 'failed'; readonly found: string | null }

export interface DialingOptions {
  readonly clock: Clock
  readonly random: Random
  readonly settings: LinkSettings
  readonly seeds: readonly string[]
  readonly resolve: (hostPort: string) => Promise<readonly string[]>
  readonly self: () => string
  readonly members: () => Iterable<{ readonly name: string; readonly peerAddress: string }>
  readonly linked: (member: string) => boolean
  readonly dial: (address: string, expected: string | null) => Promise<DialOutcome>
}

/** Addresses remembered for a member that moves about; the table's comes first. */
const LEARNED_MAX = 4
/** How long an address that turned out to be our own, or another's, is not tried as a seed. */
const KNOWN_SEED_MS = 10_000

interface Target {
  readonly backoff: Backoff
  addresses: string[]
  attempt: number
  busy: boolean
  timer: Timer | null
}

interface Seed {
  readonly backoff: Backoff
  busy: boolean
  /** Who answered there, or null for this node itself; undefined before. */
  owner: string | null | undefined
  seenAt: number
  notBefore: number
}

export class Dialing {
  readonly #options: DialingOptions
  readonly #targets = new Map<string, Target>()
  readonly #seeds = new Map<string, Seed>()
  #timer: Timer | null = null
  #running = false
  #resolving = false

  constructor(options: DialingOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = true
    this.look()
    if (this.#options.seeds.length > 0) void this.#walkSeeds()
  }

  stop(): void {
    this.#running = false
    this.#timer?.cancel()
    for (const target of this.#targets.values()) target.timer?.cancel()
  }

  /** A member said where it can be reached. */
  learn(member: string, address: string): void {
    const target = this.#target(member)
    target.backoff.reset()
    target.attempt = 0
    if (address !== '')
      target.addresses = [address, ...target.addresses.filter((known) => known !== address)].slice(0, LEARNED_MAX)
  }

  /** Starts an attempt for each member without a link that has none under way. */
  look(): void {
    if (!this.#running) return
    const self = this.#options.self()
    const wanted = new Set<string>()
    for (const { name, peerAddress } of this.#options.members()) {
      if (name === self) continue
      wanted.add(name)
      const target = this.#target(name)
      if (peerAddress !== '' && !target.addresses.includes(peerAddress)) {
        target.addresses = [peerAddress, ...target.addresses].slice(0, LEARNED_MAX)
      }
      if (!this.#options.linked(name) && !target.busy && target.timer === null) this.#schedule(name, target)
    }
    for (const [name, target] of this.#targets) {
      if (wanted.has(name) || target.busy || this.#options.linked(name)) continue
      target.timer?.cancel()
      this.#targets.delete(name)
    }
  }

  #target(member: string): Target {
    let target = this.#targets.get(member)
    if (target === undefined) {
      const { random, settings } = this.#options
      const backoff = new Backoff(random, settings.backoffLeastMs, settings.backoffMostMs)
      target = { backoff, addresses: [], attempt: 0, busy: false, timer: null }
      this.#targets.set(member, target)
    }
    return target
  }

  #schedule(member: string, target: Target): void {
    target.timer = this.#options.clock.after(target.backoff.nextMs(), () => {
      target.timer = null
      void this.#tryMember(member, target)
    })
  }

  async #tryMember(member: string, target: Target): Promise<void> {
    const address = target.addresses[target.attempt++ % Math.max(1, target.addresses.length)]
    if (!this.#running || this.#options.linked(member) || target.busy) return
    if (address !== undefined) {
      target.busy = true
      const outcome = await this.#options.dial(address, member)
      target.busy = false
      if (outcome.kind === 'open') target.backoff.reset()
    }
    this.look()
  }

  async #walkSeeds(): Promise<void> {
    if (this.#resolving || !this.#running) return
    this.#resolving = true
    const { seeds, resolve, clock, settings, random } = this.#options
    const now = clock.monotonic()
    const present = new Set<string>()
    let complete = true
    for (const seed of seeds) {
      let addresses: readonly string[] = []
      try {
        addresses = await resolve(seed)
      } catch {
        // A name that is not known yet is asked for again, like a seed that does not answer.
      }
      if (addresses.length === 0) complete = false
      for (const address of addresses) {
        present.add(address)
        if (!this.#trySeed(address, now)) complete = false
      }
    }
    for (const [address, seed] of this.#seeds) if (!present.has(address) && !seed.busy) this.#seeds.delete(address)
    this.#resolving = false
    if (!this.#running) return
    const pauseMs = complete ? settings.seedIntervalMs : settings.backoffLeastMs * 2
    this.#timer = clock.after(pauseMs * (0.5 + random.next() / 2), () => void this.#walkSeeds())
  }

  /** True when nothing need be done about this address. */
  #trySeed(address: string, now: number): boolean {
    const { linked, settings, random } = this.#options
    let seed = this.#seeds.get(address)
    if (seed === undefined) {
      const backoff = new Backoff(random, settings.backoffLeastMs, settings.backoffMostMs)
      seed = { backoff, busy: false, owner: undefined, seenAt: 0, notBefore: 0 }
      this.#seeds.set(address, seed)
    }
    const recent = now - seed.seenAt < KNOWN_SEED_MS
    if (seed.owner === null ? recent : seed.owner !== undefined && linked(seed.owner)) return true
    for (const [member, target] of this.#targets) if (target.addresses.includes(address) && linked(member)) return true
    if (!seed.busy && now >= seed.notBefore) void this.#dialSeed(address, seed)
    return false
  }

  async #dialSeed(address: string, seed: Seed): Promise<void> {
    seed.busy = true
    const outcome = await this.#options.dial(address, null)
    seed.busy = false
    const now = this.#options.clock.monotonic()
    seed.seenAt = now
    seed.owner = outcome.kind === 'self' ? null : outcome.kind === 'open' ? outcome.found : undefined
    if (outcome.kind !== 'failed') seed.backoff.reset()
    seed.notBefore = now + seed.backoff.nextMs()
  }
}
