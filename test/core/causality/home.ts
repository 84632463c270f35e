// A home replica of one (partition, n) in memory: the production rules of src/core/causality around a clock and some records, with
// filling, exchange and collection as small as they can be. Every rule that a scenario breaks is a replaceable function.
// Knows nothing of disks, links or time.

import { deadTagsOf } from '../../../src/core/causality/attempts.ts'
import { type Dot, sameDot } from '../../../src/core/causality/dot.ts'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import * as rules from '../../../src/core/causality/record.ts'
import type { KeyRecord, Merged } from '../../../src/core/causality/record.ts'
import type { Version } from '../../../src/core/causality/version.ts'
import { type Conflict, EMPTY_VIEW, mergeViews, type View, writeView } from '../../../src/core/causality/view.ts'

/** The rules of causality.md that scenarios replace one at a time. */
export interface Rules {
  readonly contextOf: (record: KeyRecord, clock: DotSet) => DotSet
  readonly merge: typeof rules.mergeIntoRecord
  /** The clock after a merge. */
  readonly advance: (clock: DotSet, view: View, merged: Merged) => DotSet
  /** What a put's answer claims, from the request's context and an acknowledging home. */
  readonly answer: (asked: DotSet, version: Version, home: Home, key: string) => DotSet
  /** In how many pieces a view is sent to repair a home. */
  readonly pieces: (view: View) => readonly View[]
  /** What counts as proof that all homes have a dot; null when there is none yet. */
  readonly stable: (home: Home, reports: readonly Report[]) => DotSet | null
  readonly collect: typeof rules.collect
  readonly strip: typeof rules.strip
  /** What travels in an exchange to a home with this clock. */
  readonly travels: (record: KeyRecord, clock: DotSet, theirs: DotSet) => boolean
  /** A snapshot of some records counts only for the storage whose clock chose them. */
  readonly partOnlyForAsker: boolean
  readonly refusesForReplacedStorage: boolean
  /** From how many complete homes, asked since the fill began, a filling storage must have taken a snapshot; null: from all. */
  readonly fillFrom: number | null
  readonly snapshotOfFillOnly: boolean
  readonly fillingIsRead: boolean
  /** What is left of clock and records after damage. */
  readonly afterDamage: (
    kept: ReadonlyMap<string, KeyRecord>,
    clock: DotSet,
  ) => { clock: DotSet; records: Map<string, KeyRecord> }
}

export interface Report {
  readonly home: string
  readonly storage: number
  readonly clock: DotSet
}

export interface Snapshot {
  readonly from: string
  readonly filling: boolean
  /** The epoch of the fill that asked for it; '' when the asker was complete. */
  readonly epoch: string
  readonly clock: DotSet
  readonly views: ReadonlyMap<string, View>
  /** Every record is in it, not only those that the asker's clock seems to lack. */
  readonly whole: boolean
  /** Whose clock chose the records. */
  readonly askedBy: number
}

/** The storages behind the names, as the sender of a write or a home knows them. */
export type Table = ReadonlyMap<string, number>

export interface Ack {
  readonly storage: number
  readonly refused: readonly Dot[]
  readonly merged: Merged
}

export const RULES: Rules = {
  contextOf: rules.contextOf,
  merge: rules.mergeIntoRecord,
  advance: (clock, _view, merged) => clock.union(DotSet.of(...merged.received)),
  answer: (asked, version, home, key) => {
    const answer = asked.union(DotSet.of(version.dot))
    const record = home.records.get(key)
    const holdsItAlone = record?.versions.length === 1 && sameDot(record.versions[0]!.dot, version.dot)
    if (holdsItAlone && !home.isFilling) answer.addAll(home.rules.contextOf(record, home.clock))
    return answer
  },
  pieces: (view) => [view],
  stable: (home, reports) => {
    let stable = home.clock
    for (const other of home.others) {
      const report = reports.find((r) => r.home === other)
      if (!report || report.storage !== home.table.get(other)) return null
      stable = stable.intersect(report.clock)
    }
    return stable
  },
  collect: rules.collect,
  strip: rules.strip,
  travels: () => true,
  partOnlyForAsker: true,
  refusesForReplacedStorage: true,
  fillFrom: null,
  snapshotOfFillOnly: true,
  fillingIsRead: false,
  afterDamage: (kept, clock) => {
    const records = new Map([...kept].map(([key, record]) => [key, rules.unstrip(record, clock)] as const))
    const dots = [...records.values()].flatMap((record) => record.versions.map((v) => v.dot))
    return { clock: DotSet.of(...dots), records }
  },
}

