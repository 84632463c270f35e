// G7: a 2xx means as many distinct replicas as were asked for, of the promised kind, and the receipt says what happened: measured by what
// the nodes hold, and by what each replica answered.

import { formatDot } from '../../core/causality/dot.ts'
import type { ExplainEntry, Receipt } from '../../coordinator/operations.ts'
import { strictHomesNeeded } from '../../core/quorum/guarantee.ts'
import { quorumInForce, resolveQuorum } from '../../core/quorum/level.ts'
import { homeKnows, homesOf, storagesSince } from '../holdings.ts'
import type { ObservedRead, ObservedWrite } from '../observed.ts'
import type { World } from '../world.ts'

const ANSWERED: ReadonlySet<string> = new Set(['answered', 'same', 'empty'])
const WRITTEN: ReadonlySet<string> = new Set(['stored', 'already'])

function nodesThat(
  entries: readonly ExplainEntry[],
  answers: ReadonlySet<string>,
  among: (node: string) => boolean,
): Set<string> {
  return new Set(entries.filter(({ node, answer }) => answers.has(answer) && among(node)).map(({ node }) => node))
}

export function checkReadReceipt(world: World, read: ObservedRead): void {
  const { key, outcome, options } = read
  const { receipt, explain } = outcome
  const homes = homesOf(world.cluster, key)
  const isHome = (node: string): boolean => homes.includes(node)
  const say = (what: string): void =>
    world.violations.add(
      'G7',
      `a ${receipt.guarantee} read of ${key.name} through ${read.host} ${what}: ${text(receipt)}`,
    )
  const r =
    options.r === undefined ? quorumInForce(key.settings.r, homes.length) : resolveQuorum(options.r, homes.length)
  if (receipt.n !== homes.length || receipt.required !== r) say(`had n=${homes.length} and R=${r}`)
  if (receipt.replied < receipt.required) say('counts fewer than R')
  if (outcome.type === 'not-found' && receipt.hinted > 0) say('counts fallbacks for a "not found"')
  if (explain) {
    const complete = nodesThat(explain, ANSWERED, isHome)
    const standIns = nodesThat(explain, ANSWERED, (node) => !isHome(node))
    if (receipt.hinted > standIns.size) say(`counts ${receipt.hinted} fallbacks, ${standIns.size} answered`)
    if (receipt.replied - receipt.hinted > complete.size)
      say(`counts more homes than answered (${[...complete].join()})`)
  }
  // A home that was filling all the time, or away, can have counted in nothing.
  const able = homes.filter((home) => {
    const host = world.cluster.host(home)
    const filling = host.node?.rooms?.filling.isFilling(key.partition)
    const running = storagesSince(host, read.startedAt).length > 0
    return running && !(filling && read.fillingAtStart.has(home))
  })
  if (receipt.replied - receipt.hinted > able.length) say(`counts more homes than were complete (${able.join()})`)
  if (receipt.guarantee !== 'strict') return
  const bucketW = quorumInForce(key.settings.w, homes.length)
  if (receipt.hinted > 0 || receipt.required + bucketW <= receipt.n) say('cannot be strict')
  if (outcome.type !== 'found' || key.suspended || !world.disksTrusted) return
  const needed = strictHomesNeeded(receipt.n, receipt.required, bucketW)
  for (const version of outcome.versions) {
    const holding = homes.filter((home) =>
      storagesSince(world.cluster.host(home), read.startedAt).some((storage) => homeKnows(storage, key, version.dot)),
    )
    if (holding.length < needed) say(`shows ${formatDot(version.dot)}, which only ${holding.join()} know(s)`)
  }
}

export function checkWriteReceipt(world: World, observed: ObservedWrite): void {
  const { key, outcome, options, write } = observed
  const { receipt, explain } = outcome
  const homes = homesOf(world.cluster, key)
  const isHome = (node: string): boolean => homes.includes(node)
  const dot = outcome.version
  if (!dot) return
  const say = (what: string): void =>
    world.violations.add(
      'G7',
      `a ${receipt.guarantee} ${outcome.type} of ${key.name} (${write?.id ?? '?'}, ${formatDot(dot)}) through ${observed.host} ${what}: ${text(receipt)}`,
    )
  const w =
    options.w === undefined ? quorumInForce(key.settings.w, homes.length) : resolveQuorum(options.w, homes.length)
  if (receipt.n !== homes.length || receipt.required !== w) say(`had n=${homes.length} and W=${w}`)
  if (receipt.replied < receipt.required) say('counts fewer than W')
  if (explain) {
    const written = nodesThat(explain, WRITTEN, isHome)
    const hinted = nodesThat(explain, new Set(['hinted']), (node) => !isHome(node))
    if (receipt.hinted > hinted.size) say(`counts ${receipt.hinted} hints, ${hinted.size} are held`)
    if (receipt.replied > written.size + hinted.size)
      say(`counts ${receipt.replied} replies, ${written.size + hinted.size} came`)
    if (options.sloppy === false && receipt.hinted > 0 && written.size < receipt.required)
      say('counts hints for a write that is not sloppy')
  }
  if (receipt.durable > receipt.replied) say('has more durable replies than replies')
  if (receipt.guarantee !== 'strict' || !world.disksTrusted || key.suspended) return
  const bucketW = quorumInForce(key.settings.w, homes.length)
  const bucketR = quorumInForce(key.settings.r, homes.length)
  if (receipt.required + bucketR <= receipt.n) say('cannot be strict')
  const holding = homes.filter((home) =>
    storagesSince(world.cluster.host(home), observed.startedAt).some((storage) => homeKnows(storage, key, dot)),
  )
  if (holding.length < strictHomesNeeded(receipt.n, bucketR, bucketW))
    say(`is known only to ${holding.join() || 'nobody'} of its homes`)
}

function text(receipt: Receipt): string {
  return `n=${receipt.n} required=${receipt.required} replied=${receipt.replied} hinted=${receipt.hinted} durable=${receipt.durable}`
}
