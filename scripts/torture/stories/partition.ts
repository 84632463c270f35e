// Packets between nodes are lost, again and again, while clients reach all of them: one node cut off from all others, one direction only,
// links that flap. Sloppy puts through whoever reaches W nodes must go on succeeding, from the moment of the cut, and after it everything
// holds that holds after kills. In the end one node misses many keys, for the time that it takes to bring them home.

import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../../../src/simulator/seeded-random.ts'
import { Audit } from '../audit.ts'
import { AuditedClient } from '../audited-client.ts'
import { Cluster } from '../cluster.ts'
import { converge } from '../convergence.ts'
import { checkEverything, inParallel } from '../final-check.ts'
import { Namespaces, whyNoNamespaces } from '../namespaces.ts'
import type { NodeProcess } from '../node-process.ts'
import { type StoryOptions, Verdict } from '../verdict.ts'
import { Workload } from '../workload.ts'

const NODES = 5
/** On both sides of the failure time-out, 2 s. */
const CUT_MS = [1000, 5000] as const
const FLAP_MS = [100, 1500] as const
const FLAPS = [4, 9] as const
const BETWEEN_MS = [300, 1500] as const
const KEYS_MISSED = 100_000

type Pair = readonly [from: number, to: number]

export async function partition({ seconds, cycles, short, random, say }: StoryOptions): Promise<Verdict> {
  const verdict = new Verdict()
  const why = whyNoNamespaces()
  if (why !== null) return verdict.skip('partitions', why)
  const network = new Namespaces(NODES)
  try {
    await using cluster = await Cluster.start({ nodes: NODES, network, args: ['--log-level', 'warn'] })
    say(`five nodes serve, each in a network namespace; data and logs in ${cluster.folder}`)
    const client = new AuditedClient(cluster, new Audit(), verdict, 'torture', random)
    const cutter = new Cutter(cluster, network, verdict, random.fork('cuts'))
    client.reachOf = cutter.reachOf
    const workload = new Workload(client, { clients: short ? 1 : 2, paceMs: short ? 10 : 5 })
    workload.begin()
    const until = performance.now() + seconds * 1000
    for (let count = 0; cycles > 0 ? count < cycles : performance.now() < until; count++) {
      await cutter.cycle(count)
      await delay(cutter.between(BETWEEN_MS))
      if (count % 10 === 9) say(`${count + 1} partitions`)
    }
    await workload.end()
    say('the partitions are over; waiting for hints to drain and replicas to agree')
    await converge(cluster, verdict)
    if (!short) await missMany(client, cutter, say)
    await checkEverything(client)
  } finally {
    network.remove()
  }
  return verdict
}

/** One node is away for so long that it misses many keys. */
async function missMany(client: AuditedClient, cutter: Cutter, say: StoryOptions['say']): Promise<void> {
  const { cluster, verdict, audit } = client
  const away = cutter.oneNode()
  cutter.cut(away.pairs)
  const present = cluster.nodes.filter((_, index) => index !== away.node)
  // A cut that lasts is no test of the rate.
  client.reachOf = () => null
  say(`${KEYS_MISSED} keys are written while node-${away.node} is cut off`)
  await inParallel(
    Array.from({ length: KEYS_MISSED }, (_, index) => `missed-${index}`),
    async (key, index) => {
      await client.write(audit.begin(key, 'put', new Set()), {}, present[index % present.length])
    },
  )
  cutter.cut([])
  verdict.inject(`one node cut off while ${KEYS_MISSED} keys are written`)
  say('it is back')
  await converge(cluster, verdict, KEYS_MISSED)
}

class Cutter {
  readonly #cluster: Cluster
  readonly #network: Namespaces
  readonly #verdict: Verdict
  readonly #random: SeededRandom
  #cut: readonly Pair[] = []
  /** For each node, how often it has lost or regained its last peer. */
  readonly #turns: number[] = Array.from({ length: NODES }, () => 0)

  constructor(cluster: Cluster, network: Namespaces, verdict: Verdict, random: SeededRandom) {
    this.#cluster = cluster
    this.#network = network
    this.#verdict = verdict
    this.#random = random
  }

  /** With W = 2, one other node that it hears and that hears it is enough. */
  readonly reachOf = (node: NodeProcess): string | null => {
    const index = this.#cluster.nodes.indexOf(node)
    return this.#reachesAnother(index, this.#cut) ? String(this.#turns[index]) : null
  }

  cut(pairs: readonly Pair[]): void {
    for (const [node, turns] of this.#turns.entries()) {
      const changes = this.#reachesAnother(node, this.#cut) !== this.#reachesAnother(node, pairs)
      if (changes) this.#turns[node] = turns + 1
    }
    // Nothing is sent in between: both are synchronous.
    this.#cut = pairs
    this.#network.cut(pairs)
  }

  async cycle(count: number): Promise<void> {
    const kind = (['one node cut off', 'one way cut', 'flapping'] as const)[count % 3] ?? 'flapping'
    this.#verdict.inject(kind)
    if (kind === 'flapping') return this.#flap(this.#random.next() < 0.5 ? this.oneNode().pairs : this.#oneLink())
    this.cut(kind === 'one way cut' ? this.#oneWay() : this.oneNode().pairs)
    await delay(this.between(CUT_MS))
    await this.#seen()
    this.cut([])
  }

  between([least, most]: readonly [number, number]): number {
    return least + this.#random.next() * (most - least)
  }

  /** All that one node sends and is sent. */
  oneNode(): { readonly node: number; readonly pairs: readonly Pair[] } {
    const node = this.#random.integer(0, NODES)
    const pairs = others(node).flatMap((other): Pair[] => [
      [node, other],
      [other, node],
    ])
    return { node, pairs }
  }

  #oneLink(): readonly Pair[] {
    const from = this.#random.integer(0, NODES)
    const to = this.#random.pick(others(from))
    return [
      [from, to],
      [to, from],
    ]
  }

  /** What one node sends to another is lost, or to all others; or what all others send to it. What comes back arrives. */
  #oneWay(): readonly Pair[] {
    const node = this.#random.integer(0, NODES)
    const draw = this.#random.next()
    if (draw < 0.5) return [[node, this.#random.pick(others(node))]]
    return others(node).map((other): Pair => (draw < 0.75 ? [node, other] : [other, node]))
  }

  async #flap(pairs: readonly Pair[]): Promise<void> {
    const flaps = Math.round(this.between(FLAPS))
    for (let flap = 0; flap < flaps; flap++) {
      this.cut(flap % 2 === 0 ? pairs : [])
      this.#verdict.count('cuts and mends of flapping links')
      await delay(this.between(FLAP_MS))
    }
    this.cut([])
  }

  /** Whether the nodes have noticed: a story whose packets are not lost would never fail. */
  async #seen(): Promise<void> {
    for (const node of this.#cluster.nodes) {
      const { members } = await this.#cluster.json<{ readonly members: readonly { readonly status: string }[] }>(
        node,
        '/v1/cluster',
      )
      if (!members.some(({ status }) => status === 'unreachable')) continue
      this.#verdict.count('cuts that nodes have noticed')
      return
    }
  }

  #reachesAnother(node: number, cut: readonly Pair[]): boolean {
    const lost = (from: number, to: number): boolean => cut.some((pair) => pair[0] === from && pair[1] === to)
    return others(node).some((other) => !lost(node, other) && !lost(other, node))
  }
}

function others(node: number): readonly number[] {
  return Array.from({ length: NODES }, (_, index) => index).filter((index) => index !== node)
}