let storages = 0

export class Home {
  readonly name: string
  readonly others: readonly string[]
  readonly rules: Rules
  readonly conflict: Conflict
  clock: DotSet = DotSet.empty()
  records: Map<string, KeyRecord> = new Map()
  storage: number = ++storages
  table: Map<string, number> = new Map()
  #filling: { epoch: string; needs: Set<string> } | null = null

  constructor(name: string, names: readonly string[], rulesInForce: Rules = RULES, conflict: Conflict = 'siblings') {
    this.name = name
    this.others = names.filter((other) => other !== name)
    this.rules = rulesInForce
    this.conflict = conflict
  }

  get isFilling(): boolean {
    return this.#filling !== null
  }

  get epoch(): string {
    return this.#filling?.epoch ?? ''
  }

  /** Null: refused, for the sender's table names a storage that was replaced. */
  receive(key: string, view: View, table?: Table): Ack | null {
    if (table && this.rules.refusesForReplacedStorage) {
      for (const [name, storage] of this.table) if (table.get(name) !== storage) return null
    }
    const merged = this.#merge(key, view)
    return { storage: this.storage, refused: merged.refused, merged }
  }

  /** A coordinator repairs this home with what a read has found. Returns the dots that are superseded here. */
  repair(key: string, view: View): readonly Dot[] {
    return this.rules.pieces(view).flatMap((piece) => this.#merge(key, piece).refused)
  }

  #merge(key: string, view: View, theirClock?: DotSet): Merged {
    const merged = this.rules.merge(this.records.get(key), this.clock, view, this.conflict, theirClock)
    this.clock = this.rules.advance(this.clock, view, merged)
    if (merged.record) this.records.set(key, merged.record)
    else this.records.delete(key)
    return merged
  }

  /** Null: this home may not answer. */
  look(key: string): View | null {
    if (this.isFilling && !this.rules.fillingIsRead) return null
    const record = this.records.get(key)
    if (!record) return EMPTY_VIEW
    return { versions: record.versions, seen: this.rules.contextOf(record, this.clock), deadTags: record.deadTags }
  }

  snapshotFor(asker: Home): Snapshot {
    this.table.set(asker.name, asker.storage)
    const views = new Map<string, View>()
    const whole = asker.isFilling || this.rules.travels === RULES.travels
    for (const [key, record] of this.records) {
      if (!whole && !this.rules.travels(record, this.clock, asker.clock)) continue
      views.set(key, {
        versions: record.versions,
        seen: this.rules.contextOf(record, this.clock),
        deadTags: record.deadTags,
      })
    }
    return {
      from: this.name,
      filling: this.isFilling,
      epoch: asker.epoch,
      clock: this.clock.clone(),
      views,
      whole,
      askedBy: asker.storage,
    }
  }

  /** The full exchange. Returns whether it counted: nobody merges from a filling home. */
  takeSnapshot(snapshot: Snapshot): boolean {
    if (snapshot.filling) return false
    // What was left out, for the asker had it, may be what was lost since.
    if (!snapshot.whole && this.rules.partOnlyForAsker && snapshot.askedBy !== this.storage) return false
    const keys = new Set([...snapshot.views.keys(), ...this.records.keys()])
    for (const key of keys) {
      const view = snapshot.views.get(key)
      // A record that the sender lacks: all that its clock covers was superseded and collected there.
      if (view || snapshot.whole) this.#merge(key, view ?? EMPTY_VIEW, snapshot.clock)
    }
    this.clock = this.clock.union(snapshot.clock)
    const fill = this.#filling
    if (fill && (!this.rules.snapshotOfFillOnly || snapshot.epoch === fill.epoch)) {
      fill.needs.delete(snapshot.from)
      if (this.others.length - fill.needs.size >= (this.rules.fillFrom ?? this.others.length)) this.#filling = null
    }
    return true
  }

