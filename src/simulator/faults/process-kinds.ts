// What befalls processes and their clocks: killed, without power, stopped, paused, slowed, at the wrong time; and a repair at a bad
// moment. Knows nothing of networks and disks. Invariant: a host that has gone down is brought back when its fault ends.

import { QuorateError } from '../../errors.ts'
import type { FaultKind } from '../seed-plan.ts'
import type { Host } from '../simulated-cluster.ts'
import { wait } from '../virtual-clock.ts'
import type { Means } from './means.ts'

export class ProcessKinds {
  readonly #means: Means

  constructor(means: Means) {
    this.#means = means
  }

  async down(kind: FaultKind, how: 'reset' | 'silent', powerCut: boolean, durationMs: number): Promise<void> {
    const host = this.#means.victim((candidate) => candidate.process?.alive === true && this.#mayEnd(candidate))
    if (!host) return
    this.#means.note(kind, `${host.name} for ${durationMs.toFixed(0)}`)
    this.#means.end(host, how, powerCut)
    await this.#means.operator.backAfter(host, durationMs)
  }

  /** SIGTERM: what is under way ends, everything is synced; then the process is gone. */
  async stop(durationMs: number): Promise<void> {
    const { world, time, stability, losses, operator } = this.#means
    const host = this.#means.victim((candidate) => candidate.serving && this.#mayEnd(candidate))
    const node = host?.node
    if (!host || !node) return
    this.#means.note('graceful-stop', `${host.name} for ${durationMs.toFixed(0)}`)
    operator.keepDown(host)
    stability.begin(host.name)
    if (world.plan.memory) losses.note(host.name)
    // A full disk has no room for saying goodbye.
    await Promise.race([node.drain(500).catch(unlessStorageFailed), wait(time, 1500)])
    stability.end(host.name)
    if (host.node === node) this.#means.end(host, 'reset', false)
    await operator.backAfter(host, durationMs)
  }

  async restartAll(): Promise<void> {
    const { world, random, operator } = this.#means
    const { cluster, plan } = world
    if (plan.memory || cluster.serving.length < cluster.hosts.length || operator.keepsAnyDown) return
    const powerCut = random.chance(0.5) && !plan.buckets.some(({ settings }) => settings.durability === 'memory')
    this.#means.note('restart-all', powerCut ? 'power cut' : 'killed')
    for (const host of cluster.hosts) this.#means.end(host, powerCut ? 'silent' : 'reset', powerCut)
    const pauses = cluster.hosts.map((host) => [host, random.exponential(300)] as const)
    await Promise.all(pauses.map(([host, pauseMs]) => operator.backAfter(host, pauseMs)))
  }

  async pause(durationMs: number): Promise<void> {
    const { time, stability } = this.#means
    const host = this.#means.victim()
    if (!host) return
    this.#means.note('pause', `${host.name} for ${durationMs.toFixed(0)}`)
    stability.begin(host.name)
    host.process?.pause(durationMs)
    await wait(time, durationMs + 50)
    stability.end(host.name)
  }

  async slow(durationMs: number): Promise<void> {
    const { time, stability, random } = this.#means
    const host = this.#means.victim()
    if (!host) return
    this.#means.note('slow-node', `${host.name} for ${durationMs.toFixed(0)}`)
    stability.begin(host.name)
    const until = time.now + durationMs
    while (time.now < until) {
      host.process?.pause(random.exponential(25))
      await wait(time, 5 + random.exponential(30))
    }
    stability.end(host.name)
  }

  async jumpClock(durationMs: number): Promise<void> {
    const { world, time, random } = this.#means
    const host = this.#means.victim()
    const process = host?.process
    if (!host || !process) return
    const byMs = random.pick([-1, 1]) * random.integer(100, 3000)
    this.#means.note('clock-jump', `${host.name} by ${byMs} for ${durationMs.toFixed(0)}`)
    world.clocksTrusted = false
    process.clock.jump(byMs)
    await wait(time, durationMs)
    process.clock.jump(-byMs)
  }

  async repairNow(): Promise<void> {
    const host = this.#means.victim()
    if (!host?.node) return
    this.#means.note('repair-now', host.name)
    // A node that dies meanwhile never answers.
    await Promise.race([host.node.repairNow().catch(unlessStorageFailed), wait(this.#means.time, 3000)])
  }

  /** Without disks every end of a run destroys copies. */
  #mayEnd({ name }: Host): boolean {
    return !this.#means.world.plan.memory || this.#means.losses.mayLose(name)
  }
}

function unlessStorageFailed(error: unknown): void {
  if (!(error instanceof QuorateError && error.code === 'storage-failed')) throw error
}
