// What a fault of any kind has at hand: whom it may hit, how it is told, how it ends a run. Knows nothing of the kinds. Invariant: a host
// that some fault keeps down is no other fault's victim, and a copy that goes with a run is noted as lost.

import type { SeededRandom } from '../seeded-random.ts'
import type { FaultKind } from '../seed-plan.ts'
import type { Host } from '../simulated-cluster.ts'
import type { Stability } from '../stability.ts'
import type { VirtualTime } from '../virtual-clock.ts'
import { tally, type World } from '../world.ts'
import { Losses } from './losses.ts'
import { Operator } from './operator.ts'

export class Means {
  readonly world: World
  readonly time: VirtualTime
  readonly stability: Stability
  /** Of the fault that is just beginning, which takes hold of it: each has a stream of its own, so that none changes another's draws. */
  random: SeededRandom
  readonly losses: Losses
  readonly operator: Operator
  /** Faults noted so far. */
  count = 0

  constructor(world: World, stability: Stability) {
    this.world = world
    this.time = world.cluster.time
    this.stability = stability
    this.random = world.cluster.random.fork('faults')
    this.losses = new Losses(world)
    world.cluster.onEnd.push((host) => this.losses.processEnded(host))
    this.operator = new Operator(world)
  }

  /** The fault of this number is next. */
  begin(number: number): void {
    this.random = this.world.cluster.random.fork(`fault ${number}`)
  }

  note(kind: FaultKind, what: string): void {
    this.count++
    tally(this.world.faults, kind)
    this.world.trace(`fault ${kind} ${what}`)
  }

  victim(wanted: (host: Host) => boolean = (host) => host.serving): Host | null {
    const candidates = this.world.cluster.hosts.filter((host) => wanted(host) && !this.operator.keepsDown(host))
    return candidates.length > 0 ? this.random.pick(candidates) : null
  }

  /** Ends the run of a host; without a disk that is the loss of all it held. */
  end(host: Host, how: 'reset' | 'silent', powerCut: boolean): void {
    const { cluster, plan, history } = this.world
    cluster.crash(host, how, powerCut)
    if (plan.memory) this.losses.note(host.name)
    if (!powerCut || plan.memory) return
    // What was only promised to memory went with the power.
    const volatile = [...history.keys.values()].filter((key) => key.settings.durability === 'memory')
    if (volatile.length === 0) return
    this.losses.note(host.name)
    this.losses.suspend(volatile)
  }
}
