// `quorate import`: loads the items of a JSON array, or of JSON lines, into a bucket; many at a time, none twice.
// Invariant: reads the file only as fast as the cluster takes it.

import { randomBytes } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import type { Command } from 'commander'
import type { BulkPut, PutResult } from '../bulk-put.ts'
import { print, printJson, say, type CommandIo } from '../command-io.ts'
import { CommandError, EXIT } from '../exit-status.ts'
import { toRecord, type ImportRecord, type KeyRule } from '../import-record.ts'
import { jsonItems } from '../json-items.ts'
import { integer } from '../key-flags.ts'
import { addNodeFlags, nodeFlags, urlOf } from '../node-command.ts'
import { startProgress } from '../progress.ts'

interface ImportFlags {
  readonly bucket: string
  readonly keyField?: string
  readonly keyTemplate?: string
  readonly concurrency: number
  readonly w?: string
  readonly ttl?: string
  readonly overwrite?: boolean
  readonly run?: string
  readonly retryFor: number
  readonly failuresMax: number
  readonly quiet?: boolean
}

export function register(command: Command, io: CommandIo): void {
  addNodeFlags(command)
    .argument('<file>', 'a JSON array, or JSON lines; "-": standard input')
    .requiredOption('--bucket <bucket>', 'where to')
    .option(
      '--key-field <names>',
      'fields that make the key, joined by "/" (default: the item\'s "key", else its position)',
    )
    .option('--key-template <text>', 'the key with fields in braces, such as {country}/{name}')
    .option('--concurrency <count>', 'puts at a time', integer(1, 1024), 32)
    .option('--w <count>', 'replicas that each put waits for')
    .option('--ttl <seconds>', 'seconds until each value expires')
    .option('--overwrite', 'supersede what is stored (reads each key first)')
    .option('--run <id>', 'go on with an interrupted run: what it stored is not written again')
    .option('--retry-for <seconds>', 'how long a put is retried while its quorum is away', integer(0, 3600), 30)
    .option('--failures-max <count>', 'stop after so many failed items', integer(1, 1_000_000_000), 100)
    .option('-q, --quiet', 'no progress')
    .addHelpText('after', '\n--url may name several nodes, separated by commas; the load is shared among them.')
    .action(async (file: string, flags: ImportFlags) => {
      const { json = false } = nodeFlags(command)
      const { BulkPut } = await import('../bulk-put.ts')
      const headers: Record<string, string> = {}
      if (flags.w !== undefined) headers['quorate-w'] = flags.w
      if (flags.ttl !== undefined) headers['quorate-ttl'] = flags.ttl
      if (flags.overwrite) headers['quorate-context'] = 'latest'
      const source = open(file, io)
      const bulk = new BulkPut({
        urls: urlOf(nodeFlags(command), io).split(','),
        bucket: flags.bucket,
        concurrency: flags.concurrency,
        headers,
        retryMs: flags.retryFor * 1000,
      })
      try {
        const importing = new Import(source, bulk, keyRule(flags), flags, io)
        await importing.run()
        await importing.conclude(json)
      } finally {
        await bulk.close()
      }
    })
}

interface Source {
  readonly chunks: AsyncIterable<Uint8Array>
  /** Null when the end is not known. */
  readonly bytes: number | null
}

function open(file: string, io: CommandIo): Source {
  if (file === '-') return { chunks: io.stdin, bytes: null }
  try {
    const stat = statSync(file)
    if (stat.isDirectory()) throw new Error(`${file} is a directory`)
    return { chunks: createReadStream(file), bytes: stat.size }
  } catch (error) {
    throw new CommandError(EXIT.usage, error instanceof Error ? error.message : String(error))
  }
}

function keyRule(flags: ImportFlags): KeyRule {
  if (flags.keyField !== undefined && flags.keyTemplate !== undefined) {
    throw new CommandError(EXIT.usage, 'give --key-field or --key-template, not both')
  }
  if (flags.keyTemplate !== undefined) return { type: 'template', template: flags.keyTemplate }
  return flags.keyField === undefined ? { type: 'own' } : { type: 'fields', fields: flags.keyField.split(',') }
}

class Import {
  readonly #source: Source
  readonly #bulk: BulkPut
  readonly #rule: KeyRule
  readonly #flags: ImportFlags
  readonly #io: CommandIo
  readonly #run: string
  readonly #counts = { items: 0, stored: 0, created: 0, withSiblings: 0, failed: 0, retries: 0 }
  readonly #reasons = new Map<string, number>()
  #bytesRead = 0
  #elapsedMs = 0
  #broken: string | null = null

