// What a comparison of replicas is packed into.

import { expect, it } from 'vitest'
import { ByteWriter, MalformedBytes } from '../../src/core/bytes.ts'
import { differing, packPartitions, unpackEntries, unpackPartitions } from '../../src/repair/comparison.ts'

it('refuses partitions that no number names: the answer could not be written', () => {
  const entries = new ByteWriter()
  const partitions = new ByteWriter()
  for (const writer of [entries, partitions]) writer.varint(3)
  for (const gap of [29, Number.MAX_SAFE_INTEGER, 1]) {
    entries.varint(gap)
    entries.hex('0123456789abcdef', 8)
    partitions.varint(gap)
  }
  expect(() => unpackEntries(entries.finish())).toThrow(MalformedBytes)
  expect(() => unpackPartitions(partitions.finish())).toThrow(MalformedBytes)
})

it('answers with the partitions that differ, the last one that can be among them', () => {
  const theirs = new Map([
    [1, '0123456789abcdef'],
    [Number.MAX_SAFE_INTEGER, '0123456789abcdef'],
  ])
  expect(unpackPartitions(packPartitions(differing(new Map(), theirs)))).toEqual([1, Number.MAX_SAFE_INTEGER])
})
