// A network of its own for a cluster: every node in a network namespace, each on a link of its own to a router in yet another one, and
// this process on a link to it too. What a node sends to another is dropped in the router, without a word to either, by a routing rule for
// that pair in that direction; what clients send passes. Needs root and `ip`; leaves this machine's own network as it is but for one
// device and one route. Invariant: namespaces and device are gone when this process ends, however it ends, but by SIGKILL.

import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { Network } from './cluster.ts'

/** 198.18.0.0/15 is for benchmarks of networks (RFC 2544): it is nobody's. */
const BLOCKS = 512

export class Namespaces implements Network {
  /** Short enough for the name of a device. */
  readonly #name: string = `qt${randomBytes(3).toString('hex')}`
  readonly #block: string
  readonly #nodes: number
  readonly #cut = new Set<string>()
  readonly #onExit = (): void => this.#remove()

  constructor(nodes: number) {
    this.#nodes = nodes
    this.#block = freeBlock()
    process.on('exit', this.#onExit)
    try {
      this.#build()
    } catch (error) {
      this.remove()
      throw error
    }
  }

  readonly hostOf = (node: number): string => `${this.#block}.${4 * node + 2}`

  readonly startedBy = (node: number): readonly string[] => ['ip', 'netns', 'exec', `${this.#name}-${node}`]

  /** From now on exactly these are dropped: what the first of a pair sends to the second. */
  cut(pairs: readonly (readonly [from: number, to: number])[]): void {
    const wanted = new Set(pairs.map(([from, to]) => `from ${this.hostOf(from)} to ${this.hostOf(to)} blackhole`))
    const changes = [
      ...[...wanted].filter((rule) => !this.#cut.has(rule)).map((rule) => `rule add ${rule}`),
      ...[...this.#cut].filter((rule) => !wanted.has(rule)).map((rule) => `rule del ${rule}`),
    ]
    this.#cut.clear()
    for (const rule of wanted) this.#cut.add(rule)
    if (changes.length > 0) ip(['-n', this.#router, '-batch', '-'], changes.join('\n'))
  }

  remove(): void {
    process.off('exit', this.#onExit)
    this.#remove()
  }

  get #router(): string {
    return `${this.#name}-r`
  }

  #build(): void {
    const router = this.#router
    ip(['netns', 'add', router])
    ip(['netns', 'exec', router, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'])
    const links: string[] = []
    for (let node = 0; node < this.#nodes; node++) {
      const space = `${this.#name}-${node}`
      const gateway = `${this.#block}.${4 * node + 1}`
      ip(['netns', 'add', space])
      links.push(
        `link add to-${node} type veth peer name eth0 netns ${space}`,
        `addr add ${gateway}/30 dev to-${node}`,
        `link set to-${node} up`,
      )
      ip(['-n', router, '-batch', '-'], links.splice(0).join('\n'))
      const own = [`addr add ${this.hostOf(node)}/30 dev eth0`, 'link set lo up', 'link set eth0 up']
      ip(['-n', space, '-batch', '-'], [...own, `route add default via ${gateway}`].join('\n'))
    }
    ip(['link', 'add', this.#name, 'type', 'veth', 'peer', 'name', 'clients', 'netns', router])
    const there = `${this.#block}.253`
    ip(['-n', router, '-batch', '-'], `addr add ${there}/30 dev clients\nlink set clients up`)
    const here = [`addr add ${this.#block}.254/30 dev ${this.#name}`, `link set ${this.#name} up`]
    ip(['-batch', '-'], [...here, `route add ${this.#block}.0/24 via ${there}`].join('\n'))
  }

  /** Removing one end of a link, or the namespace that it is in, removes the other end, and routes over it. */
  #remove(): void {
    const spaces = [this.#router, ...Array.from({ length: this.#nodes }, (_, node) => `${this.#name}-${node}`)]
    spawnSync('ip', ['link', 'del', this.#name], { stdio: 'ignore' })
    for (const space of spaces) spawnSync('ip', ['netns', 'del', space], { stdio: 'ignore' })
  }
}

/** Why a network of namespaces cannot be had here; null where it can. Tries all that a partition needs. */
export function whyNoNamespaces(): string | null {
  if (process.platform !== 'linux') return 'this needs Linux'
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  let network: Namespaces | null = null
  try {
    network = new Namespaces(2)
    network.cut([[0, 1]])
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    network?.remove()
  }
}

function freeBlock(): string {
  const taken = ip(['-4', 'addr', 'show']) + ip(['-4', 'route', 'show'])
  const first = randomBytes(2).readUInt16LE()
  for (let place = 0; place < BLOCKS; place++) {
    const number = (first + place) % BLOCKS
    const block = `198.${18 + Math.floor(number / 256)}.${number % 256}`
    if (!taken.includes(`${block}.`)) return block
  }
  throw new Error('no free block of addresses in 198.18.0.0/15')
}

function ip(args: readonly string[], input?: string): string {
  const { status, stdout, stderr, error } = spawnSync('ip', args, { encoding: 'utf8', ...(input && { input }) })
  if (error !== undefined) throw new Error(`ip: ${error.message} (Debian, Ubuntu: apt-get install iproute2)`)
  if (status !== 0) throw new Error(`ip ${args.join(' ')} ended with ${status}: ${stderr.trim()}`)
  return stdout
}
