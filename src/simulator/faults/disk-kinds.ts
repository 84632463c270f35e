// What befalls disks without taking anything that was synced: slow, full, failing to sync, or without power at one chosen operation.
// Knows nothing of files and formats. Invariant: when a fault ends its disk is sound, and its host is on its way back.

import type { FaultKind } from '../seed-plan.ts'
import { type DiskFaults, NO_DISK_FAULTS } from '../simulated-disk.ts'
import { wait } from '../virtual-clock.ts'
import type { Means } from './means.ts'

export class DiskKinds {
  readonly #means: Means

  constructor(means: Means) {
    this.#means = means
  }

  async degrade(kind: FaultKind, faults: Partial<DiskFaults>, durationMs: number): Promise<void> {
    const { time, stability, random, operator } = this.#means
    const host = this.#means.victim()
    if (!host) return
    this.#means.note(kind, `${host.name} for ${durationMs.toFixed(0)}`)
    stability.begin(host.name)
    host.disk.faults = { ...NO_DISK_FAULTS, ...faults }
    await wait(time, durationMs)
    host.disk.faults = NO_DISK_FAULTS
    stability.end(host.name)
    await wait(time, random.exponential(300))
    // Pages that a failed sync has given up are gone with the next power cut, at the latest.
    if (!host.process?.alive && random.chance(0.5) && !operator.keepsDown(host)) host.disk.powerCut()
    operator.bringBack(host)
  }

  async fill(durationMs: number): Promise<void> {
    const host = this.#means.victim()
    if (!host) return
    const room = this.#means.random.integer(0, 6000)
    await this.degrade('full-disk', { capacityBytes: host.disk.usedBytes + room }, durationMs)
  }

  async crashAtIo(durationMs: number): Promise<void> {
    const { world, time, random, losses, operator } = this.#means
    const { plan, history } = world
    const hasVolatile = [...history.keys.values()].some((key) => key.settings.durability === 'memory')
    const host = this.#means.victim(
      ({ name, process }) => process?.alive === true && (!hasVolatile || losses.mayLose(name)),
    )
    if (!host || plan.memory) return
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
}
