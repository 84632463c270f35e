// Hostile requests to a real node in a process of its own, over real sockets. Judges every answer, and of the process: that it lives,
// that its event loop is never busy for long, that memory and descriptors are given back. Invariant: a request is one execution.

import { request as httpRequest, Agent } from 'node:http'
import { relative } from 'node:path'
import fc from 'fast-check'
import { corpusOf, keep } from '../corpus.ts'
import { Dice } from '../dice.ts'
import { CPU_MS_MAX, type Failure } from '../engine.ts'
import { minimised } from '../minimise.ts'
import { mutated } from '../mutate.ts'
import { judgeAnswers } from './answers.ts'
import { WatchedNode } from './node.ts'
import { type Talk, talks } from './requests.ts'
import { talk } from './talk.ts'

export interface HttpOptions {
  readonly executions: number
  readonly seconds: number
  readonly seed: number
  readonly say: (line: string) => void
  /** Whether what fails is written to the corpus. */
  readonly keeps?: boolean
}

/** Connections at a time. */
const ABREAST = 12
const TALKS = 60
const MUTATIONS_PER_TALK = 4
const POOL_MAX = 3000
/** Beyond what the keys and values stored take: the young generation, and what the allocator keeps. */
const GROWTH_MIB_MAX = 200
const FAILURES_MAX = 12

/** Returns how many failures there were. */
export async function fuzzHttp(options: HttpOptions): Promise<number> {
  const node = await WatchedNode.start()
  try {
    return await new HttpFuzz(node, options).run()
  } finally {
    await node.end()
  }
}

class HttpFuzz {
  readonly #node: WatchedNode
  readonly #options: HttpOptions
  readonly #dice: Dice
  readonly #pool: Buffer[]
  readonly #statuses = new Map<string, number>()
  readonly #failures = new Map<string, Failure>()
  readonly #probeMs: number[] = []
  /** Of the last while: among them is what stalled. */
  #lately: Talk[] = []
  #executions = 0
  #talks = 0
  #worstStallMs = 0
  #unconfirmed = 0

  constructor(node: WatchedNode, options: HttpOptions) {
    this.#node = node
    this.#options = options
    this.#dice = new Dice(options.seed)
    this.#pool = corpusOf('http').map(({ bytes }) => bytes)
  }

