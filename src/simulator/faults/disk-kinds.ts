// What befalls disks without taking anything that was synced: slow, full, failing to sync, or without power at one chosen operation.
// Knows nothing of files and formats. Invariant: when a fault ends its disk is sound, and its host is on its way back.

import type { FaultKind } from '../seed-plan.ts'
import type { Host } from '../simulated-cluster.ts'
import { type DiskFaults, NO_DISK_FAULTS } from '../simulated-disk.ts'
import { wait } from '../virtual-clock.ts'
import type { Means } from './means.ts'

export class DiskKinds {
  readonly #means: Means

  constructor(means: Means) {
    this.#means = means
  }

  async slow(durationMs: number): Promise<void> {
    const meanMs = 1 + this.#means.random.exponential(8)
    await this.#degrade(this.#means.victim(), 'slow-disk', { meanMs }, durationMs)
  }

  async fill(durationMs: number): Promise<void> {
    const host = this.#means.victim()
    if (!host) return
    const room = this.#means.random.integer(0, 6000)
    await this.#degrade(host, 'full-disk', { capacityBytes: host.disk.usedBytes + room }, durationMs)
  }

  /** Pages that a failed sync has given up are gone with the next power cut, at the latest: often it comes soon. */
  async failSync(durationMs: number): Promise<void> {
    const host = this.#means.victim()
    if (!host) return
    const { random, operator } = this.#means
    const isPlugPulled = random.chance(0.5)
    await this.#degrade(host, 'failed-sync', { syncError: 0.3 }, durationMs)
    if (!isPlugPulled || operator.keepsDown(host)) return
    if (!host.process?.alive) host.disk.powerCut()
    else if (this.#mayLosePower(host)) this.#means.end(host, 'silent', true)
    operator.bringBack(host)
  }

  async crashAtIo(durationMs: number): Promise<void> {
    const { world, time, random, operator } = this.#means
    const host = this.#means.victim((candidate) => candidate.process?.alive === true && this.#mayLosePower(candidate))
    if (!host || world.plan.memory) return
    const pattern = random.pick([/./, /sync/, /append/, /rename|remove|sync-directory/])
    let left = random.integer(1, 8)
    await new Promise<void>((resolve) => {
      host.disk.beforeOperation = (what) => {
        if (!pattern.test(what) || --left > 0 || !host.process?.alive) return
        host.disk.beforeOperation = null
        this.#means.note('crash-at-io', `${host.name} at ${what}`)
        this.#means.end(host, 'silent', true)
        resolve()
      }
      void wait(time, durationMs + 500).then(() => {
        host.disk.beforeOperation = null
        resolve()
      })
    })
    if (!host.process?.alive) await operator.backAfter(host, durationMs)
  }
  /** What was only promised to memory is lost with it. */
  #mayLosePower({ name }: Host): boolean {
    const { world, losses } = this.#means
    const hasVolatile = [...world.history.keys.values()].some((key) => key.settings.durability === 'memory')
    return !hasVolatile || losses.mayLose(name)
  }

  async #degrade(host: Host | null, kind: FaultKind, faults: Partial<DiskFaults>, durationMs: number): Promise<void> {
    if (!host) return
    const { time, stability, random, operator } = this.#means
    this.#means.note(kind, `${host.name} for ${durationMs.toFixed(0)}`)
    stability.begin(host.name)
    host.disk.faults = { ...NO_DISK_FAULTS, ...faults }
    await wait(time, durationMs)
    host.disk.faults = NO_DISK_FAULTS
    stability.end(host.name)
    await wait(time, random.exponential(300))
    operator.bringBack(host)
  }
}
