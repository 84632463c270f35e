// Puts, gets and deletes through whichever node serves, with every request and answer in the audit log, and every strict answer judged
// as it comes. Decides how an answer is booked: done, refused, unknown. Knows no workload.

import type { SeededRandom } from '../../src/simulator/seeded-random.ts'
import type { Audit, Outcome, Write } from './audit.ts'
import type { Cluster } from './cluster.ts'
import { type Answer, isStrict, kvPath, NoAnswer, problemCode } from './http-client.ts'
import type { NodeProcess } from './node-process.ts'
import type { Verdict } from './verdict.ts'

export interface Done {
  readonly outcome: Outcome
  readonly context: string | null
  readonly siblings: number
  /** The problem's code, the status, or how the connection broke. */
  readonly why: string
  /** The problem's own words. */
  readonly detail: string
}

export interface Read {
  readonly visible: readonly string[]
  readonly context: string | null
  readonly strict: boolean
}

export interface WriteOptions {
  readonly context?: string | null
  readonly idempotencyKey?: string
  readonly sloppy?: boolean
}

/** Sloppy puts that must be acknowledged while W nodes are in reach, by which a story holds the cluster to its word. */
export const SLOPPY_LEAST = 0.999
const PATIENCE_MS = 20_000
const FILLER = 'abcdefghijklmnopqrstuvwxyz012345'

export class AuditedClient {
  readonly cluster: Cluster
  readonly audit: Audit
  readonly verdict: Verdict
  readonly bucket: string
  readonly random: SeededRandom
  readonly #nodes: SeededRandom
  /**
   * Names the stretch of time in which this node has been reaching W nodes; null while it does not. A sloppy put that begins and ends in
   * one stretch must succeed.
   */
  reachOf: (node: NodeProcess) => string | null = (node) => (node.isWell ? node.era : null)
  /** How long a request's answer is waited for. */
  patienceMs: () => number = () => PATIENCE_MS
  /** Nodes that a client that looks for one passes over. */
  avoids: (node: NodeProcess) => boolean = () => false
  /** Off while a storage may have forgotten what it acknowledged, and nobody can know: then strict answers are only counted. */
  judgesFreshness = true
  /** Processes that are no members of this cluster as it was founded, and that clients use as well. */
  readonly strangers: NodeProcess[] = []
  /** Every version's name, as it was told, and the write that it is. */
  readonly #versions = new Map<string, string>()

  constructor(cluster: Cluster, audit: Audit, verdict: Verdict, bucket: string, random: SeededRandom) {
    this.cluster = cluster
    this.audit = audit
    this.verdict = verdict
    this.bucket = bucket
    this.random = random
    this.#nodes = random.fork('nodes')
  }

  anyNode(): NodeProcess {
    const serving = [...this.cluster.serving, ...this.strangers].filter((node) => !this.avoids(node))
    return serving.length === 0 ? this.cluster.node(0) : this.#nodes.pick(serving)
  }

