// Dots, sets, views and records, written field by field as their formats say, so that any field can be a lie. A second writer beside
// the production's: without lies both give the same bytes (`test/fuzz` holds them together).

import fc from 'fast-check'
import type { DotSet } from '../../../src/core/causality/dot-set.ts'
import { codeOfContentType, type Version } from '../../../src/core/causality/version.ts'
import type { View } from '../../../src/core/causality/view.ts'
import type { Draft, Ink } from '../ink.ts'

/** Lives that look like any, next to each other, and extreme. */
const LIVES = ['0000000000000000', '0000000000000001', 'a0b1c2d3e4f50617', 'a0b1c2d3e4f50618', 'ffffffffffffffff']

const counter = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom(127, 128, 16_384, 2 ** 28, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER) },
)
const time = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, Number.MAX_SAFE_INTEGER - 1))
const life = fc.oneof(
  fc.constantFrom(...LIVES),
  fc.bigInt(0n, 2n ** 64n - 1n).map((value) => value.toString(16).padStart(16, '0')),
)
const hex = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((given) => Buffer.from(given).toString('hex'))

interface LifeDraft {
  readonly life: string
  /** (gap before, length − 1) */
  readonly intervals: readonly (readonly [number, number])[]
}

interface ViewDraft {
  readonly lives: readonly LifeDraft[]
  readonly tags: readonly {
    readonly id: string
    readonly fingerprint: string
    readonly place: number
    readonly counter: number
    readonly stamp: number
    readonly replaces: boolean
  }[]
  readonly versions: readonly {
    readonly place: number
    readonly stamp: number
    readonly flags: number
    readonly type: number
    readonly meta: readonly (readonly [string, string])[]
    readonly value: Uint8Array
  }[]
}

const lives: fc.Arbitrary<readonly LifeDraft[]> = fc
  .uniqueArray(
    fc.record({
      life,
      intervals: fc.array(fc.tuple(fc.oneof(fc.integer({ min: 1, max: 5 }), counter), fc.oneof(fc.nat(5), counter)), {
        minLength: 1,
        maxLength: 4,
      }),
    }),
    { selector: (draft) => draft.life, maxLength: 6 },
  )
  .map((drafts) => drafts.sort((a, b) => (a.life < b.life ? -1 : 1)))

export const viewDraft: fc.Arbitrary<ViewDraft> = fc.record({
  lives,
  tags: fc
    .uniqueArray(
      fc.record({
        id: fc.oneof(fc.constantFrom('1111111111111111', '2222222222222222'), hex(8)),
        fingerprint: fc.oneof(fc.constant('aaaaaaaa'), hex(4)),
        place: fc.nat(6),
        counter,
        stamp: time,
        replaces: fc.boolean(),
      }),
      { selector: ({ id }) => id, maxLength: 3 },
    )
    .map((tags) => tags.sort((a, b) => (a.id < b.id ? -1 : 1))),
  versions: fc.uniqueArray(
    fc.record({
      place: fc.nat(5),
      stamp: time,
      flags: fc.oneof(fc.constantFrom(0, 0, 0, 1, 2, 4, 6, 8, 15, 20), fc.nat(31)),
      type: fc.oneof(fc.nat(10), fc.nat(255)),
      meta: fc.array(fc.tuple(fc.string({ maxLength: 6 }), fc.string({ unit: 'grapheme', maxLength: 4 })), {
        maxLength: 3,
      }),
      value: fc.uint8Array({ maxLength: 24 }),
    }),
    { selector: ({ place }) => place, maxLength: 4 },
  ),
})

export function writeDots(ink: Ink, drafts: readonly LifeDraft[]): void {
  ink.varint(drafts.length)
  for (const { life: name, intervals } of drafts) {
    ink.hex(name)
    ink.varint(intervals.length)
    for (const [gap, more] of intervals) {
      ink.varint(gap)
      ink.varint(more)
    }
  }
}

export function writeTags(ink: Ink, { lives: table, tags }: ViewDraft): void {
  ink.varint(tags.length)
  for (const { id, fingerprint, place, counter: count, stamp, replaces } of tags) {
    const known = place <= table.length ? place : 0
    ink.hex(id)
    ink.hex(fingerprint)
    ink.varint(2 * known + (replaces ? 1 : 0))
    // A life that is in no table: these begin with 7.
    if (known === 0) ink.hex(`7${id.slice(1)}`)
    ink.varint(count)
    ink.varint(stamp)
  }
}