  report(): Report | null {
    return this.isFilling ? null : { home: this.name, storage: this.storage, clock: this.clock.clone() }
  }

  /** Collects what is spent (deletions) and strips, as far as the reports prove. Returns the dots collected. */
  tend(
    key: string,
    reports: readonly Report[],
    forgetTagsBeforeMs = 0,
    isSpent: (version: Version) => boolean = (v) => v.content === null,
  ): readonly Dot[] {
    const record = this.records.get(key)
    if (!record || this.isFilling) return []
    const stable = this.rules.stable(this, reports)
    if (!stable) return []
    const collected = this.rules.collect(record, this.clock, stable, isSpent)
    const next = collected && this.rules.strip(collected, this.clock, stable, forgetTagsBeforeMs)
    if (next) this.records.set(key, next)
    else this.records.delete(key)
    return record.versions.filter((v) => !next?.versions.some((kept) => sameDot(kept.dot, v.dot))).map((v) => v.dot)
  }

  wipe(): void {
    this.clock = DotSet.empty()
    this.records = new Map()
    this.#startFilling()
  }

  damage(lost: readonly string[]): void {
    const kept = new Map([...this.records].filter(([key]) => !lost.includes(key)))
    const { clock, records } = this.rules.afterDamage(kept, this.clock)
    this.clock = clock
    this.records = records
    this.#startFilling()
  }

  #startFilling(): void {
    this.storage = ++storages
    this.table.set(this.name, this.storage)
    this.#filling = { epoch: `fill-${this.storage}`, needs: new Set(this.others) }
  }
}

export function homesNamed(
  names: readonly string[],
  rulesInForce: Rules = RULES,
  conflict: Conflict = 'siblings',
): Home[] {
  const homes = names.map((name) => new Home(name, names, rulesInForce, conflict))
  for (const home of homes) home.table = new Map(homes.map((other) => [other.name, other.storage]))
  return homes
}

/** A read of these homes with write-back; filling ones give no answer. */
export function readFrom(homes: readonly Home[], key: string): View {
  const answers = homes
    .map((home) => [home, home.look(key)] as const)
    .filter((pair): pair is [Home, View] => pair[1] !== null)
  const conflict = homes[0]?.conflict ?? 'siblings'
  let result = answers.reduce((union, [, view]) => mergeViews(union, view, conflict), EMPTY_VIEW)
  const refused = answers.flatMap(([home]) => home.repair(key, result))
  if (refused.length > 0) {
    result = { ...result, versions: result.versions.filter((v) => !refused.some((dot) => sameDot(dot, v.dot))) }
  }
  return result
}

/** A stamp of 0: these scenarios are of `siblings` buckets unless they say otherwise. */
export function version(life: string, counter: number, text: string | null, rest: Partial<Version> = {}): Version {
  const content = text === null ? null : { contentType: 'text/plain', meta: [], bytes: Buffer.from(text) }
  return { dot: { life, counter }, stamp: 1, deadlineMs: null, tag: null, content, ...rest }
}

export function put(value: Version, context: DotSet = DotSet.empty()): View {
  return writeView(value, context, [])
}

/** By a client that has seen these: their tags go along. */
export function putOver(value: Version, ...seen: readonly Version[]): View {
  return writeView(value, DotSet.of(...seen.map(({ dot }) => dot)), deadTagsOf(seen, true))
}

export function texts(view: View | null): string[] {
  return (view?.versions ?? []).filter((v) => v.content !== null).map((v) => Buffer.from(v.content!.bytes).toString())
}
