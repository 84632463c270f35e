// The writers' own record of what they did: who wrote what, what each write had seen, how it ended. Decides what a read may and may
// not show. Knows nothing of HTTP. Invariant: a write is in here before its request leaves, so that no reader can see an unknown one.

export type Outcome = 'pending' | 'acknowledged' | 'unknown' | 'not-applied'

export interface Write {
  /** Also the value's first line. */
  readonly id: string
  readonly key: string
  readonly kind: 'put' | 'delete'
  /** Everything that its context covers, transitively. */
  readonly saw: ReadonlySet<string>
  outcome: Outcome
}

interface KeyLog {
  readonly writes: Map<string, Write>
  /** What a strict read that begins now must include. */
  readonly fresh: Set<string>
}

export class Audit {
  readonly #keys = new Map<string, KeyLog>()
  #count = 0
  #acknowledged = 0

  get acknowledgedCount(): number {
    return this.#acknowledged
  }

  /** What became of all writes. */
  get tally(): Record<'acknowledged' | 'failed' | 'unknown', number> {
    const tally = { acknowledged: 0, failed: 0, unknown: 0 }
    for (const { outcome } of this.writes) {
      if (outcome === 'acknowledged') tally.acknowledged++
      else if (outcome === 'not-applied') tally.failed++
      else tally.unknown++
    }
    return tally
  }

  get keys(): readonly string[] {
    return [...this.#keys.keys()]
  }

  get writes(): readonly Write[] {
    return [...this.#keys.values()].flatMap((log) => [...log.writes.values()])
  }

  writesOf(key: string): readonly Write[] {
    return [...this.#log(key).writes.values()]
  }

  begin(key: string, kind: Write['kind'], saw: ReadonlySet<string>): Write {
    const write: Write = { id: `${key}#${++this.#count}`, key, kind, saw: new Set(saw), outcome: 'pending' }
    this.#log(key).writes.set(write.id, write)
    return write
  }

  end(write: Write, outcome: Outcome, strict: boolean): void {
    if (outcome === 'acknowledged' && write.outcome !== outcome) this.#acknowledged++
    write.outcome = outcome
    if (outcome === 'acknowledged' && strict) this.#log(write.key).fresh.add(write.id)
  }

  /** To be taken before a read's request leaves. */
  freshNow(key: string): ReadonlySet<string> {
    return new Set(this.#log(key).fresh)
  }

  /** A strict read showed these: later strict ones must include them. */
  noteStrictRead(key: string, visible: ReadonlySet<string>): void {
    const { fresh } = this.#log(key)
    for (const id of visible) fresh.add(id)
  }

  /** What somebody knows who was shown these. */
  closure(key: string, visible: Iterable<string>): Set<string> {
    const { writes } = this.#log(key)
    const known = new Set<string>()
    for (const id of visible) {
      known.add(id)
      for (const older of writes.get(id)?.saw ?? []) known.add(older)
    }
    return known
  }

  /** What is wrong with a result that must include `wanted` (and what it superseded must not come back). */
  judge(key: string, visible: readonly string[], wanted: ReadonlySet<string>): string[] {
    const { writes } = this.#log(key)
    const shown = new Set(visible)
    const wrong: string[] = []
    if (shown.size < visible.length) wrong.push(`${key}: one write shows as several siblings: ${visible.join()}`)
    for (const id of shown) {
      const write = writes.get(id)
      if (write === undefined) wrong.push(`${key}: ${id} was never written`)
      else if (write.outcome === 'not-applied') wrong.push(`${key}: ${id} shows, and was said not to be applied`)
    }
    for (const id of wanted) {
      if (!this.#isKept(id, shown, writes, new Set())) {
        wrong.push(`${key}: ${id} is missing; shown: ${visible.join() || 'nothing'}`)
      }
      for (const old of writes.get(id)?.saw ?? []) {
        if (shown.has(old)) wrong.push(`${key}: ${old} is back, though ${id} had superseded it`)
      }
    }
    return wrong
  }

  /** Every write of a key that must be visible or superseded. */
  acknowledged(key: string): ReadonlySet<string> {
    return new Set([...this.#log(key).writes.values()].filter((w) => w.outcome === 'acknowledged').map((w) => w.id))
  }

  /** Visible, or superseded by one that is kept. A deletion that was begun may have done its work. */
  #isKept(id: string, shown: ReadonlySet<string>, writes: ReadonlyMap<string, Write>, asked: Set<string>): boolean {
    if (shown.has(id)) return true
    if (asked.has(id)) return false
    asked.add(id)
    const write = writes.get(id)
    if (write?.kind === 'delete' && write.outcome !== 'not-applied') return true
    for (const later of writes.values()) {
      if (later.outcome !== 'not-applied' && later.saw.has(id) && this.#isKept(later.id, shown, writes, asked))
        return true
    }
    return false
  }

  #log(key: string): KeyLog {
    let log = this.#keys.get(key)
    if (log === undefined) this.#keys.set(key, (log = { writes: new Map(), fresh: new Set() }))
    return log
  }
}
