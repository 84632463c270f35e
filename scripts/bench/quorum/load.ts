// The load process: takes plans over IPC, one at a time, and tells what came of each. Its own CPU time is not measured.
// Invariant: a key has at most one write under way, so its contexts form a chain and no siblings arise.

import { createHistogram, performance } from 'node:perf_hooks'
import { type Answer, HttpConnection } from './http-connection.ts'
import type { LoadPlan, LoadResult } from './load-plan.ts'

const CONTEXT = /\r\nquorate-context: *([\w-]+)/i
const STRICT = 'guarantee="strict"'
const SAMPLES_MAX = 3

const connections = new Map<number, HttpConnection[]>()
/** By the servers' first port, then by key. */
const contexts = new Map<number, Map<number, string>>()

async function connectionsFor(plan: LoadPlan): Promise<HttpConnection[]> {
  const all: HttpConnection[] = []
  for (const [index, port] of plan.ports.entries()) {
    const { length: ports } = plan.ports
    const wanted = Math.floor(plan.connections / ports) + (index < plan.connections % ports ? 1 : 0)
    const open = (connections.get(port) ?? []).filter((connection) => !connection.broken)
    while (open.length < wanted) open.push(await HttpConnection.open(port))
    connections.set(port, open)
    all.push(...open.slice(0, wanted))
  }
  return all
}

class LoadRun {
  readonly #plan: LoadPlan
  readonly #body: Buffer | null
  readonly #heads = new Map<number, string>()
  readonly #latencies = createHistogram()
  readonly #busyKeys = new Set<number>()
  readonly #contexts: Map<number, string>
  readonly #samples: string[] = []
  #operations = 0
  #errors = 0
  #notStrict = 0
  #nextKey = 0

  constructor(plan: LoadPlan) {
    this.#plan = plan
    const [server = 0] = plan.ports
    this.#contexts = contexts.get(server) ?? new Map<number, string>()
    contexts.set(server, this.#contexts)
    this.#body = plan.operation === 'put' ? Buffer.alloc(plan.valueBytes, 'v') : null
    for (const port of plan.ports) this.#heads.set(port, headOf(plan, port))
  }

  async run(): Promise<LoadResult> {
    const open = await connectionsFor(this.#plan)
    const from = performance.now()
    const { ratePerSecond } = this.#plan
    await (ratePerSecond === null ? this.#closedLoop(open) : this.#openLoop(open, ratePerSecond))
    const seconds = (performance.now() - from) / 1000
    const ms = (percentile: number): number => this.#latencies.percentile(percentile) / 1e6
    return {
      ...{ operations: this.#operations, errors: this.#errors, notStrict: this.#notStrict, seconds },
      ...{ p50Ms: ms(50), p99Ms: ms(99), p999Ms: ms(99.9), maxMs: this.#latencies.max / 1e6 },
      samples: this.#samples,
    }
  }

  /** Every connection sends its next request when the last one was answered. */
  #closedLoop(open: readonly HttpConnection[]): Promise<void> {
    const { until, keys } = this.#plan
    const sentMax = until === 'each-key-once' ? keys : 'operations' in until ? until.operations : Infinity
    const endAt = until !== 'each-key-once' && 'seconds' in until ? performance.now() + until.seconds * 1000 : Infinity
    let sent = 0
    const perConnection = open.map(
      (connection) =>
        new Promise<void>((resolve) => {
          const next = (): void => {
            const now = performance.now()
            if (sent >= sentMax || now >= endAt || connection.broken) return resolve()
            sent++
            this.#send(connection, now, next)
          }
          next()
        }),
    )
    return Promise.all(perConnection).then(() => {})
  }

  /** Requests are due at a constant rate whatever becomes of those before (Tene's "coordinated omission" avoided). */
  #openLoop(open: readonly HttpConnection[], ratePerSecond: number): Promise<void> {
    const from = performance.now()
    const { until } = this.#plan
    const total = until !== 'each-key-once' && 'seconds' in until ? Math.floor(ratePerSecond * until.seconds) : 0
    const idle = [...open]
    let sent = 0
    return new Promise((resolve) => {
      const dueAt = (): number => from + (sent * 1000) / ratePerSecond
      const sendDue = (): void => {
        while (sent < total && dueAt() <= performance.now()) {
          // First in, first out: the load goes round all nodes.
          const connection = idle.shift()
          if (connection === undefined) return
          const due = dueAt()
          sent++
          this.#send(connection, due, () => {
            if (!connection.broken) idle.push(connection)
            if (sent < total) sendDue()
            else if (idle.length === open.length) resolve()
          })
        }
      }
      const timer = setInterval(() => {
        if (sent < total) sendDue()
        else clearInterval(timer)
      }, 1)
    })
  }

  #send(connection: HttpConnection, dueAt: number, done: () => void): void {
    const { contexts: withContexts, strict, valueBytes, operation } = this.#plan
    const key = this.#takeKey()
    const context = operation === 'put' && withContexts ? this.#contexts.get(key) : undefined
    const contextLine = context === undefined ? '' : `Quorate-Context: ${context}\r\n`
    const method = operation === 'get' ? 'GET' : 'PUT'
    const head = `${method} /v1/kv/bench/key-${key} ${this.#heads.get(connection.port)}${contextLine}\r\n`
    connection.send(head, this.#body, (answer) => {
      this.#latencies.record(Math.max(1, Math.round((performance.now() - dueAt) * 1e6)))
      this.#busyKeys.delete(key)
      this.#operations++
      if (answer instanceof Error) this.#error(answer.message)
      else if (answer.status < 200 || answer.status > 299) this.#error(answer.head)
      else if (operation === 'get' && answer.bodyBytes !== valueBytes) this.#error(`${answer.bodyBytes} bytes`)
      else {
        if (strict && !answer.head.includes(STRICT)) this.#noteNotStrict(answer)
        if (operation === 'put' && withContexts) {
          const given = CONTEXT.exec(answer.head)?.[1]
          if (given !== undefined) this.#contexts.set(key, given)
        }
      }
      done()
    })
  }

  #takeKey(): number {
    const { keys, until, operation } = this.#plan
    if (until === 'each-key-once') return this.#nextKey++
    let key = Math.floor(Math.random() * keys)
    if (operation === 'get') return key
    while (this.#busyKeys.has(key)) key = (key + 1) % keys
    this.#busyKeys.add(key)
    return key
  }

  #noteNotStrict(answer: Answer): void {
    this.#notStrict++
    this.#sample(answer.head)
  }

  #error(what: string): void {
    this.#errors++
    this.#sample(what)
  }

  #sample(what: string): void {
    if (this.#samples.length < SAMPLES_MAX) this.#samples.push(what)
  }
}

function headOf(plan: LoadPlan, port: number): string {
  const headers = { Host: `127.0.0.1:${port}`, ...plan.headers }
  const body =
    plan.operation === 'put' ? `Content-Type: application/octet-stream\r\nContent-Length: ${plan.valueBytes}\r\n` : ''
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1\r\n${lines.join('')}${body}`
}

process.on('message', (plan: LoadPlan) => {
  void new LoadRun(plan).run().then((result) => process.send?.(result))
})
process.on('disconnect', () => process.exit())
