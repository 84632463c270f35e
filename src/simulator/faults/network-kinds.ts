// What befalls the ways between hosts: cut in some shape, flapping, slow, lossy, reset, in fragments, or with a stranger at the door.
// Knows nothing of what is sent. Invariant: a way is healed when the last fault that holds it cut lets go, and never before.

import { type NetworkFaults, NO_NETWORK_FAULTS } from '../network.ts'
import type { FaultKind } from '../seed-plan.ts'
import { wayOf } from '../stability.ts'
import type { SeededRandom } from '../seeded-random.ts'
import { wait } from '../virtual-clock.ts'
import { attack } from './hostile-peer.ts'
import type { Means } from './means.ts'
import { type Cut, isolate } from './network-shapes.ts'

export class NetworkKinds {
  readonly #means: Means
  /** Directed ways, by how many faults hold them cut. */
  readonly #cuts = new Map<string, number>()
  #lossyFaults = 0

  constructor(means: Means) {
    this.#means = means
  }

  async cut(
    kind: FaultKind,
    shape: (random: SeededRandom, hosts: readonly string[]) => readonly Cut[],
    durationMs: number,
  ): Promise<void> {
    const cuts = shape(this.#means.random, this.#names)
    if (cuts.length === 0) return
    this.#means.note(kind, `${cuts.map((cut) => cut.join('>')).join(' ')} for ${durationMs.toFixed(0)}`)
    for (const cut of cuts) this.#hold(cut)
    await wait(this.#means.time, durationMs)
    for (const cut of cuts) this.#release(cut)
  }

  async flap(durationMs: number): Promise<void> {
    const { time, random } = this.#means
    const cuts = isolate(random, this.#names)
    this.#means.note('flapping', `${cuts[0]?.[0] ?? ''} for ${durationMs.toFixed(0)}`)
    const until = time.now + durationMs
    while (time.now < until) {
      for (const cut of cuts) this.#hold(cut)
      await wait(time, random.exponential(150))
      for (const cut of cuts) this.#release(cut)
      await wait(time, random.exponential(150))
    }
  }

  async slowLink(durationMs: number): Promise<void> {
    const { world, time, stability, random } = this.#means
    const { network } = world.cluster
    const [from, to] = random.shuffle(this.#names) as [string, string]
    const extraMs = random.exponential(150)
    this.#means.note('slow-link', `${from}>${to} by ${extraMs.toFixed(0)} for ${durationMs.toFixed(0)}`)
    stability.begin(wayOf(from, to))
    network.setDelay(from, to, extraMs)
    await wait(time, durationMs)
    network.setDelay(from, to, 0)
    stability.end(wayOf(from, to))
  }

  async lossy(kind: FaultKind, rates: Partial<NetworkFaults>, durationMs: number): Promise<void> {
    const { world, time, stability } = this.#means
    const { network } = world.cluster
    this.#means.note(kind, `for ${durationMs.toFixed(0)}`)
    this.#lossyFaults++
    stability.begin('everything')
    network.faults = { ...network.faults, ...rates }
    await wait(time, durationMs)
    if (--this.#lossyFaults === 0) network.faults = NO_NETWORK_FAULTS
    stability.end('everything')
  }

  /** What a node does to its own links when an operator asks for it: everything later, some of it never, one member not at all. */
  async impair(durationMs: number): Promise<void> {
    const { time, stability, random } = this.#means
    const host = this.#means.victim()
    const links = host?.node?.rooms?.links
    if (!host || !links) return
    const [away = host.name] = random.shuffle(this.#names.filter((name) => name !== host.name))
    const delayMs = random.integer(1, 60)
    this.#means.note('impaired-links', `${host.name} by ${delayMs}, without ${away}, for ${durationMs.toFixed(0)}`)
    stability.begin('everything')
    links.impair(delayMs, random.chance(0.5) ? 0.03 : 0)
    links.cut(away, true)
    await wait(time, durationMs)
    links.impair(0, 0)
    links.cut(away, false)
    stability.end('everything')
  }

  /** TCP as it may be: no trouble, so nothing that anybody could blame. */
  async fragments(durationMs: number): Promise<void> {
    const { network } = this.#means.world.cluster
    this.#means.note('fragments', `for ${durationMs.toFixed(0)}`)
    network.faults = { ...network.faults, fragment: 0.5 }
    await wait(this.#means.time, durationMs)
    network.faults = { ...network.faults, fragment: 0 }
  }

  async breakLink(): Promise<void> {
    const { world, stability, random } = this.#means
    const [a, b] = random.shuffle(this.#names) as [string, string]
    this.#means.note('broken-link', `${a}-${b}`)
    world.cluster.network.resetBetween(a, b)
    stability.disturb(wayOf(a, b))
  }

  async hostile(): Promise<void> {
    const { world, random } = this.#means
    const host = this.#means.victim()
    if (!host) return
    this.#means.note('hostile-peer', host.name)
    await attack(world.cluster, random.fork(`hostile ${this.#means.count}`), world.plan, host)
  }

  get #names(): readonly string[] {
    return this.#means.world.cluster.hosts.map(({ name }) => name)
  }

  #hold([from, to]: Cut): void {
    const way = `${from}>${to}`
    this.#cuts.set(way, (this.#cuts.get(way) ?? 0) + 1)
    this.#means.stability.begin(wayOf(from, to))
    this.#means.world.cluster.network.cut(from, to)
  }

  #release([from, to]: Cut): void {
    const way = `${from}>${to}`
    const left = (this.#cuts.get(way) ?? 1) - 1
    this.#cuts.set(way, left)
    this.#means.stability.end(wayOf(from, to))
    if (left === 0) this.#means.world.cluster.network.heal(from, to)
  }
}
