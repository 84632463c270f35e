// The simulator's wires: which host reaches which, how long it takes, and what goes wrong on the way. Hands out a Transport a
// host. Knows of frames only where they begin and whether they are requests or replies (`wire.ts`).
// Invariant: like TCP, a connection delivers a prefix of what was written, in order; only whole request and reply frames may be
// dropped, doubled or delayed past others, and only when such faults are asked for.

import { QuorateError } from '../errors.ts'
import type { Connection, Listener, Transport } from '../ports/transport.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { VirtualTime } from './virtual-clock.ts'
import { SimulatedConnection } from './wire.ts'
import type { Delivery } from './wiretap.ts'

/** All rates are probabilities from 0 to 1: of a frame for the first four, of a write for `reset`, of an attempt for `refuse`. */
export interface NetworkFaults {
  readonly dropFrame: number
  readonly duplicateFrame: number
  /** The frame is delayed up to `delayMsMax` and overtaken by others. */
  readonly reorderFrame: number
  /** The connection breaks in the middle of what is being written. */
  readonly reset: number
  readonly refuse: number
  /** What was written at once arrives in pieces, as TCP may cut it. */
  readonly fragment?: number
  readonly delayMsMax: number
}

export const NO_NETWORK_FAULTS: NetworkFaults = {
  dropFrame: 0,
  duplicateFrame: 0,
  reorderFrame: 0,
  reset: 0,
  refuse: 0,
  fragment: 0,
  delayMsMax: 0,
}

export interface Latency {
  readonly minMs: number
  /** Mean of the exponential part above the minimum. */
  readonly meanMs: number
  readonly bytesPerMs: number
}

export interface NetworkCounters {
  connections: number
  bytes: number
  framesDropped: number
  framesDuplicated: number
  framesReordered: number
  resets: number
  refused: number
  partitions: number
  crashes: number
}

export interface NetworkOptions {
  readonly time: VirtualTime
  readonly random: SeededRandom
  /** Every delivery, opening and fault, in order: the history's fingerprint is made of these. */
  readonly trace?: (event: string) => void
  readonly latency?: Latency
}

interface BoundPort {
  readonly process: SimulatedProcess
  readonly accept: (connection: Connection) => void
}

export class SimulatedNetwork {
  readonly time: VirtualTime
  readonly #random: SeededRandom
  /** By direction: what is sent elsewhere changes no chances here. */
  readonly #randoms = new Map<string, SeededRandom>()
  /** Delays are a function of direction and moment, so that leaving something out of a history leaves the rest of it in place. */
  readonly #delays: number
  readonly trace: (event: string) => void
  /** Hears what arrives, before whom it is for. */
  onDelivered: ((delivery: Delivery) => void) | null = null
  readonly counters: NetworkCounters = {
    connections: 0,
    bytes: 0,
    framesDropped: 0,
    framesDuplicated: 0,
    framesReordered: 0,
    resets: 0,
    refused: 0,
    partitions: 0,
    crashes: 0,
  }
  faults: NetworkFaults = NO_NETWORK_FAULTS
  readonly #latency: Latency
  readonly #extraDelay = new Map<string, number>()
  readonly #cuts = new Set<string>()
  readonly #bound = new Map<string, BoundPort>()
  readonly #names = new Map<string, readonly string[]>()
  readonly #connections = new Set<SimulatedConnection>()
  #nextPort = 40_000
  #nextConnection = 1

  constructor(options: NetworkOptions) {
    this.time = options.time
    this.#random = options.random
    this.#delays = options.random.fork('delays').uint32()
    this.trace = options.trace ?? ((): void => {})
    this.#latency = options.latency ?? { minMs: 0.1, meanMs: 0.3, bytesPerMs: 125_000 }
  }

  /** The network as one run of a program on `host` sees it. Its addresses are `host:port`, whatever host part it listens on. */
  transport(host: string, process: SimulatedProcess): Transport {
    return {
      listen: (address, accept) => this.#listen(host, process, address, accept),
      connect: (address, timeoutMs) => this.#connect(host, process, address, timeoutMs),
      resolve: (hostPort) => this.#resolve(process, hostPort),
    }
  }

  /** A DNS name that stands for these hosts from now on. */
  setName(name: string, hosts: readonly string[]): void {
    this.#names.set(name, hosts)
  }