export function writeVersions(ink: Ink, { lives: table, versions }: ViewDraft): void {
  const placed = versions.filter(({ place }) => place < table.length).sort((a, b) => a.place - b.place)
  ink.varint(placed.length)
  for (const { place, stamp, flags, type, meta, value } of placed) {
    // Honest flags: none that are unknown, no replacement without a tag, no metadata of a deletion.
    let said = flags & (flags & 4 ? 31 : 15)
    if (said & 1) said &= ~8
    ink.u8(said)
    ink.varint(place)
    ink.varint(
      (table[place] as LifeDraft).intervals[0]?.[0] === undefined ? 1 : firstCounter(table[place] as LifeDraft),
    )
    ink.varint(stamp)
    if (said & 2) ink.varint(stamp + 5000 > Number.MAX_SAFE_INTEGER ? stamp : stamp + 5000)
    if (said & 4) {
      ink.hex('1111111111111111')
      ink.hex('aaaaaaaa')
      ink.varint(Math.floor(stamp / 2))
    }
    if (said & 1) continue
    ink.u8(type)
    if (type === 0) ink.text('text/x-unheard-of')
    if (said & 8) {
      ink.varint(meta.length)
      for (const [name, text] of meta) {
        ink.text(name)
        ink.text(text)
      }
    }
    ink.bytes(value)
  }
}

function firstCounter({ intervals }: LifeDraft): number {
  return (intervals[0]?.[0] ?? 0) + 1
}

export const dotsGrammar: fc.Arbitrary<Draft> = lives.map((drafts) => (ink) => writeDots(ink, drafts))

/** Now and then thousands of lives or tags, where what is quadratic shows. */
const crowds: fc.Arbitrary<Draft> = fc
  .tuple(fc.nat(6000), fc.nat(4000), fc.boolean())
  .map(([count, tags, named]): Draft => (ink) => {
    ink.varint(count)
    const bytes = Buffer.alloc(11 * count)
    for (let i = 0; i < count; i++) {
      bytes.writeUInt32BE(i + 1, 11 * i + 4)
      bytes[11 * i + 8] = 1
    }
    ink.raw(bytes)
    ink.varint(tags)
    const table = Buffer.alloc(23 * tags)
    for (let i = 0; i < tags; i++) {
      table.writeUInt32BE(i, 23 * i + 4)
      // A life beside the table, or the table's first.
      table[23 * i + 12] = named ? 2 : 0
      table.fill(named ? 1 : 0x77, 23 * i + 13, 23 * i + 21)
      table[23 * i + 21] = 1
    }
    // With a life of its own a tag is 12 + 1 + 8 + 1 + 1 bytes, without eight fewer.
    ink.raw(named ? without(table, tags) : table)
    ink.varint(0)
  })

function without(table: Buffer, tags: number): Buffer {
  return Buffer.concat(
    Array.from({ length: tags }, (_, i) =>
      Buffer.concat([table.subarray(23 * i, 23 * i + 13), table.subarray(23 * i + 21, 23 * i + 23)]),
    ),
  )
}

/** Thousands of siblings of one life. */
const siblings: fc.Arbitrary<Draft> = fc.nat(5000).map((count): Draft => (ink) => {
  ink.varint(1)
  ink.hex('a0b1c2d3e4f50617')
  for (const number of [1, 0, count + 200]) ink.varint(number)
  ink.varint(0)
  ink.varint(count)
  // Flags, life, counter in two bytes, stamp: deletions.
  const table = Buffer.alloc(5 * count)
  for (let i = 0; i < count; i++) table.set([1, 0, ((i + 128) & 0x7f) | 0x80, (i + 128) >> 7, 1], 5 * i)
  ink.raw(table)
})

export const viewGrammar: fc.Arbitrary<Draft> = fc.oneof(
  {
    weight: 500,
    arbitrary: viewDraft.map((draft): Draft => (ink) => {
      writeDots(ink, draft.lives)
      writeTags(ink, draft)
      writeVersions(ink, draft)
    }),
  },
  { weight: 1, arbitrary: crowds },
  { weight: 1, arbitrary: siblings },
)

/** In a few words. */
export function shapeOfView({ seen, versions, deadTags }: View): string {
  return `${shapeOfDots(seen)} ${versions.length}v${deadTags.length}t ${versions.map(shapeOfVersion).join('')}`.slice(
    0,
    60,
  )
}

export function shapeOfDots(set: DotSet): string {
  return `${Math.min(set.lifeCount, 9)}l${Math.min(set.intervalCount, 9)}i`
}

export function shapeOfVersion({ content, deadlineMs, tag }: Version): string {
  const kind = content === null ? 'd' : codeOfContentType(content.contentType) < 0 ? 'x' : 'c'
  return kind + (deadlineMs === null ? '' : 'e') + (tag === null ? '' : 't') + (content?.meta.length ? 'm' : '')
}
