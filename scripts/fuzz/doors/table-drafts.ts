// Member tables, founding views, bucket settings and the entries of a comparison, field by field.

import fc from 'fast-check'
import { DEFAULT_BUCKET } from '../../../src/core/membership/bucket-settings.ts'
import type { Draft } from '../ink.ts'

const name = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('a', 'node-0', 'node-1', 'Z.9_x', 'n'.repeat(63)) },
  { weight: 1, arbitrary: fc.string({ minLength: 1 }) },
)
const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 })
const address = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom('', '127.0.0.1:7481', 'host.example:1', '[::1]:7481', 'x:99999') },
  { weight: 1, arbitrary: fc.constantFrom('a b:1', 'x', '[') },
)
const members = fc
  .uniqueArray(fc.record({ name, uuid, peer: address, client: address, generation: fc.nat(), moves: fc.nat() }), {
    selector: (member) => member.name,
    minLength: 1,
    maxLength: 5,
  })
  .map((list) => list.sort((a, b) => (a.name < b.name ? -1 : 1)))

export const tableGrammar: fc.Arbitrary<Draft> = fc
  .record({
    members,
    formed: fc.boolean(),
    clusterId: uuid,
    clusterName: fc.constantFrom('test', '', 'ключ'),
    partitions: fc.constantFrom(1024, 1024, 64, 1, 8, 1000),
    defaults: fc.constantFrom('', '{}', JSON.stringify(DEFAULT_BUCKET)),
  })
  .map((draft): Draft => (ink) => {
    ink.u8(draft.formed ? 1 : 0)
    ink.u8(1)
    if (draft.formed) ink.raw(draft.clusterId)
    ink.text(draft.clusterName)
    ink.varint(draft.partitions)
    ink.text(draft.defaults)
    if (!draft.formed) ink.varint(draft.members.length)
    ink.varint(draft.members.length)
    for (const member of draft.members) {
      ink.text(member.name)
      ink.raw(member.uuid)
      ink.text(member.peer)
      ink.text(member.client)
      if (!draft.formed) continue
      ink.varint(member.generation)
      ink.varint(member.moves)
    }
  })

const setting = fc.oneof(
  fc.constantFrom<unknown>(1, 3, 15, 16, 0, -1, 1e308, 0.5, null, true, 'one', 'all', 'lww', 'durable', [], {}),
  fc.jsonValue({ maxDepth: 2 }),
)
const settingsText = fc.oneof(
  { weight: 12, arbitrary: fc.constant(JSON.stringify(DEFAULT_BUCKET)) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(...Object.keys(DEFAULT_BUCKET), '__proto__', 'constructor', 'x'), setting)
      .map(([key, value]) => {
        const honest = JSON.stringify(DEFAULT_BUCKET)
        // As text: an assignment would set the prototype.
        return `${honest.slice(0, -1)},${JSON.stringify(key)}:${JSON.stringify(value)}}`
      }),
  },
  { weight: 1, arbitrary: fc.constantFrom('null', '[]', '"text"', '1', '', '{', `${'['.repeat(5000)}`) },
  { weight: 1, arbitrary: fc.json() },
)

export const bucketsGrammar: fc.Arbitrary<Draft> = fc
  .array(fc.tuple(fc.oneof(fc.constantFrom('a', '', '__proto__'), fc.string()), fc.nat(9), settingsText), {
    maxLength: 4,
  })
  .map((buckets): Draft => (ink) => {
    ink.varint(buckets.length)
    for (const [bucket, revision, text] of buckets) {
      ink.text(bucket)
      const bytes = Buffer.from(text)
      ink.varint(1 + lengthOf(bytes.length) + bytes.length)
      ink.varint(revision)
      ink.bytes(bytes)
    }
  })

function lengthOf(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : 3
}

export const entriesGrammar: fc.Arbitrary<Draft> = fc
  .array(fc.tuple(fc.oneof(fc.integer({ min: 1, max: 300 }), fc.maxSafeNat()), uuid), { maxLength: 8 })
  .map((entries): Draft => (ink) => {
    ink.varint(entries.length)
    for (const [gap, digest] of entries) {
      ink.varint(gap)
      ink.raw(digest.subarray(0, 8))
    }
  })
