// Who starts hosts again: after a fault, between faults, and when all faults have ended, with an empty disk or a larger budget where
// that is the way out. Knows nothing of the kinds of faults. Invariant: a host that a fault keeps down stays down until it is let go.

import { NO_NETWORK_FAULTS } from '../network.ts'
import type { Host } from '../simulated-cluster.ts'
import { NO_DISK_FAULTS } from '../simulated-disk.ts'
import { wait } from '../virtual-clock.ts'
import type { World } from '../world.ts'

const BYTES_ENOUGH = 1 << 26

export class Operator {
  readonly #world: World
  /** Hosts that a fault keeps down. */
  readonly #held = new Set<string>()

  constructor(world: World) {
    this.#world = world
  }

  keepsDown(host: Host): boolean {
    return this.#held.has(host.name)
  }

  get keepsAnyDown(): boolean {
    return this.#held.size > 0
  }

  keepDown(host: Host): void {
    this.#held.add(host.name)
  }

  async backAfter(host: Host, durationMs: number): Promise<void> {
    this.keepDown(host)
    await wait(this.#world.cluster.time, durationMs)
    this.#held.delete(host.name)
    this.bringBack(host)
  }

  bringBack(host: Host): void {
    if (host.process?.alive || this.keepsDown(host)) return
    // A disk from before a replacement never serves again: its operator gives the node an empty one.
    if (host.fatal?.includes('has another storage now')) host.disk.wipe()
    this.#world.cluster.start(host)
  }

  /** A node whose budget is used up takes few hints: its operator starts it again with a larger one. */
  enlarge(host: Host): void {
    const storage = host.node?.rooms?.storage
    if (!host.serving || !storage?.isFull || storage.stats.bytes > BYTES_ENOUGH || this.#world.plan.memory) return
    this.#world.trace(`enlarge ${host.name}`)
    this.#world.cluster.crash(host, 'reset', false)
    this.#world.cluster.start(host)
  }

  /** The end of all faults, for the proof that what was broken heals. */
  mendAll(): void {
    const { cluster } = this.#world
    cluster.network.faults = NO_NETWORK_FAULTS
    cluster.network.healAll()
    for (const host of cluster.hosts) {
      host.disk.faults = NO_DISK_FAULTS
      host.disk.beforeOperation = null
      this.bringBack(host)
    }
    cluster.limits = { ...cluster.limits, bytesMax: BYTES_ENOUGH }
  }
}