  /** Nothing passes from one host to the other any more, silently; what is under way is held until `heal`. */
  cut(from: string, to: string): void {
    const pair = `${from}>${to}`
    if (this.#cuts.has(pair)) return
    this.#cuts.add(pair)
    this.counters.partitions++
    this.trace(`net cut ${pair}`)
  }

  heal(from: string, to: string): void {
    const pair = `${from}>${to}`
    if (!this.#cuts.delete(pair)) return
    this.trace(`net heal ${pair}`)
    for (const connection of this.#connections) if (connection.peer.pair === pair) connection.deliverSoon()
  }

  healAll(): void {
    for (const pair of [...this.#cuts]) {
      const [from = '', to = ''] = pair.split('>')
      this.heal(from, to)
    }
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.has(`${from}>${to}`)
  }

  /** Slows one direction by that much; 0 ends it. */
  setDelay(from: string, to: string, extraMs: number): void {
    if (extraMs > 0) this.#extraDelay.set(`${from}>${to}`, extraMs)
    else this.#extraDelay.delete(`${from}>${to}`)
  }

  /**
   * The host's program is gone: its ports are free. `reset`: the others learn it by a broken connection, soon (kill -9);
   * `silent`: they hear nothing any more (power cut). Kill the process first.
   */
  crashHost(host: string, how: 'reset' | 'silent'): void {
    this.counters.crashes++
    this.trace(`net crash ${host} ${how}`)
    for (const [address] of [...this.#bound]) if (address.startsWith(`${host}:`)) this.#bound.delete(address)
    for (const connection of [...this.#connections]) {
      if (connection.host !== host) continue
      if (how === 'reset') connection.vanish()
      else connection.fallSilent()
    }
  }

  /** Breaks all connections between two hosts, in the middle of whatever is under way. */
  resetBetween(a: string, b: string): void {
    for (const connection of [...this.#connections]) if (connection.pair === `${a}>${b}`) connection.breakNow()
  }

  /** One way, as it comes: chance and what was set for the pair. */
  delayMs(from: string, to: string): number {
    const way = `${from}>${to}`
    const chance = mixed(this.#delays, way, Math.floor(this.time.now * 1000)) / 2 ** 32
    const { minMs, meanMs } = this.#latency
    return minMs - Math.log(1 - chance) * meanMs + (this.#extraDelay.get(way) ?? 0)
  }

  /** The chances of what happens on the way from one host to another. */
  randomFor(from: string, to: string): SeededRandom {
    const way = `${from}>${to}`
    let random = this.#randoms.get(way)
    if (!random) this.#randoms.set(way, (random = this.#random.fork(way)))
    return random
  }

  transmissionMs(bytes: number): number {
    return bytes / this.#latency.bytesPerMs
  }

  forget(connection: SimulatedConnection): void {
    this.#connections.delete(connection)
  }

  #listen(host: string, process: SimulatedProcess, address: string, accept: BoundPort['accept']): Promise<Listener> {
    return new Promise((resolve, reject) => {
      process.after(0, () => {
        const asked = address.slice(address.lastIndexOf(':') + 1)
        const bound = `${host}:${asked === '0' ? this.#nextPort++ : asked}`
        const holder = this.#bound.get(bound)
        if (holder?.process.alive)
          return reject(Object.assign(new Error(`EADDRINUSE ${bound}`), { code: 'EADDRINUSE' }))
        const port: BoundPort = { process, accept }
        this.#bound.set(bound, port)
        resolve({
          address: bound,
          close: () => {
            if (this.#bound.get(bound) === port) this.#bound.delete(bound)
            return Promise.resolve()
          },
        })
      })
    })
  }

  #connect(host: string, process: SimulatedProcess, address: string, timeoutMs: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const remote = address.slice(0, address.lastIndexOf(':'))
      let over = false
      const timeout = process.after(timeoutMs, () => {
        over = true
        reject(new QuorateError('unreachable', `connecting to ${address} took more than ${timeoutMs} ms`))
      })
      const refuse = (): void => {
        if (over) return
        timeout.cancel()
        reject(new QuorateError('unreachable', `ECONNREFUSED ${address}`))
      }
      if (this.randomFor(host, remote).chance(this.faults.refuse)) {
        this.counters.refused++
        this.trace(`net refuse ${host}>${address}`)
        process.after(this.delayMs(host, remote), refuse)
        return
      }
      this.time.after(this.delayMs(host, remote), () => {
        const port = this.#bound.get(address)
        // Like a SYN into a partition: no answer at all.
        if (!process.alive || this.isCut(host, remote) || this.isCut(remote, host)) return
        if (port === undefined || !port.process.alive) {
          process.after(this.delayMs(remote, host), refuse)
          return
        }
        // A paused program's kernel completes the handshake; the program sees it when it runs again.
        this.#open(host, process, remote, port, address, (near) => {
          if (over) return near.close()
          timeout.cancel()
          resolve(near)
        })
      })
    })
  }

  #open(
    host: string,
    process: SimulatedProcess,
    remote: string,
    port: BoundPort,
    address: string,
    opened: (near: Connection) => void,
  ): void {
    const id = this.#nextConnection++
    this.counters.connections++
    this.trace(`net open #${id} ${host}>${address}`)
    const near = new SimulatedConnection(this, process, id, host, remote, address)
    const far = new SimulatedConnection(this, port.process, id, remote, host, `${host}:${50_000 + id}`)
    near.peer = far
    far.peer = near
    this.#connections.add(near)
    this.#connections.add(far)
    const upAt = this.time.now + this.delayMs(remote, host)
    near.openedAt = upAt
    port.process.after(0, () => port.accept(far))
    process.at(upAt, () => opened(near))
  }

  #resolve(process: SimulatedProcess, hostPort: string): Promise<readonly string[]> {
    return new Promise((resolve) => {
      process.after(0.1, () => {
        const colon = hostPort.lastIndexOf(':')
        const hosts = this.#names.get(hostPort.slice(0, colon))
        resolve(hosts === undefined ? [hostPort] : hosts.map((host) => host + hostPort.slice(colon)))
      })
    })
  }
}

/** A 32-bit word from a key, a text and a number (the finisher of splitmix32). */
function mixed(key: number, text: string, number: number): number {
  let word = key
  for (let i = 0; i < text.length; i++) word = Math.imul(word ^ text.charCodeAt(i), 0x01000193)
  word = (word + Math.imul(number, 0x9e3779b9)) | 0
  word = Math.imul(word ^ (word >>> 16), 0x21f0aaad)
  word = Math.imul(word ^ (word >>> 15), 0x735a2d97)
  return (word ^ (word >>> 15)) >>> 0
}