  async write(write: Write, options: WriteOptions, node: NodeProcess = this.anyNode()): Promise<Done> {
    const headers: Record<string, string> = { 'quorate-timeout': '3000' }
    if (options.context) headers['quorate-context'] = options.context
    if (options.idempotencyKey !== undefined) headers['idempotency-key'] = options.idempotencyKey
    if (options.sloppy === false) headers['quorate-sloppy'] = '?0'
    const path = kvPath(this.bucket, write.key)
    const timeoutMs = this.patienceMs()
    const reach = this.reachOf(node)
    const startedAt = performance.now()
    const { strict, version, ...done } = await this.#attempt(() =>
      write.kind === 'put'
        ? this.cluster.http.call(node.url, 'PUT', path, { headers, body: valueOf(write), timeoutMs })
        : this.cluster.http.call(node.url, 'DELETE', path, { headers, timeoutMs }),
    )
    // Deletions and idempotent writes read first, which is another promise.
    const isPlain = write.kind === 'put' && options.sloppy !== false && options.idempotencyKey === undefined
    if (isPlain && reach !== null && reach === this.reachOf(node))
      this.#countSloppy(done, node, performance.now() - startedAt)
    if (version !== null) this.#named(version, write)
    return this.#booked(write, done, strict, options)
  }

  /** G3: a dot names one write for ever. */
  #named(version: string, { id, key }: Write): void {
    const before = this.#versions.get(`${key} ${version}`)
    this.verdict.hold(before === undefined || before === id, `${key}: ${version} names ${before} and ${id}`)
    this.#versions.set(`${key} ${version}`, id)
  }

  #countSloppy(done: Done, node: NodeProcess, tookMs: number): void {
    const { sloppy } = this.verdict
    sloppy.sent++
    if (done.outcome === 'acknowledged') sloppy.acknowledged++
    else {
      this.verdict.count(`  sloppy, though ${node.name} reached W nodes: ${done.outcome}, ${done.why}`)
      const since = `${node.name} begun or signalled ${Math.round(node.eraMs)} ms ago`
      const others = this.cluster.nodes.filter(({ isWell }) => !isWell).map(({ name }) => name)
      const said = `${done.outcome}, ${done.detail}; after ${Math.round(tookMs)} ms; ${since}; not well: ${others.join()}`
      if (sloppy.sent - sloppy.acknowledged <= 5)
        this.verdict.figures[`sloppy put that failed (${sloppy.sent - sloppy.acknowledged})`] = said
    }
  }

  /** To be called when all is over. */
  book(): void {
    const { verdict, audit } = this
    const { acknowledged: stored, failed, unknown } = audit.tally
    verdict.writes.acknowledged += stored
    verdict.writes.failed += failed
    verdict.writes.unknown += unknown
    const { sent, acknowledged } = verdict.sloppy
    verdict.hold(
      acknowledged >= SLOPPY_LEAST * sent,
      `${sent - acknowledged} of ${sent} sloppy puts failed through nodes that reached W nodes`,
    )
  }

  /** An idempotent write is one write: what one attempt has settled no later one unsettles. */
  #booked(write: Write, done: Done, strict: boolean, options: WriteOptions): Done {
    const before = write.outcome
    const settled = before === 'acknowledged' || (before === 'unknown' && done.outcome === 'not-applied')
    const outcome = options.idempotencyKey !== undefined && settled ? before : done.outcome
    this.audit.end(write, outcome, strict)
    this.verdict.count(`${write.kind}s ${done.outcome}`)
    if (done.outcome !== 'acknowledged')
      this.verdict.count(`  ${options.sloppy === false ? 'home replicas only' : 'sloppy'}, because ${done.why}`)
    return done
  }

  /** Null where it was not answered with a result. `context`: what the result must include. */
  async read(
    key: string,
    options: { readonly context?: string | null; readonly node?: NodeProcess; readonly strictly?: boolean } = {},
  ): Promise<Read | null> {
    const { audit, verdict, cluster } = this
    const node = options.node ?? this.anyNode()
    const headers: Record<string, string> = { 'quorate-timeout': '3000' }
    if (options.context) headers['quorate-context'] = options.context
    if (options.strictly !== false) headers['quorate-sloppy'] = '?0'
    const wanted = audit.freshNow(key)
    const { judgesFreshness } = this
    const request = { headers, timeoutMs: this.patienceMs() }
    const answer = await cluster.http.tryCall(node.url, 'GET', kvPath(this.bucket, key), request)
    const visible = answer === null ? null : visibleOf(answer)
    if (answer === null || visible === null) {
      const why = answer === null ? 'no answer' : (problemCode(answer) ?? String(answer.status))
      verdict.count('reads failed')
      if (answer !== null && answer.status !== 503)
        verdict.violate(`${key}: a read through ${node.name} answered ${answer.status} ${why}`)
      return null
    }
    const strict = isStrict(answer)
    verdict.count(strict ? 'strict reads' : 'other reads')
    if (strict) {
      for (const wrong of audit.judge(key, visible, wanted)) {
        if (judgesFreshness && this.judgesFreshness) verdict.violate(`strict read through ${node.name}: ${wrong}`)
        else verdict.count('strict reads that missed something while a storage had forgotten it')
      }
      audit.noteStrictRead(key, new Set(visible))
    }
    return { visible, context: answer.headers['quorate-context'] ?? null, strict }
  }

  async #attempt(
    send: () => Promise<Answer>,
  ): Promise<Done & { readonly strict: boolean; readonly version: string | null }> {
    let answer: Answer
    try {
      answer = await send()
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      const outcome = error.sent ? 'unknown' : 'not-applied'
      return {
        outcome,
        context: null,
        siblings: 0,
        why: error.sent ? `the connection broke (${error.code})` : 'no connection',
        detail: error.message,
        strict: false,
        version: null,
      }
    }
    const { status, headers } = answer
    const code = problemCode(answer)
    if (status >= 500 && status !== 503 && status !== 507)
      this.verdict.violate(`a write was answered with ${status} ${code}`)
    return {
      outcome: status < 300 ? 'acknowledged' : outcomeOf(answer, code),
      context: headers['quorate-context'] ?? null,
      siblings: Number(headers['quorate-siblings'] ?? 0),
      why: code ?? String(status),
      detail: status < 300 ? '' : answer.body.toString().slice(0, 600),
      strict: isStrict(answer),
      version: status < 300 ? (headers['quorate-version'] ?? null) : null,
    }
  }
}

function outcomeOf({ status, body }: Answer, code: string | null): Outcome {
  if (status < 500 || code === 'not-ready') return 'not-applied'
  return body.includes('"outcome":"not-applied"') ? 'not-applied' : 'unknown'
}

export function valueOf(write: Write): string {
  // Sizes from a few bytes to some KiB, by the write's own name, so that a retry sends the same bytes.
  const size =
    (write.id.length * 131 + write.saw.size * 17 + (write.id.codePointAt(write.id.length - 1) ?? 0) * 29) % 1500
  return `${write.id}\n${FILLER.repeat(Math.ceil(size / FILLER.length)).slice(0, size)}`
}

/** The ids that an answer shows; null where it is no result. */
export function visibleOf({ status, body }: Answer): readonly string[] | null {
  if (status === 200) return [idOf(body.toString())]
  if (status === 404) return []
  if (status !== 300) return null
  const listing = JSON.parse(body.toString()) as { readonly siblings: readonly { readonly text?: string }[] }
  return listing.siblings.map((sibling) => idOf(sibling.text ?? '(no text)'))
}

function idOf(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
