// Breaks things, one after the other from the seed's own stream: picks a kind and a duration, and holds the table of what each kind is.
// Whom it hits and what that means is each kind's own. Invariant: every fault is counted, traced, told to `stability.ts`, and ends.

import type { FaultKind } from '../seed-plan.ts'
import type { Stability } from '../stability.ts'
import { wait } from '../virtual-clock.ts'
import type { World } from '../world.ts'
import { DestructiveKinds } from './destructive-kinds.ts'
import { DiskKinds } from './disk-kinds.ts'
import { LoadKinds } from './load-kinds.ts'
import type { Losses } from './losses.ts'
import { Means } from './means.ts'
import { NetworkKinds } from './network-kinds.ts'
import { bridge, isolate, oneWay, ring, split } from './network-shapes.ts'
import type { Operator } from './operator.ts'
import { ProcessKinds } from './process-kinds.ts'

/** From its beginning to its end; one that is impossible now ends at once, without a note. */
type Fault = (durationMs: number) => Promise<void>

export class FaultInjector {
  readonly #means: Means
  readonly #faults: Readonly<Record<FaultKind, Fault>>

  constructor(world: World, stability: Stability) {
    this.#means = new Means(world, stability)
    this.#faults = faultsWith(this.#means)
    world.cluster.onEnd.push((host) => stability.begin(host.name))
    world.cluster.onServing.push((host) => stability.end(host.name))
  }

  get losses(): Losses {
    return this.#means.losses
  }

  get operator(): Operator {
    return this.#means.operator
  }

  get count(): number {
    return this.#means.count
  }

  /** Injects until told to stop; resolves when the last fault has been mended. */
  async run(until: () => boolean): Promise<void> {
    const { world, time } = this.#means
    const when = world.cluster.random.fork('times of faults')
    const running = new Set<Promise<void>>()
    for (let number = 0; !until(); number++) {
      await wait(time, when.exponential(world.plan.meanFaultIntervalMs))
      if (until()) break
      if (world.leftOut.faults.has(number)) continue
      this.#means.begin(number)
      world.begun.faults.add(number)
      // One that is impossible now gives way to another.
      for (let attempt = 0, before = this.count; attempt < 5 && this.count === before; attempt++) {
        const fault = this.#inject(this.#means.random.pick(world.plan.faults))
        running.add(fault)
        void fault.then(() => running.delete(fault))
      }
    }
    await Promise.all(running)
  }

  async #inject(kind: FaultKind): Promise<void> {
    const { world, random } = this.#means
    const durationMs = 50 + random.exponential(world.plan.meanFaultDurationMs)
    return this.#faults[kind](durationMs)
  }
}

function faultsWith(means: Means): Readonly<Record<FaultKind, Fault>> {
  const processes = new ProcessKinds(means)
  const network = new NetworkKinds(means)
  const disks = new DiskKinds(means)
  const destructive = new DestructiveKinds(means)
  const load = new LoadKinds(means)
  const lossy = { dropFrame: 0.02, duplicateFrame: 0.05, reorderFrame: 0.05, delayMsMax: 80 }
  return {
    kill: (ms) => processes.down('kill', 'reset', false, ms),
    'power-cut': (ms) => processes.down('power-cut', 'silent', true, ms),
    'graceful-stop': (ms) => processes.stop(ms),
    'restart-all': () => processes.restartAll(),
    pause: (ms) => processes.pause(ms),
    'slow-node': (ms) => processes.slow(ms),
    'clock-jump': (ms) => processes.jumpClock(ms),
    'repair-now': () => processes.repairNow(),

    isolate: (ms) => network.cut('isolate', isolate, ms),
    split: (ms) => network.cut('split', split, ms),
    ring: (ms) => network.cut('ring', ring, ms),
    bridge: (ms) => network.cut('bridge', bridge, ms),
    'one-way': (ms) => network.cut('one-way', oneWay, ms),
    flapping: (ms) => network.flap(ms),
    'slow-link': (ms) => network.slowLink(ms),
    'lossy-network': (ms) => network.lossy('lossy-network', lossy, ms),
    resets: (ms) => network.lossy('resets', { reset: 0.01 }, ms),
    'refused-connections': (ms) => network.lossy('refused-connections', { refuse: 0.5, reset: 0.003 }, ms),
    'broken-link': () => network.breakLink(),
    fragments: (ms) => network.fragments(ms),
    'impaired-links': (ms) => network.impair(ms),
    'hostile-peer': () => network.hostile(),

    'slow-disk': (ms) => disks.slow(ms),
    'failed-sync': (ms) => disks.failSync(ms),
    'full-disk': (ms) => disks.fill(ms),
    'crash-at-io': (ms) => disks.crashAtIo(ms),

    wipe: (ms) => destructive.wipe(ms),
    'bit-rot': (ms) => destructive.rot(ms),
    'lost-record': () => destructive.loseRecord(),
    'old-disk': (ms) => destructive.oldDisk(ms),

    burst: (ms) => load.burst(ms),
    'hot-key': (ms) => load.hotKey(ms),
    'sibling-flood': (ms) => load.siblingFlood(ms),
    'huge-values': (ms) => load.hugeValues(ms),
  }
}