  async run(): Promise<number> {
    const { executions, seconds, seed, say } = this.#options
    const node = this.#node
    say(`http: seed ${seed}, ${executions} requests, a node on port ${node.port}`)
    const began = performance.now()
    for (const bytes of this.#pool.slice()) await this.#talk({ bytes, methods: null })
    const descriptors = node.descriptors
    const probing = this.#probe()
    let resident = node.residentMiB
    let warmedUp = false
    let told = began
    while (this.#executions < executions && performance.now() - began < seconds * 1000 && node.exit === null) {
      await this.#batch()
      if (!warmedUp && this.#executions > executions / 5) {
        warmedUp = true
        resident = node.residentMiB
      }
      await this.#lookForStalls()
      if (performance.now() - told > 30_000) {
        told = performance.now()
        say(`http: ${this.#executions} of ${executions}`)
      }
    }
    await probing.end()
    if (node.exit !== null) this.#fail('died', node.exit, Buffer.concat(this.#lately.slice(-50).map((t) => t.bytes)))
    else await this.#judgeProcess(resident, descriptors)
    this.#tell((performance.now() - began) / 1000)
    return this.#failures.size
  }

  async #batch(): Promise<void> {
    const waiting: Talk[] = []
    for (const honest of fc.sample(talks, { numRuns: TALKS, seed: this.#dice.next() | 0 })) {
      waiting.push(honest)
      for (let left = MUTATIONS_PER_TALK; left > 0; left--) {
        const base = this.#pool.length === 0 || this.#dice.chance(0.6) ? honest.bytes : this.#dice.pick(this.#pool)
        const other = this.#pool.length === 0 ? honest.bytes : this.#dice.pick(this.#pool)
        waiting.push({ bytes: mutated(base, other, this.#dice), methods: null })
      }
    }
    const one = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined && this.#node.exit === null; next = waiting.pop())
        await this.#talk(next)
    }
    await Promise.all(Array.from({ length: ABREAST }, one))
  }

  async #talk(said: Talk): Promise<void> {
    this.#lately.push(said)
    this.#talks++
    const { kinds, wrong } = await this.#judge(said)
    this.#executions += said.methods?.length ?? 1
    let isNew = false
    for (const kind of kinds) {
      const times = this.#statuses.get(kind) ?? 0
      this.#statuses.set(kind, times + 1)
      isNew ||= times < 20
    }
    if (isNew || this.#dice.chance(0.01)) {
      if (this.#pool.length < POOL_MAX) this.#pool.push(said.bytes)
      else this.#pool[this.#dice.below(POOL_MAX)] = said.bytes
    }
    if (wrong === null || this.#failures.size >= FAILURES_MAX || this.#failures.has(shapeOf(wrong))) return
    this.#fail(wrong, wrong, said.bytes)
    const again = async (bytes: Buffer): Promise<boolean> =>
      this.#node.exit === null && shapeOf((await this.#judge({ bytes, methods: null })).wrong ?? '') === shapeOf(wrong)
    if (await again(said.bytes)) this.#fail(wrong, wrong, await minimised(said.bytes, again))
  }

  async #judge({
    bytes,
    methods,
  }: Talk): Promise<{ readonly kinds: readonly string[]; readonly wrong: string | null }> {
    const cut = this.#dice.below(bytes.length + 1)
    const pieces = this.#dice.chance(0.5) ? [bytes] : [bytes.subarray(0, cut), bytes.subarray(cut)]
    const { heard, end } = await talk(this.#node.port, pieces)
    const { statuses, ends, wrong } = judgeAnswers(heard, methods)
    const kind = methods === null ? 'mutated' : 'grammar'
    const kinds = statuses.length === 0 ? [`${kind} ${end}`] : statuses.map((status) => `${kind} ${status}`)
    if (end === 'silent') return { kinds, wrong: `no end within 15 s, after ${statuses.join()}: ${kind}` }
    if (wrong !== null) return { kinds, wrong }
    if (methods !== null && statuses.length !== methods.length && !ends)
      return { kinds, wrong: `some requests were not answered: ${end}` }
    return { kinds, wrong: null }
  }

  #fail(what: string, detail: string, bytes: Buffer): void {
    const signature = shapeOf(what)
    this.#failures.set(signature, { door: 'talk', bytes, signature, detail })
  }

  async #lookForStalls(): Promise<void> {
    const lately = this.#lately
    this.#lately = []
    if (this.#node.exit !== null) return
    const { stalls } = await this.#node.watched()
    const worst = Math.max(0, ...stalls.map(([, cpuMs]) => cpuMs))
    if (worst <= CPU_MS_MAX) {
      this.#worstStallMs = Math.max(this.#worstStallMs, worst)
      return
    }
    // Which of them was it? One after the other; what stalls three times stalls.
    for (const said of lately) {
      let least = Infinity
      for (let again = 0; again < 3 && least > CPU_MS_MAX; again++) {
        await talk(this.#node.port, [said.bytes])
        if (this.#node.exit !== null) return
        least = Math.min(least, (await this.#node.watched()).worstMs)
      }
      this.#worstStallMs = Math.max(this.#worstStallMs, least === Infinity ? 0 : least)
      if (least > CPU_MS_MAX)
        return this.#fail('stalls the event loop', `${least.toFixed(0)} ms of CPU time in one turn`, said.bytes)
    }
    this.#unconfirmed++
  }

  /** Somebody else, who wants to know whether the node lives. */
  #probe(): { end(): Promise<void> } {
    const agent = new Agent({ keepAlive: true })
    let isOver = false
    const ask = (): Promise<void> =>
      new Promise((resolve) => {
        const asked = performance.now()
        const request = httpRequest({ port: this.#node.port, path: '/healthz', agent }, (response) => {
          response.resume()
          response.on('end', () => {
            if (response.statusCode === 200) this.#probeMs.push(performance.now() - asked)
            else this.#fail('not healthy', `healthz answered ${response.statusCode}`, Buffer.alloc(0))
            resolve()
          })
        })
        request.on('error', () => resolve())
        request.end()
      })
    const all = (async (): Promise<void> => {
      while (!isOver && this.#node.exit === null) {
        await ask()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      agent.destroy()
    })()
    return {
      end: () => {
        isOver = true
        return all
      },
    }
  }

  async #judgeProcess(resident: number, descriptors: number): Promise<void> {
    const node = this.#node
    const until = performance.now() + 5000
    while (node.descriptors > descriptors + 2 && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 50))
    const left = node.descriptors
    const grown = node.residentMiB - resident
    const { heapUsed, arrayBuffers } = await node.watched()
    this.#options.say(
      `http: resident ${resident} MiB after a fifth, ${node.residentMiB} MiB at the end (heap ${heapUsed >> 20}, ` +
        `buffers ${arrayBuffers >> 20}); descriptors ${descriptors} before, ${left} after`,
    )
    if (left > descriptors + 2) this.#fail('descriptors leak', `${descriptors} before, ${left} after`, Buffer.alloc(0))
    if (grown > GROWTH_MIB_MAX) this.#fail('memory grows', `by ${grown} MiB`, Buffer.alloc(0))
    if (/defect/.test(node.log)) this.#fail('the node logged a defect', node.log.slice(-3000), Buffer.alloc(0))
  }

  #tell(seconds: number): void {
    const { say, keeps = true } = this.#options
    const sorted = this.#probeMs.toSorted((a, b) => a - b)
    const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? NaN).toFixed(1)
    const rate = Math.round(this.#executions / seconds)
    say(
      `http: ${this.#executions} requests on ${this.#talks} connections in ${seconds.toFixed(0)} s (${rate} a second)`,
    )
    const ordered = [...this.#statuses].sort((a, b) => b[1] - a[1])
    say(`  ${ordered.map(([kind, times]) => `${kind}: ${times}`).join(', ')}`)
    say(`  /healthz beside it: ${sorted.length} times, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`)
    say(
      `  busiest turn: ${this.#worstStallMs.toFixed(0)} ms of CPU time; ${this.#unconfirmed} longer ones did not repeat`,
    )
    for (const failure of this.#failures.values()) {
      const file = keeps ? relative(process.cwd(), keep('http', failure)) : '(not kept)'
      say(`FAILED http ${failure.signature}\n  ${failure.detail.slice(0, 1500)}\n  ${file}`)
    }
  }
}

function shapeOf(text: string): string {
  return text.replace(/\d{4,}/g, '#').slice(0, 60)
}