  constructor(source: Source, bulk: BulkPut, rule: KeyRule, flags: ImportFlags, io: CommandIo) {
    this.#source = source
    this.#bulk = bulk
    this.#rule = rule
    this.#flags = flags
    this.#io = io
    this.#run = flags.run ?? randomBytes(6).toString('hex')
  }

  async run(): Promise<void> {
    const startedAt = performance.now()
    const progress = await startProgress(this.#io, this.#flags.quiet ?? false)
    const items = this.#items()
    const show = (): void => {
      const seconds = (performance.now() - startedAt) / 1000
      const rate = Math.round(this.#counts.stored / Math.max(seconds, 0.001))
      const total = this.#source.bytes
      const fraction = total === null || total === 0 ? null : this.#bytesRead / total
      progress.update(fraction, `${this.#counts.stored} imported, ${rate}/s`)
    }
    const work = async (worker: number): Promise<void> => {
      // Workers share one generator: whoever is free takes the next item.
      for (;;) {
        // A broken input ends it for all of them; what was read before is still stored.
        const next = await items.next().catch((error: unknown) => {
          this.#broken = error instanceof Error ? error.message : String(error)
          return null
        })
        if (next === null || next.done === true || this.#counts.failed >= this.#flags.failuresMax) return
        const { item, index } = next.value
        const record = this.#read(item, index)
        if (record !== null) this.#count(await this.#bulk.put(record, `${this.#run}-${index}`, worker), record.key)
        show()
      }
    }
    try {
      await Promise.all(Array.from({ length: this.#flags.concurrency }, (_, worker) => work(worker)))
    } finally {
      await items.return(undefined)
      progress.stop()
      this.#elapsedMs = performance.now() - startedAt
    }
  }

  /** Prints the summary; throws when not everything was stored. */
  async conclude(json: boolean): Promise<void> {
    const { items, stored, created, withSiblings, failed, retries } = this.#counts
    const seconds = this.#elapsedMs / 1000
    const perSecond = Math.round(stored / Math.max(seconds, 0.001))
    const summary = {
      bucket: this.#flags.bucket,
      run: this.#run,
      items,
      stored,
      created,
      withSiblings,
      failed,
      retries,
      seconds,
      perSecond,
    }
    if (json) await printJson(this.#io, { ...summary, failures: Object.fromEntries(this.#reasons) })
    else {
      const rate = `in ${seconds.toFixed(1)} s (${perSecond}/s)`
      const detail = `${created} new, ${stored - created} known, ${withSiblings} with siblings, ${retries} retries, ${failed} failed`
      await print(this.#io, `${stored} of ${items} items imported into ${this.#flags.bucket} ${rate}: ${detail}\n`)
    }
    if (failed === 0 && this.#broken === null) return
    for (const [reason, count] of [...this.#reasons].slice(0, 10)) say(this.#io, `  ${count} × ${reason}`)
    if (this.#broken !== null) say(this.#io, `  the input is broken: ${this.#broken}`)
    throw new CommandError(
      EXIT.failed,
      `import incomplete; run it again with --run ${this.#run}: what is stored is not written twice`,
    )
  }

  async *#items(): AsyncGenerator<{ readonly item: Buffer; readonly index: number }, void> {
    let index = 0
    for await (const batch of jsonItems(this.#counted())) {
      for (const item of batch) yield { item, index: index++ }
    }
  }

  async *#counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#source.chunks) {
      yield chunk
      this.#bytesRead += chunk.byteLength
    }
  }

  #read(item: Buffer, index: number): ImportRecord | null {
    this.#counts.items++
    try {
      return toRecord(item, index, this.#rule)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#count({ type: 'failed', reason, retries: 0 }, `item ${index}`)
      return null
    }
  }

  #count(result: PutResult, what: string): void {
    this.#counts.retries += result.retries
    if (result.type === 'stored') {
      this.#counts.stored++
      if (result.created) this.#counts.created++
      if (result.siblings > 1) this.#counts.withSiblings++
      return
    }
    this.#counts.failed++
    const known = this.#reasons.get(result.reason)
    // Reasons that name a key would grow without end.
    if (known !== undefined || this.#reasons.size < 100) this.#reasons.set(result.reason, (known ?? 0) + 1)
    if (this.#counts.failed <= 3) say(this.#io, `${what}: ${result.reason}`)
  }
}
