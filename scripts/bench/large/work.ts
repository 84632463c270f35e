// What is asked of a cluster while its event loops are watched: small requests, and large ones beside them. Decides keys and order; prints
// nothing. Invariant: every answer is checked, and every value that is read compared with what was written.

import { setTimeout as delay } from 'node:timers/promises'
import type { LatencyFigures } from '../../../src/telemetry/latency.ts'
import type { Cluster } from '../../torture/cluster.ts'
import { type Answer, kvPath } from '../../torture/http-client.ts'
import { delaysOf, percentileOf, windowOf } from '../parts/figures.ts'

const LARGE_KEYS = 5
const SMALL_KEYS = 50
const SMALL = Buffer.alloc(100, 's')
/** Between two small requests. */
const PAUSE_MS = 2
export const PHASES = ['small alone', 'large written', 'large read'] as const
export type Phase = (typeof PHASES)[number]

export interface Figures {
  readonly largePerSecond: number
  /** Of small requests, ms. */
  readonly small: { readonly p50: number; readonly p99: number; readonly max: number }
  /** Of the node that was worst, ms. */
  readonly loop: { readonly p99: number; readonly p999: number; readonly max: number }
}

export class Work {
  readonly #cluster: Cluster
  readonly #bucket: string
  readonly #value: Buffer
  readonly #seconds: number
  readonly #contexts = new Map<string, string>()

  /** `seconds`: of each phase. */
  constructor(cluster: Cluster, bucket: string, value: Buffer, seconds: number) {
    this.#seconds = seconds
    this.#cluster = cluster
    this.#bucket = bucket
    this.#value = value
  }

  async prepare(durability: string): Promise<void> {
    const { status, body } = await this.#cluster.http.call(
      this.#cluster.node(0).url,
      'PUT',
      `/v1/buckets/${this.#bucket}`,
      { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ durability }) },
    )
    if (status >= 300) throw new Error(`the bucket: ${status} ${body.toString()}`)
    for (let i = 0; i < LARGE_KEYS; i++) await this.#put(i, `large-${i}`, this.#value)
    for (let i = 0; i < SMALL_KEYS; i++) await this.#put(i, `small-${i}`, SMALL)
  }

  /** Small requests one after the other through the first node; large ones likewise through all in turn. */
  async run(phase: Phase): Promise<Figures> {
    const before = await this.#delays()
    const end = performance.now() + this.#seconds * 1000
    const latencies: number[] = []
    let large = 0
    const small = async (): Promise<void> => {
      for (let i = 0; performance.now() < end; i++) {
        const from = performance.now()
        const key = `small-${(i >> 1) % SMALL_KEYS}`
        await (i % 2 === 0 ? this.#get(0, key, SMALL) : this.#put(0, key, SMALL))
        latencies.push(performance.now() - from)
        await delay(PAUSE_MS)
      }
    }
    const largeOnes = async (): Promise<void> => {
      if (phase === 'small alone') return
      for (; performance.now() < end; large++) {
        const key = `large-${large % LARGE_KEYS}`
        await (phase === 'large read' ? this.#get(large, key, this.#value) : this.#put(large, key, this.#value))
      }
    }
    await Promise.all([small(), largeOnes()])
    const windows = (await this.#delays()).map((after, node) => windowOf(before[node] as LatencyFigures, after))
    const worst = (percentile: number): number =>
      Math.max(...windows.map((window) => 1000 * percentileOf(window, percentile)))
    latencies.sort((a, b) => a - b)
    const at = (part: number): number => latencies[Math.floor(part * (latencies.length - 1))] ?? Number.NaN
    return {
      largePerSecond: large / this.#seconds,
      small: { p50: at(0.5), p99: at(0.99), max: at(1) },
      loop: { p99: worst(99), p999: worst(99.9), max: worst(100) },
    }
  }

  #delays(): Promise<LatencyFigures[]> {
    return Promise.all(this.#cluster.nodes.map(async (node) => delaysOf(await this.#cluster.json(node, '/v1/stats'))))
  }

  async #get(through: number, key: string, expected: Buffer): Promise<void> {
    const { status, body } = await this.#call(through, 'GET', key, {})
    if (status !== 200 || !body.equals(expected)) throw new Error(`${key}: ${status}, ${body.length} bytes`)
  }

  /** With the last context, so that no siblings arise. */
  async #put(through: number, key: string, body: Buffer): Promise<void> {
    const context = this.#contexts.get(key)
    const headers = context === undefined ? {} : { 'quorate-context': context }
    const answer = await this.#call(through, 'PUT', key, { headers, body })
    if (answer.status >= 300) throw new Error(`${key}: ${answer.status} ${answer.body.toString()}`)
    this.#contexts.set(key, answer.headers['quorate-context'] ?? '')
  }

  #call(
    through: number,
    method: 'GET' | 'PUT',
    key: string,
    options: { readonly headers?: Readonly<Record<string, string>>; readonly body?: Buffer },
  ): Promise<Answer> {
    const { url } = this.#cluster.node(through % this.#cluster.nodes.length)
    return this.#cluster.http.call(url, method, kvPath(this.#bucket, key), options)
  }
}
