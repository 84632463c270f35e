// G11: an operation succeeds within its deadline while its coordinator reaches enough nodes, and is answered within its deadline in any
// case. Knows who was left alone (`stability.ts`); grants the links some time to find that out.

import { quorumInForce, resolveQuorum } from '../../core/quorum/level.ts'
import { homesOf } from '../holdings.ts'
import type { ObservedFailure } from '../observed.ts'
import type { Stability } from '../stability.ts'
import type { World } from '../world.ts'

/** Detection (500 ms), a dial's back-off, a handshake: what a link needs after a fault is over. */
const REACTION_MS = 4000

const SAYS_NO: ReadonlySet<string> = new Set([
  'refused:too-many-siblings',
  'refused:clock-ahead',
  'refused:idempotency-mismatch',
])
const FULL = 'refused:storage-full'

export function checkAvailability(world: World, stability: Stability, failure: ObservedFailure): void {
  const { key, outcome, options, kind } = failure
  if (outcome.type !== 'quorum-not-met' && outcome.type !== 'not-serving') return
  if (!world.clocksTrusted || !world.disksTrusted || options.timeoutMs < 1000) return
  // A home that is there and says no to this very write has answered.
  if (outcome.type === 'quorum-not-met' && outcome.replicas.some(({ answer }) => SAYS_NO.has(answer))) return
  const since = failure.startedAt - REACTION_MS
  const clear = world.cluster.hosts
    .map(({ name }) => name)
    .filter((name) => stability.isWayClearSince(failure.host, name, since) && world.cluster.host(name).serving)
  if (!clear.includes(failure.host)) return
  if (outcome.type === 'not-serving') {
    world.violations.add('G11', `${failure.host} does not serve though nothing is wrong with it: ${outcome.detail}`)
    return
  }
  const homes = homesOf(world.cluster, key)
  const complete = homes.filter((home) => clear.includes(home) && !failure.fillingAtStart.has(home)).length
  const present = homes.filter((home) => clear.includes(home)).length
  const level = (asked: typeof options.r, byDefault: typeof key.settings.r): number => {
    const resolved = asked === undefined ? quorumInForce(byDefault, homes.length) : resolveQuorum(asked, homes.length)
    return resolved === 'bad-quorum' ? Infinity : resolved
  }
  const r = level(options.r, key.settings.r)
  const w = level(options.w, key.settings.w)
  const sloppy = options.sloppy ?? key.settings.sloppy
  const full = outcome.replicas.filter(({ answer }) => answer === FULL).length
  const hintsFit = world.plan.hintBytesMax > 10_000 && world.plan.bytesMax > 1e6
  // Who has no room accepts nothing; where some have, the others are asked.
  const accepting = (sloppy && hintsFit ? clear.length : present) - full
  const readNeeded =
    kind === 'get' ||
    kind === 'delete' ||
    ('context' in options && options.context === 'latest') ||
    'precondition' in options
  const readable = !readNeeded || complete >= r
  const writable = kind === 'get' || accepting >= w
  if (!hintsFit && kind !== 'get') return
  if (readable && writable) {
    world.violations.add(
      'G11',
      `a ${kind} of ${key.name} through ${failure.host} failed (${failure.startedAt.toFixed(1)}–${failure.endedAt.toFixed(1)}) though ${clear.join()} are in reach: ${JSON.stringify(outcome)}`,
    )
  }
}
